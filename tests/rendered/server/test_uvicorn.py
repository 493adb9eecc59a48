"""The request log, the ids and one line per request work under uvicorn too."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from checks.served import Service, serve

PROGRAM = """
import uvicorn, checks.endpoints
uvicorn.run("my_service.main:app", port=0, log_config=None, access_log=False)
"""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with serve(tmp_path_factory.mktemp("uvicorn"), "-c", PROGRAM) as service:
        yield service


@pytest.mark.parametrize(
    ("path", "status", "message", "level"),
    [
        ("/hello", 200, "log request", "INFO"),
        ("/nowhere", 404, "log request", "INFO"),
        ("/divide?a=1&b=x", 422, "log request", "INFO"),
        ("/divide?a=1&b=0", 500, "unhandled exception", "ERROR"),
        ("/status/503", 503, "log request", "ERROR"),
        ("/stream/broken?chunks=0", 500, "unhandled exception", "ERROR"),
        ("/large?size=5000000", 200, "log request", "INFO"),
        ("/background", 200, "log request", "INFO"),
    ],
)
def test_a_request_is_one_line(
    path: str, status: int, message: str, level: str, service: Service
) -> None:
    """The line has the id and the bytes that the client received."""
    response = service.get(path)
    line = service.wait_for(message, request_id=response.headers["x-request-id"])
    assert response.status_code == line["status_code"] == status
    assert (line["level"], line["response_length"]) == (level, len(response.content))
    assert line["path_with_query"] == path
    if path == "/background":
        service.wait_for("exception after response", request_id=line["request_id"])
    told = [each for each in service.lines if "status_code" in each]
    assert [each["request_id"] for each in told].count(line["request_id"]) == 1


def test_a_broken_stream_is_a_broken_transfer(service: Service) -> None:
    """The client sees an incomplete response, and the line says so."""
    client = service.client()
    with client, client.stream("GET", "/stream/broken?chunks=3") as response:
        parts = response.iter_raw()
        assert next(parts)
        with pytest.raises(httpx.RemoteProtocolError):
            list(parts)
    line = service.wait_for("unhandled exception", request_id=response.headers["x-request-id"])
    assert (line["level"], line["completed"], line["response_length"]) == ("ERROR", False, 15)


@pytest.mark.parametrize("path", ["/stream/endless", "/stream/silent"])
def test_a_client_that_disconnects(path: str, service: Service) -> None:
    """A disconnect is logged with the number of bytes sent."""
    with service.client() as client, client.stream("GET", path) as response:
        next(response.iter_raw())
    line = service.wait_for("log request", request_id=response.headers["x-request-id"])
    assert (line["level"], line["disconnected"]) == ("INFO", True)
    assert line["response_length"] > 0


def test_a_websocket_is_one_line(service: Service) -> None:
    """The line has the id of the handshake and the client's close code."""
    with connect(f"ws://127.0.0.1:{service.port}/echo") as websocket:
        websocket.send("hello")
        assert websocket.recv(10) == "hello"
        websocket.close(4001)
    assert websocket.response
    line = service.wait_for("log websocket", request_id=websocket.response.headers["x-request-id"])
    assert (line["level"], line["status_code"], line["close_code"]) == ("INFO", 101, 4001)


def test_a_failing_websocket(service: Service) -> None:
    """A failure is an ERROR line, and the client receives the close code 1011."""
    path = f"ws://127.0.0.1:{service.port}/failing?accept=1"
    with connect(path) as websocket, pytest.raises(ConnectionClosed) as caught:
        websocket.recv(10)
    assert caught.value.rcvd
    assert caught.value.rcvd.code == 1011
    assert websocket.response
    line = service.wait_for("log websocket", request_id=websocket.response.headers["x-request-id"])
    assert (line["level"], line["close_code"]) == ("ERROR", 1011)


def test_a_refused_handshake(service: Service) -> None:
    """A refused handshake has its line, and the response has the request id."""
    with pytest.raises(InvalidStatus) as caught:
        connect(f"ws://127.0.0.1:{service.port}/nowhere")
    response = caught.value.response
    line = service.wait_for("log websocket", request_id=response.headers["x-request-id"])
    assert response.status_code == line["status_code"] == 403


def test_lines_of_uvicorn_are_in_the_log(tmp_path: Path) -> None:
    """uvicorn's default configuration writes to the log, and its access log is masked."""
    program = PROGRAM.replace(", log_config=None, access_log=False", "")
    with serve(tmp_path, "-c", program) as service:
        service.get("/hello?token=hunter2")
        service.wait_until(lambda: "hello?token=***" in " ".join(service.messages()))
        service.stop()
        assert "Application shutdown complete." in service.messages()
        assert "hunter2" not in str(service.lines)
