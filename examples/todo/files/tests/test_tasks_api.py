"""routers/tasks_api.py"""

from httpx import AsyncClient

TASK = {"title": "Buy milk", "priority_id": 1, "due_date": "2030-01-02"}


async def test_a_task_is_created(client: AsyncClient) -> None:
    """The response is the task, and Location its address."""
    response = await client.post("/api/v1/tasks", json=TASK)
    assert response.status_code == 201
    assert (await client.get(response.headers["Location"])).json() == response.json()


async def test_an_unknown_task_is_a_problem(client: AsyncClient) -> None:
    """The response is a problem detail (RFC 9457)."""
    response = await client.get("/api/v1/tasks/999999")
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["title"] == "Not Found"
    assert (await client.get("/api/v1/tasks")).json()["total"] == 0
