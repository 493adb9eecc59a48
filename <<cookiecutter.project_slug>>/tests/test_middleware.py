"""middleware.py"""

import pytest
from fastapi import FastAPI, WebSocket
from fastapi.testclient import TestClient

from << cookiecutter.project_slug >>.middleware import add_request_log

from .conftest import Log, connect

app = FastAPI()
add_request_log(app)


@app.get("/divide/{divisor}")
async def divide(divisor: int) -> float:
    return 1 / divisor


@app.websocket("/echo")
async def echo(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text(await websocket.receive_text())


async def test_a_request_is_one_line(log: Log) -> None:
    """The line has the id of the response, and the fields of the request and the response."""
    async with connect(app) as client:
        response = await client.get("/divide/2?token=x", headers={"user-agent": "me"})
    [line] = log()
    assert (line["message"], line["level"]) == ("log request", "INFO")
    assert line["request_id"] == response.headers["x-request-id"]
    assert float(response.headers["x-processed-time"]) <= line["elapsed"]
    assert (line["status_code"], line["response_length"]) == (200, len(response.content))
    assert (line["path_with_query"], line["user_agent"]) == ("/divide/2?token=***", "me")


async def test_an_unhandled_exception_is_one_line(log: Log) -> None:
    """The client gets a plain 500 with an id; the line has the traceback with the values."""
    async with connect(app) as client:
        response = await client.get("/divide/0")
    assert (response.status_code, response.text) == (500, "Internal Server Error")
    [line] = log()
    assert (line["message"], line["level"]) == ("unhandled exception", "ERROR")
    assert line["request_id"] == response.headers["x-request-id"]
    assert all(text in line["exception"] for text in ("divisor = 0", "ZeroDivisionError"))


@pytest.mark.parametrize("given", ["from-proxy_1.2", "", "a b", '"}', "x" * 129])
async def test_a_valid_request_id_is_kept(given: str, log: Log) -> None:
    """An invalid id is replaced, in the response and in the log."""
    async with connect(app) as client:
        response = await client.get("/nowhere", headers={"x-request-id": given})
    request_id = response.headers["x-request-id"]
    assert (request_id == given) is (given == "from-proxy_1.2")
    assert [(line["request_id"], line["level"]) for line in log()] == [(request_id, "INFO")]


def test_a_websocket_is_one_line(log: Log) -> None:
    """httpx cannot open a WebSocket; `TestClient` can, and can send requests too."""
    with TestClient(app).websocket_connect("/echo?token=x") as websocket:
        websocket.send_text("hi")
        assert websocket.receive_text() == "hi"
    [line] = log("log websocket")
    assert (line["path_with_query"], line["level"]) == ("/echo?token=***", "INFO")
