"""routers/tasks_api.py and schemas.py"""

import json

import pytest
from httpx import AsyncClient

TASK = {"title": "Buy milk", "priority_id": 1, "due_date": "2030-01-02"}
TASKS = "/api/v1/tasks"
JSON = {"Content-Type": "application/json"}

BAD = {
    "empty title": {"title": " \t "},
    "invisible title": {"title": "\u200b \ufeff"},
    "long title": {"title": "😀" * 31},
    "two lines": {"title": "a\r\nb"},
    "NUL": {"title": "a\0b"},
    "control character": {"description": "\x1b[1m"},
    "half a character": {"description": "\ud800"},
    "long description": {"description": "😀" * 1001},
    "number as title": {"title": 1},
    "unknown priority": {"priority_id": 2**31 - 1},
    "huge priority": {"priority_id": 10**30},
    "boolean as priority": {"priority_id": True},
    "no such day": {"due_date": "2030-02-30"},
    "number as date": {"due_date": 1893456000},
    "long ago": {"due_date": "1999-12-31"},
    "unknown member": {"urgent": 1},
}


async def test_the_life_of_a_task(client: AsyncClient) -> None:
    """A task is created, read at its Location, changed, completed and deleted."""
    response = await client.post(TASKS, json=TASK)
    assert response.status_code == 201
    address = response.headers["Location"]
    assert (await client.get(address)).json() == response.json()
    changed = await client.put(address, json=TASK | {"title": "Buy bread"})
    assert changed.json()["title"] == "Buy bread"
    completed = await client.put(f"{address}/completed")
    assert completed.json()["completed_at"].endswith("Z")
    assert (await client.delete(address)).status_code == 204
    assert (await client.get(address)).status_code == 404


async def test_a_page_of_tasks(client: AsyncClient) -> None:
    """The response has some of the tasks, and the number of all."""
    for _ in range(3):
        await client.post(TASKS, json=TASK)
    page = (await client.get(TASKS, params={"limit": 2, "offset": 1, "status": "todo"})).json()
    assert (len(page["items"]), page["total"], page["offset"]) == (2, 3, 1)


async def test_priorities(client: AsyncClient) -> None:
    """Priorities have the ids that tasks are sent with."""
    assert {"id": 1, "priority": "High"} in (await client.get("/api/v1/priorities")).json()


async def test_what_may_be_in_a_task(client: AsyncClient) -> None:
    """Characters count, not bytes, and a line ends in one way."""
    sent = TASK | {"title": "😀" * 30, "description": "𝒳\r\n" * 500, "due_date": "9999-12-31"}
    response = await client.post(TASKS, json=sent)
    assert response.json()["title"] == sent["title"]
    assert response.json()["description"] == ("𝒳\n" * 500).strip()


@pytest.mark.parametrize("change", BAD.values(), ids=BAD)
async def test_bad_tasks_are_problems(change: dict[str, object], client: AsyncClient) -> None:
    """The response is a problem detail (RFC 9457) that points at the member."""
    content = json.dumps(TASK | change)  # httpx cannot encode half a character
    response = await client.post(TASKS, content=content, headers=JSON)
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    error = response.json()["errors"][0]
    assert (error["in"], error["pointer"][:2]) == ("body", "#/")


async def test_a_body_that_is_no_json_is_a_problem(client: AsyncClient) -> None:
    """The error points at the whole body, and says why it is no JSON."""
    response = await client.post(TASKS, content='{"title": "a",,}', headers=JSON)
    (error,) = response.json()["errors"]
    assert (response.status_code, error["pointer"]) == (422, "#")
    assert error["detail"].startswith("JSON decode error: ")


@pytest.mark.parametrize("path", ["/0", "/x", "/2147483648", "/%00", "?limit=101", "?status=late"])
async def test_bad_addresses_are_problems(path: str, client: AsyncClient) -> None:
    """Ids that no database can store and unknown parameters are refused."""
    assert (await client.get(TASKS + path)).status_code == 422


async def test_an_unknown_task_is_a_problem(client: AsyncClient) -> None:
    """The response names the task."""
    problem = (await client.get(f"{TASKS}/999999")).json()
    assert (problem["title"], problem["detail"]) == ("Not Found", "There is no task 999999.")


async def test_the_description_of_errors(client: AsyncClient) -> None:
    """/openapi.json has the members of an error, and no error that the service does not send."""
    description = (await client.get("/openapi.json")).json()
    problem = (await client.post(TASKS, content="{}", headers=JSON)).json()
    operations = [
        operation
        for path, methods in description["paths"].items()
        if path.startswith("/api/")
        for operation in methods.values()
    ]
    assert len(operations) == 7
    for operation in operations:
        error = operation["responses"]["default"]["content"]["application/problem+json"]["schema"]
        assert error["properties"].keys() == problem.keys()
        assert (
            error["properties"]["errors"]["items"]["properties"].keys()
            == problem["errors"][0].keys()
        )
    assert "HTTPValidationError" not in str(description)
