"""middleware.py"""

from collections.abc import AsyncIterator

import pytest
from fastapi import HTTPException
from fastapi.responses import StreamingResponse
from httpx import AsyncClient

from << cookiecutter.project_slug >>.middleware import Service

from .conftest import Log, connect

app = Service()


@app.get("/stream")
async def stream() -> StreamingResponse:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"12345"
        yield b"67890"

    return StreamingResponse(chunks())


@app.get("/{status}")
async def answer(status: int) -> None:
    raise HTTPException(status)


@pytest.mark.parametrize("given", ["", "a b", "x" * 129, 'a"}'])
async def test_a_bad_id_is_replaced(given: str, client: AsyncClient, log: Log) -> None:
    """What a client sends as its id cannot break a line."""
    response = await client.get("/hello", headers={"x-request-id": given})
    assert response.headers["x-request-id"] != given
    assert log("log request")[0]["request_id"] == response.headers["x-request-id"]


async def test_a_good_id_is_kept(client: AsyncClient, log: Log) -> None:
    """A proxy's id joins its log with this one."""
    response = await client.get("/hello", headers={"x-request-id": "from-proxy_1.2"})
    assert response.headers["x-request-id"] == "from-proxy_1.2"
    assert {line["request_id"] for line in log() if "request_id" in line} == {"from-proxy_1.2"}


@pytest.mark.parametrize(("status", "level"), [(404, "INFO"), (500, "ERROR"), (503, "ERROR")])
async def test_a_server_error_is_an_error(status: int, level: str, log: Log) -> None:
    """Whoever looks for errors finds every answer of 5xx, and only those."""
    async with connect(app) as client:
        await client.get(f"/{status}")
    [line] = log()
    assert (line["message"], line["level"]) == ("log request", level)


async def test_a_stream_is_measured_to_its_end(log: Log) -> None:
    """Bytes count when they are sent."""
    async with connect(app) as client:
        await client.get("/stream")
    [line] = log()
    assert (line["response_length"], line["status_code"]) == (10, 200)
