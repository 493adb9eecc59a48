"""hypercorn_patches.py: what unpatched Hypercorn gets wrong; WebSockets have a separate file."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from h2.errors import ErrorCodes
from h2.events import ResponseReceived, StreamReset
from hyperframe.frame import Frame, GoAwayFrame, PriorityFrame, RstStreamFrame

from checks.http2 import HEAD, Head, Http2Client, head, websocket
from checks.served import Service, read_all, reset, serve


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with serve(tmp_path_factory.mktemp("connections")) as service:
        yield service
        assert service.stop() == 0  # nothing is left that would delay the stop


def test_closed_connections_are_released(service: Service) -> None:
    """Hypercorn would keep each connection and its descriptor until its keep-alive ends."""
    descriptors = Path(f"/proc/{service.process.pid}/fd")
    if not descriptors.exists():
        pytest.skip("needs /proc")
    service.get("/hello")
    before = len([*descriptors.iterdir()])
    for _ in range(20):
        service.get("/hello")
    assert len([*descriptors.iterdir()]) < before + 10


@pytest.mark.parametrize("size", [1000, 100_000])
def test_a_half_closed_connection_gets_the_whole_response(size: int, service: Service) -> None:
    """The service sends everything to a half-closed client, such as netcat, and then closes."""
    with service.connect() as connection:
        connection.sendall(b"GET /large?size=%d HTTP/1.1\r\nhost: a\r\n\r\n" % size)
        connection.shutdown(1)
        received = read_all(connection)
    assert received.endswith(b"\r\n\r\n" + b"x" * size)


def test_pipelined_requests_are_all_answered(service: Service) -> None:
    """Pipelined requests are all answered, even if their client has stopped sending."""
    with service.connect() as connection:
        connection.sendall(b"GET /hello HTTP/1.1\r\nhost: a\r\n\r\n" * 3)
        connection.shutdown(1)
        received = read_all(connection)
    assert received.count(b"HTTP/1.1 200") == 3


def test_h2c_upgrades_are_ignored(service: Service) -> None:
    """An HTTP/1.1 request for an upgrade to HTTP/2 gets an ordinary response."""
    upgrade = b"connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n"
    with service.connect() as connection:
        connection.sendall(b"GET /hello HTTP/1.1\r\nhost: a\r\n" + upgrade + b"\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 200")


def test_slow_requests_in_a_row_are_all_answered(service: Service) -> None:
    """A request that waits for its turn is answered, even if its client has stopped sending."""
    with service.connect() as connection:
        connection.sendall(b"GET /slow?seconds=2.5 HTTP/1.1\r\nhost: a\r\n\r\n")
        connection.sendall(b"GET /hello HTTP/1.1\r\nhost: a\r\n\r\n")
        time.sleep(1.2)
        connection.shutdown(1)
        received = read_all(connection)
    assert received.count(b"HTTP/1.1 200") == 2


@pytest.mark.parametrize(
    ("size", "leave"),
    [(0, socket.socket.close), (0, reset), (8_000_000, socket.socket.close)],
    ids=["close", "reset", "overrun"],
)
def test_a_disconnect_with_a_request_waiting(
    size: int, leave: Callable[[socket.socket], None], tmp_path: Path
) -> None:
    """While another request waits, the request in progress still gets the disconnect."""
    with serve(tmp_path) as service:
        connection = service.connect()
        connection.sendall(b"GET /stream/silent HTTP/1.1\r\nhost: a\r\n\r\n")
        assert connection.recv(100)
        connection.settimeout(0.5)
        with suppress(TimeoutError):  # the service does not read this much
            connection.sendall(b"POST /upload HTTP/1.1\r\nhost: a\r\n" + b"x" * size)
        service.get("/hello")  # after this response, the bytes above have been read
        leave(connection)
        line = service.wait_for("log request", path_with_query="/stream/silent")
        assert (line["level"], line["disconnected"]) == ("INFO", True)
        assert service.stop() == 0


FAILURES = {
    "connection": """
from my_service._internal.hypercorn.http2 import Http2Connection
async def fail(self, event):
    raise ValueError("broken server")
Http2Connection._receive = fail
""",
    "stream": """
from hypercorn.protocol import http_stream
def fail(config, request):
    if request.raw_path == b"/upload":
        raise ValueError("broken server")
    return True
http_stream.valid_server_name = fail
""",
}
FIRST = "import my_service._internal.early"
SERVE = """
import runpy, checks.endpoints
runpy.run_module("my_service", run_name="__main__")
"""


@pytest.mark.parametrize("failure", FAILURES)
def test_a_failing_connection(failure: str, tmp_path: Path) -> None:
    """All its requests are disconnected, one line says why, and the service stops normally."""
    with serve(tmp_path, "-c", FIRST + FAILURES[failure] + SERVE) as service:
        client = Http2Client(service)
        with client.socket as connection:
            silent = [client.ask(b"/stream/silent") for _ in range(3)]
            for stream in silent:
                client.answer(stream)
            client.ask(b"/upload", b"POST", body=b"x")
            with suppress(ConnectionError):  # the connection is reset if it has unread data
                read_all(connection)
        service.wait_for("log request", 3, path_with_query="/stream/silent", disconnected=True)
        [line] = [line for line in service.lines if line["level"] == "ERROR"]
        assert line["message"] == "connection failed"
        assert "ValueError: broken server" in line["exception"]
        assert service.stop() == 0


def test_data_after_goaway_is_not_read(client: Http2Client, service: Service) -> None:
    """GOAWAY ends the connection, however much data follows."""
    client.protocol.close_connection()
    client.socket.sendall(client.protocol.data_to_send() + bytes(8 * 1024 - 50))
    client.socket.sendall(bytes(60_000))
    with suppress(ConnectionError):
        read_all(client.socket)
    assert service.get("/hello").status_code == 200


@pytest.mark.parametrize("path", ["/stream/deaf", "/stream/endless"])
def test_nothing_is_written_to_a_lost_connection(path: str, tmp_path: Path) -> None:
    """A lost connection gets no more writes; asyncio would warn of each."""
    with serve(tmp_path) as service:
        connection = service.connect()
        connection.sendall(b"GET %s HTTP/1.1\r\nhost: a\r\n\r\n" % path.encode())
        assert connection.recv(100)
        reset(connection)
        assert service.wait_for("log request")["disconnected"]
        assert {line["level"] for line in service.lines} == {"INFO"}
        assert service.stop() == 0


def test_an_unread_body(service: Service) -> None:
    """An endpoint can respond without reading the body; the request and the connection end."""
    with service.connect() as connection:
        connection.sendall(b"GET /slow?seconds=0.5 HTTP/1.1\r\nhost: a\r\nx-request-id: unread\r\n")
        connection.sendall(b"transfer-encoding: chunked\r\n\r\n")
        service.wait_for("slow begins", request_id="unread")
        connection.sendall(b"1\r\nx\r\n" * 50)
        answer = read_all(connection)
    assert answer.startswith(b"HTTP/1.1 200")
    assert service.wait_for("log request", request_id="unread")["status_code"] == 200


def test_unread_messages(service: Service) -> None:
    """A WebSocket endpoint can return without reading its messages."""
    with service.connect() as connection:
        connection.sendall(
            b"GET /nap HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
            b"sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        service.wait_for("accepted", path="/nap")
        connection.sendall(b"\x81\x81\x00\x00\x00\x00x" * 50)
        read_all(connection)
    assert service.wait_for("log websocket", path_with_query="/nap")["close_code"] == 1000


@pytest.fixture
def client(service: Service) -> Iterator[Http2Client]:
    client = Http2Client(service)
    yield client
    client.socket.close()


def test_a_response_before_the_body(client: Http2Client, service: Service) -> None:
    """A response before the end of the body does not affect other requests on the connection."""
    other = client.ask(b"/slow?seconds=0.5")
    stream = client.ask(b"/nowhere", b"POST", body=b"x" * 60_000)
    assert isinstance(client.answer(stream), ResponseReceived)
    # After this response, the service has forgotten the other stream.
    assert isinstance(client.answer(client.ask(b"/hello")), ResponseReceived)
    client.protocol.send_data(stream, b"x" * 5_000)
    client.socket.sendall(client.protocol.data_to_send())
    assert isinstance(client.answer(other), ResponseReceived)
    assert isinstance(client.answer(client.ask(b"/hello")), ResponseReceived)
    assert not [line for line in service.lines if line["level"] == "ERROR"]


def test_bytes_that_are_not_text(client: Http2Client, service: Service) -> None:
    """In a query they reach the application; in a path they are refused, without side effects."""
    assert isinstance(client.answer(client.ask(b"/hello?a=\xff&token=\xfe")), ResponseReceived)
    service.wait_for("log request", path_with_query=r"/hello?a=\xff&token=***")
    assert isinstance(client.answer(client.ask(b"/\xff")), StreamReset)
    assert isinstance(client.answer(client.ask(b"/hello")), ResponseReceived)
    assert not [line for line in service.lines if line["level"] == "ERROR"]


@pytest.mark.parametrize(
    "head",
    [
        [(b":method", b"CONNECT"), (b":authority", b"a")],
        [*head(b"/echo", b"CONNECT"), (b":protocol", b"other")],
        head(b"/hello", b"G\xff"),
    ],
    ids=["connect", "protocol", "method"],
)
def test_an_invalid_request(head: Head, client: Http2Client, service: Service) -> None:
    """An invalid request is refused and breaks no other."""
    slow = client.ask(b"/slow?seconds=0.3")
    refused = client.answer(client.begin(head, end_stream=True))
    assert isinstance(refused, StreamReset)
    assert refused.error_code == ErrorCodes.PROTOCOL_ERROR
    assert isinstance(client.answer(slow), ResponseReceived)
    assert not [line for line in service.lines if line["level"] == "ERROR"]


def test_cancelled_requests(tmp_path: Path) -> None:
    """Each of many cancelled requests has one INFO line, and none breaks another."""
    taken_back = 2_000
    with serve(tmp_path) as service:
        client = Http2Client(service)
        slow = client.ask(b"/slow?seconds=1")
        for _ in range(taken_back):
            number = client.protocol.get_next_available_stream_id()
            client.protocol.send_headers(number, head(b"/slow?seconds=0.1"), end_stream=True)
            client.protocol.reset_stream(number, ErrorCodes.CANCEL)
        with client.socket:
            client.flush()
            assert isinstance(client.answer(slow), ResponseReceived)
            service.wait_for("log request", taken_back + 1)
        assert service.stop() == 0
        expected = {"level": "INFO", "status_code": 499, "disconnected": True}
        assert len(service.all("log request", **expected)) == taken_back
        assert not [line for line in service.lines if line["level"] != "INFO"]


def test_priorities_are_not_stored(client: Http2Client) -> None:
    """Any number of priorities for streams that do not exist is ignored."""
    priorities = [PriorityFrame(number, depends_on=1).serialize() for number in range(3, 4_000, 2)]
    client.socket.sendall(client.protocol.data_to_send() + b"".join(priorities))
    assert isinstance(client.answer(client.ask(b"/hello")), ResponseReceived)


def test_data_sent_before_a_stream_breaks_arrives(client: Http2Client, service: Service) -> None:
    """The reset waits for a client that reads slowly."""
    # More than a client's first window, but not enough to block the endpoint.
    stream = client.ask(b"/stream/broken?chunks=1&size=70000")
    service.wait_for("unhandled exception")
    assert isinstance(client.answer(stream, StreamReset), StreamReset)
    assert client.received == b"x" * 70_000


def frames(data: bytes) -> list[Frame]:
    """Return the complete frames in the bytes from a service."""
    found = []
    while len(data) >= 9:
        frame, length = Frame.parse_frame_header(memoryview(data[:9]))
        if len(data) < 9 + length:
            break
        frame.parse_body(memoryview(data[9 : 9 + length]))
        found.append(frame)
        data = data[9 + length :]
    return found


def ended(told: list[Frame]) -> set[int]:
    """Return the streams whose responses are complete."""
    return {frame.stream_id for frame in told if "END_STREAM" in frame.flags}


def test_a_stop_ends_a_connection_in_steps(tmp_path: Path) -> None:
    """GOAWAY is sent, late requests are refused, and the others are completed."""
    received, refused = b"", {}
    with serve(tmp_path) as service:
        client = Http2Client(service)
        with client.socket as connection:
            asked = {client.ask(b"/slow?seconds=3")}
            service.wait_for("slow begins")
            service.signal()
            while data := connection.recv(65_536):
                received += data
                told = frames(received)
                refused = {frame.stream_id: frame.error_code
                           for frame in told if isinstance(frame, RstStreamFrame)}  # fmt: skip
                if not refused:
                    asked.add(client.ask(b"/hello"))
        assert service.wait() == 0
    goodbyes = [frame.last_stream_id for frame in told if isinstance(frame, GoAwayFrame)]
    assert goodbyes == [2**31 - 1, max(asked)]
    assert set(refused.values()) == {ErrorCodes.REFUSED_STREAM}
    assert ended(told) == asked - {*refused}


def test_a_connection_opened_during_a_stop_gets_goaway(tmp_path: Path) -> None:
    """A request on a connection opened during a stop is answered, and GOAWAY is sent."""
    with serve(tmp_path, SHUTDOWN_DELAY="1") as service, service.client() as other:
        client = Http2Client(service)
        service.signal()
        while other.get("/hello").headers.get("connection") != "close":
            pass
        with client.socket as connection:
            stream = client.ask(b"/hello")
            received = read_all(connection)
        assert service.wait() == 0
    told = frames(received)
    assert [frame.last_stream_id for frame in told if isinstance(frame, GoAwayFrame)] == [2**31 - 1]
    assert stream in ended(told)


def test_a_client_that_sends_goaway_and_reads_slowly(tmp_path: Path) -> None:
    """The client does not block a stop."""
    with serve(tmp_path) as service:
        client = Http2Client(service)
        client.ask(b"/large?size=30000000")
        client.protocol.close_connection()
        client.socket.sendall(client.protocol.data_to_send())
        service.wait_for("log request")
        service.signal()
        service.wait_for("stopping")
        with client.socket as connection:
            read_all(connection)
        assert service.wait() == 0


@pytest.mark.parametrize("goodbye", [False, True])
def test_a_refused_request_breaks_no_other(goodbye: bool, tmp_path: Path) -> None:
    """A refused request breaks no other, even if its client has cancelled it."""
    with serve(tmp_path) as service:
        client = Http2Client(service)
        slow = client.ask(b"/slow?seconds=1")
        service.wait_for("slow begins")
        client.protocol.send_headers(3, HEAD)
        if goodbye:
            client.protocol.close_connection()
        else:
            client.protocol.reset_stream(3)
        service.signal()
        service.wait_for("stopping")
        time.sleep(0.3)  # until new requests are refused
        with client.socket as connection:
            connection.sendall(client.protocol.data_to_send())
            received = read_all(connection)
        assert service.wait() == 0
    assert goodbye or slow in ended(frames(received))


def test_a_websocket_reset_by_its_client(tmp_path: Path) -> None:
    """The connection of a reset WebSocket is idle and does not block a stop."""
    with serve(tmp_path, SHUTDOWN_TIMEOUT="5") as service:
        client = Http2Client(service)
        client.begin(websocket(b"/echo"))
        assert isinstance(client.answer(1), ResponseReceived)
        client.protocol.reset_stream(1)
        with client.socket as connection:
            connection.sendall(client.protocol.data_to_send())
            service.wait_for("log websocket")
            service.signal()
            read_all(connection)
        assert service.wait() == 0
