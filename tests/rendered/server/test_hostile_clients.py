"""Clients that break HTTP or WebSockets, or leave, cause no error and harm no other request."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from checks.served import SECONDS, Service, read_all, reset, serve
from checks.server.test_flood import MEGABYTE, resident
from checks.server.test_process import HANDSHAKE, program

GET = b"GET %s HTTP/1.1\r\nhost: a\r\n\r\n"
UPGRADE = b"GET /hello HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n"
CHUNKED = b"POST /upload HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"
SHORT_IDLE_TIMEOUT = program("""
from my_service._internal.server import settings
settings.IDLE_TIMEOUT = 1
import checks.endpoints
""")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that has to survive all tests without an error."""
    with serve(tmp_path_factory.mktemp("hostile")) as service:
        yield service
        assert service.stop() == 0
        assert [line for line in service.lines if line["level"] in ("ERROR", "WARNING")] == []


def read_until(connection: socket.socket, end: bytes) -> bytes:
    """Read up to these bytes or more."""
    received = b""
    while end not in received:
        part = connection.recv(65_536)
        assert part, received
        received += part
    return received


BEHIND = {
    "garbage": b"garbage\r\n\r\n",
    "bad body": CHUNKED + b"zz\r\n",
    "handshake": HANDSHAKE % b"/echo",
    "upgrade": UPGRADE + GET % b"/hello",
}


@pytest.mark.parametrize("behind", BEHIND.values(), ids=BEHIND)
def test_what_follows_a_request_does_not_disturb_it(behind: bytes, service: Service) -> None:
    """The response to a valid request is complete and comes first."""
    before = len(service.all("log request", path_with_query="/slow?seconds=0.2"))
    with service.connect() as connection:
        connection.sendall(GET % b"/slow?seconds=0.2" + behind)
        received = read_until(connection, b'{"seconds":0.2}')
    assert received.startswith(b"HTTP/1.1 200 ")
    assert received.partition(b'{"seconds":0.2}')[0].count(b"HTTP/1.1 ") == 1
    line = service.wait_for("log request", before + 1, path_with_query="/slow?seconds=0.2")
    assert line["status_code"] == 200
    assert "disconnected" not in line


@pytest.mark.parametrize("path", [b"/stream/endless", b"/stream/silent", b"/stream/deaf"])
def test_a_client_that_leaves_with_requests_behind(path: bytes, service: Service) -> None:
    """The running request is disconnected, even if others wait behind it on the connection."""
    with service.connect() as connection:
        connection.sendall(GET % path)
        connection.recv(100)
        connection.sendall(GET % b"/hello" * 3)
        time.sleep(0.1)  # or they would not wait behind it
        reset(connection)
    line = service.wait_for("log request", path_with_query=path.decode())
    assert (line["status_code"], line["disconnected"]) == (200, True)


def send_until_refused(connection: socket.socket, data: bytes, limit: int) -> int:
    """Send the same bytes until the service closes the connection or does not read any more."""
    connection.settimeout(1)
    sent = 0
    with suppress(OSError):
        while sent < limit:
            sent += connection.send(data)
    return sent


ENDLESS = {
    "header": b"GET / HTTP/1.1\r\nx: ",
    "target": b"GET /",
    "chunk extension": CHUNKED + b"1;",
    "trailer": CHUNKED + b"1\r\nx\r\n0\r\nx: ",
}


@pytest.mark.parametrize("begin", ENDLESS.values(), ids=ENDLESS)
def test_an_endless_head_is_refused(begin: bytes, service: Service) -> None:
    """What the service would have to keep until its end has a limit."""
    with service.connect() as connection:
        connection.sendall(begin)
        assert send_until_refused(connection, b"x" * 65_536, 64 * MEGABYTE) < 64 * MEGABYTE


MANY = {
    "requests": (b"", GET % b"/slow?seconds=0.05" * 1_000),
    "pings": (HANDSHAKE % b"/echo", b"\x89\xfd\0\0\0\0" + b"x" * 125),
}


@pytest.mark.parametrize(("begin", "repeated"), MANY.values(), ids=MANY)
def test_a_client_that_does_not_read(begin: bytes, repeated: bytes, tmp_path: Path) -> None:
    """It cannot make the service keep any number of requests or pongs."""
    # Coverage data must not count as memory of the service.
    with serve(tmp_path, COVERAGE_PROCESS_CONFIG="") as service, service.connect() as connection:
        connection.sendall(begin or GET % b"/hello")
        connection.recv(1_000)
        before = resident(service)
        send_until_refused(connection, repeated * 200, 64 * MEGABYTE)
        assert resident(service) - before < 16 * MEGABYTE
        assert service.get("/hello").status_code == 200


@pytest.mark.parametrize("headers", [b"content-length: 3\r\n", b"transfer-encoding: chunked\r\n"])
def test_a_handshake_with_a_body_is_refused(headers: bytes, service: Service) -> None:
    """The client receives a 400 and the end of the connection."""
    head = (HANDSHAKE % b"/echo").removesuffix(b"\r\n") + headers + b"\r\n"
    assert service.send(head + b"3\r\nabc\r\n0\r\n\r\n").startswith(b"HTTP/1.1 400 ")


NOT_UTF8, CLOSE = b"\x81\x82\0\0\0\0\xff\xff", b"\x88\x82\0\0\0\0\x03\xe8"
FRAMES = {
    "not UTF-8": NOT_UTF8,
    "not UTF-8, then a close": NOT_UTF8 + CLOSE,
    "not UTF-8, twice": NOT_UTF8 * 2,
    "close, then more": CLOSE + NOT_UTF8 + CLOSE,
    "no mask": b"\x81\x01x",
}


@pytest.mark.parametrize("frames", FRAMES.values(), ids=FRAMES)
def test_frames_that_break_the_protocol(frames: bytes, service: Service) -> None:
    """The service closes the connection, and the line is no ERROR."""
    before = len(service.all("log websocket"))
    with service.connect() as connection:
        connection.sendall(HANDSHAKE % b"/echo")
        read_until(connection, b"\r\n\r\n")
        connection.sendall(frames)
        with suppress(ConnectionError):
            read_all(connection)
    assert service.wait_for("log websocket", before + 1)["level"] == "INFO"


def test_frames_during_the_handshake(service: Service) -> None:
    """A client that does not wait for the response to its handshake gets a 400."""
    before, begun = len(service.all("log websocket")), len(service.all("late begins"))
    with service.connect() as connection:
        connection.sendall(HANDSHAKE % b"/late")
        service.wait_for("late begins", begun + 1)
        connection.sendall(NOT_UTF8)
        assert connection.recv(1_000).startswith(b"HTTP/1.1 400 ")
    line = service.wait_for("log websocket", before + 1)
    assert (line["level"], line["close_code"]) == ("INFO", 1006)


def test_frames_with_the_handshake(service: Service) -> None:
    """The same if they arrive together."""
    assert service.send(HANDSHAKE % b"/echo" + NOT_UTF8).startswith(b"HTTP/1.1 400 ")


def test_a_client_of_http_1_0(service: Service) -> None:
    """A stream to a client of HTTP/1.0 has no chunks, and ends with the connection."""
    assert service.send(b"GET /hello HTTP/1.0\r\n\r\n").endswith(b'World"}')
    answer = service.send(b"GET /stream/numbers HTTP/1.0\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"transfer-encoding" not in head.lower()
    assert body == b"0123456789"


STALLED: dict[str, list[bytes]] = {
    "nothing": [],
    "slow head": [b"GET /hello HTTP/1.1\r\nx: ", *[b"x"] * 100],
    "slow second head": [GET % b"/hello", b"GET /hello HTTP/1.1\r\nx: ", *[b"x"] * 100],
}


@pytest.mark.parametrize("parts", STALLED.values(), ids=STALLED)
def test_a_stalled_client(parts: list[bytes], tmp_path: Path) -> None:
    """A connection without a complete request is closed in time, even if bytes drip in."""
    with serve(tmp_path, *SHORT_IDLE_TIMEOUT) as service, service.connect() as connection:
        threading.Thread(target=drip, args=[connection, parts], daemon=True).start()
        begin = time.monotonic()
        with suppress(ConnectionError):
            read_all(connection)
        assert time.monotonic() - begin < 5


def drip(connection: socket.socket, parts: list[bytes]) -> None:
    """Send parts slowly."""
    with suppress(OSError):
        for part in parts:
            connection.sendall(part)
            time.sleep(0.1)


def test_a_websocket_during_the_stop(tmp_path: Path) -> None:
    """A handshake on a connection that a proxy kept does not delay the stop."""
    with serve(tmp_path, SHUTDOWN_DELAY="1") as service, service.connect() as connection:
        connection.sendall(GET % b"/hello")
        read_until(connection, b"World")
        service.signal()
        refused(service)
        connection.sendall(HANDSHAKE % b"/echo")
        assert connection.recv(1_000).startswith(b"HTTP/1.1 500 ")
        assert service.wait() == 0
        assert service.wait_for("log websocket")["close_code"] == 1001


def refused(service: Service) -> None:
    """Wait until the service accepts no connections, and has closed its WebSockets."""
    end = time.monotonic() + SECONDS
    with suppress(OSError):
        while time.monotonic() < end:
            service.connect().close()
            time.sleep(0.01)
    time.sleep(0.1)
