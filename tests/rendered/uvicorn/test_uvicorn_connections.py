"""What uvicorn itself does wrong with connections, and the service without uvloop."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from websockets.sync.client import connect

from checks.served import Service, serve
from checks.server.test_process import HANDSHAKE, program

FAST_PINGS = program("""
from functools import partial
import uvicorn
uvicorn.Config = partial(uvicorn.Config, ws_ping_interval=0.2, ws_ping_timeout=0.2)
import checks.endpoints
""")
WITHOUT_UVLOOP = program("""
import sys
sys.modules["uvloop"] = None
import checks.endpoints
""")

STOPPED_BEFORE_IT_SERVES = program("""
import asyncio, os, signal
from my_service import resources

async def startup():
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.sleep(0.25)  # the port is closed by then

resources.startup = startup
""")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that has to survive all tests."""
    with serve(tmp_path_factory.mktemp("connections")) as service:
        yield service
        assert service.stop() == 0


@pytest.mark.parametrize("header", [b"cookie: " + b"x" * 9_000 + b"\r\n", b"a: b\r\n" * 200])
def test_a_handshake_that_is_too_large_is_answered(header: bytes, service: Service) -> None:
    """The parser of handshakes allows less than the one of requests, and the client is told."""
    raw = (HANDSHAKE % b"/echo").replace(b"\r\n\r\n", b"\r\n" + header + b"\r\n")
    assert service.send(raw).startswith(b"HTTP/1.1 4")


def test_a_pipelined_upload_is_refused(service: Service) -> None:
    """A large body behind another request is not kept; the request before it is answered."""
    upload = b"POST /upload HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n\r\n" + b"x" * 200_000
    answer = service.send(b"GET /slow?seconds=0.2 HTTP/1.1\r\nhost: a\r\n\r\n" + upload)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.endswith(b'{"seconds":0.2}')
    assert not service.all("upload begins")


def test_many_requests_at_once(service: Service) -> None:
    """More requests than may wait on a connection are not answered, and the connection ends."""
    answer = service.send(b"GET /hello HTTP/1.1\r\nhost: a\r\n\r\n" * 1_500)
    assert 1_000 < answer.count(b"HTTP/1.1 200 ") < 1_500


def test_a_head_with_many_headers(service: Service) -> None:
    """A complete head has the same limit as one that arrives in parts."""
    head = b"GET /hello HTTP/1.1\r\nhost: a\r\n" + b"x: y\r\n" * 12_000 + b"\r\n"
    assert service.send(head).startswith(b"HTTP/1.1 400 ")


def test_trailers_are_no_headers(service: Service) -> None:
    """A header behind the body cannot change what the request said before it."""
    raw = (
        b"POST /upload HTTP/1.1\r\nhost: a\r\nconnection: close\r\ntransfer-encoding: chunked\r\n"
        b"\r\n1\r\nx\r\n0\r\nuser-agent: late\r\n\r\n"
    )
    assert service.send(raw).startswith(b"HTTP/1.1 200 ")
    line = service.wait_for("log request", path_with_query="/upload")
    assert line["user_agent"] == ""


def test_a_response_of_a_broken_upload(service: Service) -> None:
    """A response that has begun is cut off where the request breaks off."""
    with service.connect() as connection:
        connection.sendall(
            b"GET /stream/silent HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"
        )
        answer = connection.recv(1_000)
        while b"12345" not in answer:
            answer += connection.recv(1_000)
        connection.sendall(b"zz\r\n")
        assert connection.recv(1_000) == b""
    line = service.wait_for("log request", path_with_query="/stream/silent")
    assert line["disconnected"]


def test_a_websocket_whose_messages_wait(tmp_path: Path) -> None:
    """A client that answers pings stays connected while the endpoint receives nothing."""
    with serve(tmp_path, *FAST_PINGS, SHUTDOWN_TIMEOUT="0.1") as service:
        url = f"ws://127.0.0.1:{service.port}/deaf"
        with connect(url, close_timeout=0.1) as websocket:
            websocket.send("one")
            websocket.send("two")
            time.sleep(1)  # five pings
            websocket.send("three")
            assert not service.all("log websocket")


def test_a_websocket_that_does_not_answer_pings(tmp_path: Path) -> None:
    """A client that is gone without a word is disconnected."""
    with serve(tmp_path, *FAST_PINGS) as service, service.connect() as connection:
        connection.sendall(HANDSHAKE % b"/echo")
        line = service.wait_for("log websocket")
        assert (line["level"], line["close_code"]) == ("INFO", 1006)


def test_a_websocket_whose_client_does_not_read(tmp_path: Path) -> None:
    """What waits to be sent does not delay the stop."""
    with serve(tmp_path) as service, socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        connection.connect(("127.0.0.1", service.port))
        connection.sendall(HANDSHAKE % b"/echo")
        service.wait_for("accepted")
        size = 8_000_000
        frame = b"\x82\xff" + size.to_bytes(8, "big") + bytes(4 + size)
        threading.Thread(target=send, args=[connection, frame * 2], daemon=True).start()
        time.sleep(1)  # until the service waits for the client
        begin = time.monotonic()
        assert service.stop() == 0
        assert time.monotonic() - begin < 5


def send(connection: socket.socket, data: bytes) -> None:
    """Send as much as the service takes."""
    with suppress(OSError):
        connection.sendall(data)


def test_without_uvloop(tmp_path: Path) -> None:
    """Where uvloop is not available, asyncio serves, stops and notices a client that leaves."""
    with serve(tmp_path, *WITHOUT_UVLOOP) as service:
        with service.client() as client, client.stream("GET", "/stream/endless") as response:
            next(response.iter_raw())
        line = service.wait_for("log request", request_id=response.headers["x-request-id"])
        assert line["disconnected"]
        with connect(f"ws://127.0.0.1:{service.port}/echo") as websocket:
            websocket.send("hello")
            assert websocket.recv(10) == "hello"
        assert service.stop() == 0
        assert service.messages()[-1] == "shutdown"


def test_a_stop_during_start_up(tmp_path: Path) -> None:
    """The exit code is 0 if the start-up ends after the port is closed."""
    with serve(tmp_path, *STOPPED_BEFORE_IT_SERVES) as service:
        assert service.wait() == 0
        assert service.messages()[0] == "stopping"
        assert service.messages()[-1] == "shutdown"
