"""Requests and WebSockets as Hypercorn 0.18 sees them, with its errors at their ends corrected."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any, cast

from h2.errors import ErrorCodes
from h2.exceptions import ProtocolError
from hypercorn.protocol.events import Body, Data, EndBody, Request, StreamClosed
from hypercorn.protocol.events import Event as StreamEvent
from hypercorn.protocol.h2 import H2Protocol
from hypercorn.protocol.http_stream import ASGIHTTPState, HTTPStream
from hypercorn.protocol.ws_stream import ASGIWebsocketState, WSStream
from wsproto.events import CloseConnection, Pong
from wsproto.extensions import PerMessageDeflate
from wsproto.frame_protocol import CloseReason
from wsproto.handshake import server_extensions_handshake

from .exchange import CLIENT_LEFT, CLIENT_LOST

_GOING_AWAY = int(CloseReason.GOING_AWAY)
_PIECE = 8 * 1024


async def in_pieces(data: bytes) -> AsyncIterator[bytes]:
    """Cut what was received, and let other connections have their turn after each piece.

    The smallest frames have six bytes: thousands of them arrive at once.
    """
    for start in range(0, len(data), _PIECE):
        if start:
            await asyncio.sleep(0)
        yield data[start : start + _PIECE]


class HttpStream(HTTPStream):
    """A request that always hears of its end, and whose scope tells whether its client is there.

    Hypercorn waits for ever when it wants to tell an application of the end that has left more than
    `max_app_queue_size` pieces of the body unread.
    """

    app_put: Any = None  # until there is an application

    async def handle(self, event: StreamEvent) -> None:
        if not isinstance(event, StreamClosed):
            await super().handle(event)
            return
        self.closed = True
        if self.app_put:
            await self._disconnect()

    async def _disconnect(self) -> None:
        if self.state is not ASGIHTTPState.CLOSED:
            self._note(CLIENT_LEFT)
            self._note_if_lost()
        _make_room(self.app_put)
        await self.app_put({"type": "http.disconnect"})

    def client_left(self) -> None:
        """Tell the application, where it listens, that nothing more comes from its client."""
        with suppress(asyncio.QueueFull):
            self.app_put.__self__.put_nowait({"type": "http.disconnect"})
        self._note(CLIENT_LEFT)

    async def app_send(self, message: Any) -> None:
        await super().app_send(message)
        if self.closed and self.state is not ASGIHTTPState.CLOSED:
            self._note_if_lost()

    def _note_if_lost(self) -> None:
        if self._is_lost():
            self._note(CLIENT_LOST)

    def _is_lost(self) -> bool:
        """Return whether the client receives nothing any more; after a half-close it still reads."""
        connection: Any = self.send.__self__.send.__self__  # type: ignore[attr-defined]
        return bool(connection.writer.transport.is_closing())

    def _note(self, name: str) -> None:
        self.scope[name] = True  # type: ignore[literal-required]


class Inbox:
    """What has come on a stream of HTTP/2, for an application that reads at its own pace.

    Hypercorn reads nothing more of a connection while one of its applications does not read: no other
    request, and not even what would let the response of this one go on. Here only its own client has
    to wait, whose window is opened as far as the application has read.

    Args:
        stream: whose it is.
        take: passes an event to the application, and waits until there is room for it.
    """

    def __init__(
        self, stream: HTTPStream | WSStream, take: Callable[[StreamEvent], Awaitable[None]]
    ) -> None:
        self._stream = stream
        self._take = take
        self._data = bytearray()
        self._is_complete = False
        self._is_busy = False
        self.is_used = False

    def put(self, event: Body | EndBody) -> None:
        """Pass an event on when the application has taken what came before."""
        if isinstance(event, Body):
            self._data += event.data
        else:
            self._is_complete = True
        self.is_used = True
        if not self._is_busy:
            self._is_busy = True
            self._stream.task_group.spawn(self._empty)

    async def _empty(self) -> None:
        stream_id = self._stream.stream_id
        connection: H2Protocol = self._stream.send.__self__  # type: ignore[attr-defined]
        while self._data:
            data, self._data = bytes(self._data), bytearray()
            await self._take(Body(stream_id=stream_id, data=data))
            connection.connection.acknowledge_received_data(len(data), stream_id)
            await connection._flush()
        if self._is_complete:
            await self._take(EndBody(stream_id=stream_id))
        self._is_busy = False


class Http2Stream(HttpStream):
    """A response that is reset when it breaks off; Hypercorn lets its client wait for the rest."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._inbox = Inbox(self, super().handle)

    async def handle(self, event: StreamEvent) -> None:
        if isinstance(event, Body) or (isinstance(event, EndBody) and self._inbox.is_used):
            self._inbox.put(event)
        else:
            await super().handle(event)

    async def app_send(self, message: Any) -> None:
        if message is None and not self.closed and self.state is ASGIHTTPState.RESPONSE:
            await self._reset()
        await super().app_send(message)

    def _is_lost(self) -> bool:
        return True

    async def _reset(self) -> None:
        connection: H2Protocol = self.send.__self__  # type: ignore[attr-defined]
        buffer = connection.stream_buffers[self.stream_id]
        if buffer.buffer:
            await buffer.drain()
        with suppress(ProtocolError):  # the client was faster
            connection.connection.reset_stream(self.stream_id, ErrorCodes.INTERNAL_ERROR)
        await connection._flush()
        # The task that sends finds nothing to send, and forgets the stream.
        await buffer.close()
        connection.priority.unblock(self.stream_id)
        await connection.has_data.set()


def _make_room(put: Any) -> None:
    """Forget what the application has left unread, where that leaves no room for two messages more.

    One is the end; the other can be on its way, and would wait for room forever.
    """
    queue: asyncio.Queue[object] = put.__self__
    if queue.qsize() > queue.maxsize - 2:
        while not queue.empty():
            queue.get_nowait()


async def _forget(message: object) -> None:
    """Discard messages for an application that has ended."""


class ConnectionGone(OSError):
    """The client cannot receive any more."""

    def __init__(self, close_code: int) -> None:
        super().__init__("the connection is closed")
        self.close_code = close_code


class WebSocketStream(WSStream):
    """A WebSocket that says with which code it was closed, and always ends.

    Hypercorn's code is always 1006 (pgjones/hypercorn #127), and an endpoint that only sends would
    never hear that its client has gone. After a handshake that it refuses, and a message that is too
    big, Hypercorn waits for a client that need not close the connection.
    """

    _close_code = int(CloseReason.ABNORMAL_CLOSURE)
    _gone = False
    _ended = False
    _answering = False

    async def handle(self, event: StreamEvent) -> None:
        if isinstance(event, StreamClosed):
            await self._end()
        elif isinstance(event, Body | Data):
            await self._receive(event.data)
        else:
            request = cast(Request, event)
            await super().handle(replace(request, headers=_readable(request.headers)))
            if not _is_understood(self.handshake.extensions):
                self.handshake.extensions = None
            await self._end_if_refused()

    async def _receive(self, data: bytes) -> None:
        if self.handshake.accepted:
            async for piece in in_pieces(data):
                await super().handle(Data(stream_id=self.stream_id, data=piece))
                await self._end_if_refused()
        elif not (self.closed or self._answering):
            # First, or the application would answer as well.
            self.closed = True
            await self._send_error_response(400)
            await self._end_if_refused()

    async def _end_if_refused(self) -> None:
        too_big = self.buffer.length > self.buffer.max_length
        if (self.closed or too_big) and not self._ended:
            await self.send(StreamClosed(stream_id=self.stream_id))

    async def _end(self) -> None:
        self.closed = self._ended = True
        self.buffer.clear()
        if self.app_put:
            _make_room(self.app_put)
            await self._disconnect()
            self.app_put = _forget

    async def app_send(self, message: Any) -> None:
        """Pass a message to the client.

        Raises:
            ConnectionGone: the client or the service has closed the connection.
        """
        if message and (self.closed or self._gone):
            raise ConnectionGone(self._close_code)
        self._answering = True
        await super().app_send(message)

    async def go_away(self) -> None:
        """Close the connection because the service stops, and tell the application."""
        if self.closed:
            return
        self._gone = True
        self._close_code = _GOING_AWAY
        if self.state is ASGIWebsocketState.CONNECTED:
            close = {"type": "websocket.close", "code": _GOING_AWAY}
            # Neither waits for the other: the client may not read, or the application not listen.
            await asyncio.gather(super().app_send(close), self._disconnect())  # type: ignore[arg-type]

    async def _disconnect(self) -> None:
        assert self.app_put
        await self.app_put({"type": "websocket.disconnect", "code": self._close_code})

    async def _send_wsproto_event(self, event: Any) -> None:
        if self.closed:
            return
        if isinstance(event, CloseConnection):  # our own, or the answer to the client's
            self._close_code = int(event.code)
        if isinstance(event, Pong):
            await asyncio.sleep(0)  # pings come by the thousand
        await super()._send_wsproto_event(event)


class Http2WebSocketStream(WebSocketStream):
    """A WebSocket on a stream, which ends with what its client sends."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._inbox = Inbox(self, self._take)

    async def handle(self, event: StreamEvent) -> None:
        if isinstance(event, Body | EndBody):
            self._inbox.put(event)
        else:
            await super().handle(event)

    async def _take(self, event: StreamEvent) -> None:
        if isinstance(event, EndBody):
            connection: Any = self.send.__self__  # type: ignore[attr-defined]
            await connection.end_stream(self.stream_id)
        else:
            await super().handle(event)


def _readable(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Leave out those of a handshake that are no text, which Hypercorn fails to read."""
    return [
        (name, value)
        for name, value in headers
        if value.isascii() or not (name == b"connection" or name.startswith(b"sec-websocket-"))
    ]


def _is_understood(offers: list[str] | None) -> bool:
    try:
        server_extensions_handshake(offers or [], [PerMessageDeflate()])
    except ValueError:  # an invalid number
        return False
    return True
