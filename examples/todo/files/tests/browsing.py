"""What a browser does with a page."""

from httpx import AsyncClient, Response

TASK = {"title": "Buy milk", "description": "", "priority_id": "1", "due_date": "2030-01-02"}


async def send(client: AsyncClient, path: str, **fields: str) -> Response:
    """Send a form of the pages, with the token of its page."""
    await client.get("/tasks/new")
    fields = {"csrf_token": client.cookies["csrf_token"]} | fields
    return await client.post(path, data=fields)


async def create(client: AsyncClient, **changes: str) -> int:
    """Create a task, and return its id."""
    response = await client.post("/api/v1/tasks", json=TASK | changes)
    return int(response.json()["id"])
