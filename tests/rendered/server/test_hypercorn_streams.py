"""hypercorn_inbox.py and the two hypercorn_…_streams.py: streams of HTTP/2 at their own pace, and how WebSockets end."""

import asyncio
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress

import pytest
from h2.errors import ErrorCodes
from h2.events import DataReceived, ResponseReceived, StreamEnded, StreamReset

from checks.http2 import Http2Client, head, websocket
from checks.served import Service, read_all, reset, serve
from my_service._internal.server.hypercorn_inbox import discard_unread


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with serve(tmp_path_factory.mktemp("streams")) as service:
        yield service
        assert service.stop() == 0
        assert {line["level"] for line in service.lines} == {"INFO"}


@pytest.fixture
def client(service: Service) -> Iterator[Http2Client]:
    client = Http2Client(service)
    yield client
    client.socket.close()


def send(client: Http2Client, stream: int, *pieces: bytes, end: bool = False) -> None:
    """Send the pieces of a body."""
    for piece in pieces:
        client.protocol.send_data(stream, piece)
    if end:
        client.protocol.end_stream(stream)
    client.flush()


def test_a_body_that_nobody_reads_stops_no_other_request(client: Http2Client) -> None:
    """It waits with its stream; the connection goes on."""
    slow = client.begin(head(b"/slow?seconds=1"))
    send(client, slow, *[b"x"] * 50, end=True)
    assert isinstance(client.answer(client.ask(b"/hello")), ResponseReceived)
    assert slow not in [getattr(event, "stream_id", None) for event in client.events]
    assert isinstance(client.answer(slow), ResponseReceived)


def test_a_body_that_nobody_reads_does_not_stop_its_response(client: Http2Client) -> None:
    """The client says behind the body how much of the response it can take."""
    stream = client.begin(head(b"/large?size=200000"))
    send(client, stream, *[b"x"] * 50, end=True)
    client.answer(stream, StreamEnded)
    assert client.received == b"x" * 200_000


def test_a_body_is_read_to_its_end(client: Http2Client) -> None:
    """In order, whatever its pieces are, and as far as the window is opened again."""
    stream = client.begin(head(b"/upload", b"POST"))
    size = 0
    for number in range(300):
        while client.protocol.local_flow_control_window(stream) < 1_000:
            client.protocol.receive_data(client.socket.recv(65_536))
        send(client, stream, b"x" * number, b"")
        size += number
    send(client, stream, end=True)
    client.answer(stream, DataReceived)
    assert client.received == str(size).encode()


def test_what_nobody_has_read_is_forgotten(client: Http2Client) -> None:
    """The window of the connection is open for others, however much there was."""
    client.answer(client.ask(b"/hello"))  # by now the client knows how much it may send
    # Together more than all streams may have unread at a time.
    for _ in range(3):
        streams = [client.begin(head(b"/slow?seconds=0.2")) for _ in range(40)]
        for stream in streams:
            send(client, stream, *[b"x" * 1_000] * 60, end=True)
        for stream in streams:
            client.answer(stream, StreamEnded)
    assert client.protocol.outbound_flow_control_window > 1_000_000


def test_a_websocket_that_nobody_reads_stops_no_other_request(
    client: Http2Client, service: Service
) -> None:
    """The same for messages."""
    stream = client.begin(websocket(b"/nap?unread"))
    client.answer(stream)
    send(client, stream, b"\x81\x81\x00\x00\x00\x00x" * 50)
    assert isinstance(client.answer(client.ask(b"/hello")), ResponseReceived)
    assert not service.all("log websocket", path_with_query="/nap?unread")
    service.wait_for("log websocket", path_with_query="/nap?unread")


def test_the_end_of_a_stream_ends_its_websocket(client: Http2Client, service: Service) -> None:
    """When all that came before is read; the client need not say goodbye."""
    stream = client.begin(websocket(b"/echo?end"))
    client.answer(stream)
    send(client, stream, b"\x81\x81\x00\x00\x00\x00x" * 3, end=True)
    reset = client.answer(stream, StreamReset)
    assert isinstance(reset, StreamReset)
    assert reset.error_code == ErrorCodes.CANCEL
    assert service.wait_for("log websocket", path_with_query="/echo?end")["close_code"] == 1006


def test_a_websocket_that_does_not_wait_for_its_handshake(client: Http2Client) -> None:
    """It is refused, once: a second head would break the compression of all others."""
    for stream in (1, 5, 9):
        client.protocol.send_headers(stream, websocket(b"/nap"))
        send(client, stream, b"\x81\x81\x00\x00\x00\x00x")
        client.answer(stream)
        assert isinstance(client.answer(client.ask(b"/hello")), ResponseReceived)


HANDSHAKE = (
    b"GET %s HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n%s"
    b"sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


def opened(service: Service, path: bytes, headers: bytes = b"") -> socket.socket:
    """Return a connection whose handshake is done."""
    connection = service.connect()
    connection.sendall(HANDSHAKE % (path, headers))
    assert connection.recv(1_000).startswith(b"HTTP/1.1 101")
    return connection


@pytest.mark.parametrize(
    "raw",
    [
        (HANDSHAKE % (b"/echo", b"")).replace(b"13", b"12"),
        (HANDSHAKE % (b"/echo", b"")).replace(b"connection: ", b"connection: \xff, "),
        HANDSHAKE % (b"/late", b"") + b"\x81\x81\x00\x00\x00\x00x",
    ],
    ids=["version", "no text", "too early"],
)
def test_a_refused_handshake_is_the_end(raw: bytes, service: Service) -> None:
    """The service closes the connection; the client need not."""
    with service.connect() as connection:
        connection.sendall(raw)
        assert read_all(connection).startswith(b"HTTP/1.1 400")


def test_data_behind_a_refusal_is_ignored(service: Service) -> None:
    """The answer is the application's, and the only one."""
    with service.connect() as connection:
        connection.sendall(HANDSHAKE % (b"/denied/slowly", b""))
        answer = connection.recv(1_000)
        connection.sendall(b"\x81\x81\x00\x00\x00\x00x")
        answer += read_all(connection)
    assert answer.startswith(b"HTTP/1.1 401")
    assert answer.count(b"HTTP/1.1") == 1
    assert b"67890" in answer


@pytest.mark.parametrize(
    "header",
    [
        b"sec-websocket-extensions: permessage-deflate; client_max_window_bits=x\r\n",
        b"sec-websocket-extensions: \xff\r\n",
        b"sec-websocket-protocol: \xff\r\n",
    ],
)
def test_a_wish_that_cannot_be_read_is_none(header: bytes, service: Service) -> None:
    """The handshake succeeds without it."""
    opened(service, b"/echo", header).close()


def test_a_message_that_is_too_big(service: Service) -> None:
    """It ends the connection, and does not grow any further."""
    size = 17 * 1024 * 1024
    with opened(service, b"/echo?big") as connection:
        connection.sendall(b"\x82\xff" + struct.pack(">Q", size) + bytes(4) + bytes(size))
        assert read_all(connection).startswith(b"\x88\x02\x03\xf1")
    assert service.wait_for("log websocket", path_with_query="/echo?big")["close_code"] == 1009


@pytest.mark.parametrize("path", [b"/echo", b"/ticker"])
def test_a_flood_whose_client_vanishes(path: bytes, service: Service) -> None:
    """No pong is written to nobody: asyncio would warn of each."""
    connection = opened(service, path + b"?flood")
    connection.settimeout(0.5)
    pings = b"\x89\x80\x00\x00\x00\x00" * 100_000
    with suppress(TimeoutError):  # it reads no pongs
        connection.sendall(pings)
    reset(connection)
    service.wait_for("log websocket", path_with_query=f"{path.decode()}?flood")
    assert {line["level"] for line in service.lines} == {"INFO"}


async def test_there_is_room_for_the_end_and_for_what_is_on_its_way() -> None:
    """A message that waits for room gets it, and the end beside it."""
    queue: asyncio.Queue[int] = asyncio.Queue(10)
    for number in range(9):
        queue.put_nowait(number)
    discard_unread(queue.put)
    assert queue.empty()
    queue.put_nowait(0)
    discard_unread(queue.put)
    assert queue.qsize() == 1
