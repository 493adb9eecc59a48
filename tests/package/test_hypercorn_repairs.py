"""hypercorn_repairs.py: what would go wrong on connections without it; WebSockets have a file of theirs."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import DataReceived, Event, ResponseReceived, StreamReset
from hyperframe.frame import Frame, GoAwayFrame, RstStreamFrame

from .served import Service, read_all, serve


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with serve(tmp_path_factory.mktemp("connections")) as service:
        yield service
        assert service.stop() == 0  # nothing is left that would delay the end


def test_connections_that_were_closed_are_released(service: Service) -> None:
    """Hypercorn would keep each of them, and its file descriptor, until its keep-alive is over."""
    descriptors = Path(f"/proc/{service.process.pid}/fd")
    if not descriptors.exists():
        pytest.skip("needs /proc")
    service.get("/hello")
    before = len([*descriptors.iterdir()])
    for _ in range(20):
        service.get("/hello")
    assert len([*descriptors.iterdir()]) < before + 10


@pytest.mark.parametrize("size", [1000, 100_000])
def test_who_has_only_stopped_sending_gets_everything(size: int, service: Service) -> None:
    """Half of a connection may be closed, as netcat does; the service closes the other one."""
    with service.connect() as connection:
        connection.sendall(b"GET /large?size=%d HTTP/1.1\r\nhost: a\r\n\r\n" % size)
        connection.shutdown(1)
        received = read_all(connection)
    assert received.endswith(b"\r\n\r\n" + b"x" * size)


def test_pipelined_requests_are_all_answered(service: Service) -> None:
    """Also when their client has nothing more to say."""
    with service.connect() as connection:
        connection.sendall(b"GET /hello HTTP/1.1\r\nhost: a\r\n\r\n" * 3)
        connection.shutdown(1)
        received = read_all(connection)
    assert received.count(b"HTTP/1.1 200") == 3


def test_a_body_that_nobody_reads(service: Service) -> None:
    """An endpoint may answer without it; the request ends, and so does the connection."""
    with service.connect() as connection:
        connection.sendall(b"GET /slow?seconds=0.5 HTTP/1.1\r\nhost: a\r\nx-request-id: unread\r\n")
        connection.sendall(b"transfer-encoding: chunked\r\n\r\n")
        service.wait_for("slow begins", request_id="unread")
        connection.sendall(b"1\r\nx\r\n" * 50)
        answer = read_all(connection)
    assert answer.startswith(b"HTTP/1.1 200")
    assert service.wait_for("log request", request_id="unread")["status_code"] == 200


def test_messages_that_nobody_reads(service: Service) -> None:
    """The same for a WebSocket whose endpoint ends without having heard its client."""
    with service.connect() as connection:
        connection.sendall(
            b"GET /nap HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
            b"sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        service.wait_for("accepted", path="/nap")
        connection.sendall(b"\x81\x81\x00\x00\x00\x00x" * 50)
        read_all(connection)
    assert service.wait_for("log websocket", path_with_query="/nap")["close_code"] == 1000


class Http2Client:
    """One connection of HTTP/2, and a client that sends what others refuse to send."""

    def __init__(self, service: Service) -> None:
        config = H2Configuration(header_encoding=None, validate_outbound_headers=False)
        self.protocol = H2Connection(config)
        self.protocol.initiate_connection()
        self.socket = service.connect()
        self.events: list[Event] = []
        self.received = b""

    def ask(self, path: bytes, method: bytes = b"GET", *, body: bytes = b"") -> int:
        """Send a request, and return the number of its stream."""
        stream = self.protocol.get_next_available_stream_id()
        names = (b":method", b":path", b":scheme", b":authority")
        head = [*zip(names, (method, path, b"http", b"a"), strict=True)]
        self.protocol.send_headers(stream, head, end_stream=not body)
        for start in range(0, len(body), 10_000):
            self.protocol.send_data(stream, body[start : start + 10_000])
        self.socket.sendall(self.protocol.data_to_send())
        return stream

    def answer(self, stream: int, *kinds: type[Event]) -> Event:
        """Return the first event of these kinds about a stream: its head or its end."""
        while True:
            for event in self.events:
                kind = isinstance(event, kinds or (ResponseReceived, StreamReset))
                if kind and getattr(event, "stream_id", None) == stream:
                    return event
            data = self.socket.recv(65_536)
            assert data, "the service has closed the connection"
            for event in self.protocol.receive_data(data):
                self.events.append(event)
                if isinstance(event, DataReceived):
                    self.received += event.data
                    self.protocol.acknowledge_received_data(
                        event.flow_controlled_length, event.stream_id
                    )
            self.socket.sendall(self.protocol.data_to_send())


@pytest.fixture
def client(service: Service) -> Iterator[Http2Client]:
    client = Http2Client(service)
    yield client
    client.socket.close()


def test_an_answer_before_the_body_has_come(client: Http2Client, service: Service) -> None:
    """It costs nobody else on the connection his answer."""
    other = client.ask(b"/slow?seconds=0.5")
    stream = client.ask(b"/nowhere", b"POST", body=b"x" * 60_000)
    assert isinstance(client.answer(stream), ResponseReceived)
    # When this is answered, the service has forgotten the other stream.
    assert isinstance(client.answer(client.ask(b"/hello")), ResponseReceived)
    client.protocol.send_data(stream, b"x" * 5_000)
    client.socket.sendall(client.protocol.data_to_send())
    assert isinstance(client.answer(other), ResponseReceived)
    assert isinstance(client.answer(client.ask(b"/hello")), ResponseReceived)
    assert not [line for line in service.lines if line["level"] == "ERROR"]


def test_bytes_that_are_no_text(client: Http2Client, service: Service) -> None:
    """In a query they are the application's; in a path they are no request, and break no other."""
    assert isinstance(client.answer(client.ask(b"/hello?a=\xff&token=\xfe")), ResponseReceived)
    service.wait_for("log request", path_with_query=r"/hello?a=\xff&token=***")
    assert isinstance(client.answer(client.ask(b"/\xff")), StreamReset)
    assert isinstance(client.answer(client.ask(b"/hello")), ResponseReceived)
    assert not [line for line in service.lines if line["level"] == "ERROR"]


def test_what_was_sent_before_a_stream_broke_arrives(client: Http2Client, service: Service) -> None:
    """The reset waits for a client that reads slowly."""
    # More than a client's first window, but not so much that the endpoint has to wait for it.
    stream = client.ask(b"/stream/broken?chunks=1&size=70000")
    service.wait_for("unhandled exception")
    assert isinstance(client.answer(stream, StreamReset), StreamReset)
    assert client.received == b"x" * 70_000


def frames(data: bytes) -> list[Frame]:
    """Return the whole frames in what a service sent."""
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
    """The client is asked for no more requests; what comes too late is refused; the rest is done."""
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


def test_a_connection_that_begins_during_a_stop_is_asked_to_end(tmp_path: Path) -> None:
    """It is answered, and its client asked for no more requests."""
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


def test_a_client_that_says_goodbye_and_reads_slowly(tmp_path: Path) -> None:
    """It is not in the way of a stop."""
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
    """Not even where its client has taken it back."""
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
        time.sleep(0.3)  # until no request is taken any more
        with client.socket as connection:
            connection.sendall(client.protocol.data_to_send())
            received = read_all(connection)
        assert service.wait() == 0
    assert goodbye or slow in ended(frames(received))


HEAD = [(b":method", b"GET"), (b":path", b"/hello"), (b":scheme", b"http"), (b":authority", b"a")]


def test_a_websocket_that_its_client_resets(tmp_path: Path) -> None:
    """Its connection is idle again, and not in the way of a stop."""
    with serve(tmp_path, SHUTDOWN_TIMEOUT="5") as service:
        client = Http2Client(service)
        handshake = [(b":protocol", b"websocket"), (b"sec-websocket-version", b"13")]
        head = [(b":method", b"CONNECT"), (b":path", b"/echo"), *HEAD[2:], *handshake]
        client.protocol.send_headers(1, head)
        client.socket.sendall(client.protocol.data_to_send())
        assert isinstance(client.answer(1), ResponseReceived)
        client.protocol.reset_stream(1)
        with client.socket as connection:
            connection.sendall(client.protocol.data_to_send())
            service.wait_for("log websocket")
            service.signal()
            read_all(connection)
        assert service.wait() == 0
