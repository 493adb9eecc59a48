"""hypercorn_inbox.py, hypercorn_*_streams.py: flow control of HTTP/2, and how WebSockets end."""

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
from my_service._internal.hypercorn.inbox import discard_unread


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
    """Send the parts of a body."""
    for piece in pieces:
        client.protocol.send_data(stream, piece)
    if end:
        client.protocol.end_stream(stream)
    client.flush()


def test_an_unread_body_blocks_no_other_request(client: Http2Client) -> None:
    """An unread body waits in its stream, and the connection continues."""
    slow = client.begin(head(b"/slow?seconds=1"))
    send(client, slow, *[b"x"] * 50, end=True)
    assert isinstance(client.answer(client.ask(b"/hello")), ResponseReceived)
    assert slow not in [getattr(event, "stream_id", None) for event in client.events]
    assert isinstance(client.answer(slow), ResponseReceived)


def test_an_unread_body_does_not_block_its_response(client: Http2Client) -> None:
    """A window update that follows an unread body is read, so that the response completes."""
    stream = client.begin(head(b"/large?size=200000"))
    send(client, stream, *[b"x"] * 50, end=True)
    client.answer(stream, StreamEnded)
    assert client.received == b"x" * 200_000


def test_a_body_is_read_to_its_end(client: Http2Client) -> None:
    """A body arrives in order and complete, in parts of any size, while its window is updated."""
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


def test_unread_data_is_discarded(client: Http2Client) -> None:
    """Unread data is returned to the window of the connection, however much there is."""
    client.answer(client.ask(b"/hello"))  # after this response, the client knows the window
    # Together this is more than all streams may leave unread at a time.
    for _ in range(3):
        streams = [client.begin(head(b"/slow?seconds=0.2")) for _ in range(40)]
        for stream in streams:
            send(client, stream, *[b"x" * 1_000] * 60, end=True)
        for stream in streams:
            client.answer(stream, StreamEnded)
    assert client.protocol.outbound_flow_control_window > 1_000_000


def test_an_unread_websocket_blocks_no_other_request(client: Http2Client, service: Service) -> None:
    """Unread messages wait in their stream, and the connection continues."""
    stream = client.begin(websocket(b"/nap?unread"))
    client.answer(stream)
    send(client, stream, b"\x81\x81\x00\x00\x00\x00x" * 50)
    assert isinstance(client.answer(client.ask(b"/hello")), ResponseReceived)
    assert not service.all("log websocket", path_with_query="/nap?unread")
    service.wait_for("log websocket", path_with_query="/nap?unread")


def test_the_end_of_a_stream_ends_its_websocket(client: Http2Client, service: Service) -> None:
    """The WebSocket ends after all messages are read, without a close frame from the client."""
    stream = client.begin(websocket(b"/echo?end"))
    client.answer(stream)
    send(client, stream, b"\x81\x81\x00\x00\x00\x00x" * 3, end=True)
    reset = client.answer(stream, StreamReset)
    assert isinstance(reset, StreamReset)
    assert reset.error_code == ErrorCodes.CANCEL
    assert service.wait_for("log websocket", path_with_query="/echo?end")["close_code"] == 1006


def test_a_message_before_the_handshake(client: Http2Client) -> None:
    """It is refused once: a second head would break the header compression of all streams."""
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
    """Return a connection after its handshake."""
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
def test_a_refused_handshake_closes_the_connection(raw: bytes, service: Service) -> None:
    """The service closes the connection without waiting for the client."""
    with service.connect() as connection:
        connection.sendall(raw)
        assert read_all(connection).startswith(b"HTTP/1.1 400")


def test_data_after_a_refusal_is_ignored(service: Service) -> None:
    """The application's response is the only one."""
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
def test_an_invalid_offer_is_ignored(header: bytes, service: Service) -> None:
    """The handshake succeeds without the invalid extension or subprotocol."""
    opened(service, b"/echo", header).close()


def test_a_message_that_is_too_large(service: Service) -> None:
    """A message over the limit ends the connection and is not buffered further."""
    size = 17 * 1024 * 1024
    with opened(service, b"/echo?big") as connection:
        connection.sendall(b"\x82\xff" + struct.pack(">Q", size) + bytes(4) + bytes(size))
        assert read_all(connection).startswith(b"\x88\x02\x03\xf1")
    assert service.wait_for("log websocket", path_with_query="/echo?big")["close_code"] == 1009


@pytest.mark.parametrize("path", [b"/echo", b"/ticker"])
def test_a_flood_whose_client_disconnects(path: bytes, service: Service) -> None:
    """No pong is written to a lost connection: asyncio would warn of each."""
    connection = opened(service, path + b"?flood")
    connection.settimeout(0.5)
    pings = b"\x89\x80\x00\x00\x00\x00" * 100_000
    with suppress(TimeoutError):  # the client reads no pongs
        connection.sendall(pings)
    reset(connection)
    service.wait_for("log websocket", path_with_query=f"{path.decode()}?flood")
    assert {line["level"] for line in service.lines} == {"INFO"}


async def test_discard_unread_leaves_space_for_a_message_and_the_end() -> None:
    """A message that waits for space gets it, and so does the end of the stream."""
    queue: asyncio.Queue[int] = asyncio.Queue(10)
    for number in range(9):
        queue.put_nowait(number)
    discard_unread(queue.put)
    assert queue.empty()
    queue.put_nowait(0)
    discard_unread(queue.put)
    assert queue.qsize() == 1
