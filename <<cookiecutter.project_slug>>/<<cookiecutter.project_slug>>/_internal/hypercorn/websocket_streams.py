"""WebSockets in Hypercorn 0.18, with bugs around their end corrected."""

import asyncio
from dataclasses import replace
from typing import Any, cast

from hypercorn.protocol.events import Body, Data, EndBody, Request, StreamClosed
from hypercorn.protocol.events import Event as StreamEvent
from hypercorn.protocol.ws_stream import ASGIWebsocketState, Handshake, WebsocketBuffer, WSStream
from typing_extensions import override
from wsproto.events import CloseConnection, Pong
from wsproto.extensions import PerMessageDeflate
from wsproto.frame_protocol import CloseReason
from wsproto.handshake import server_extensions_handshake

from ..asgi.websocket_exchange import ConnectionGone
from .inbox import Inbox, discard_unread, in_chunks

_GOING_AWAY = int(CloseReason.GOING_AWAY)


async def _forget(message: object) -> None:
    """Discard messages for a finished application."""


class WebSocketStream(WSStream):
    """A WebSocket that reports its close code and always ends.

    Hypercorn's code is always 1006 (pgjones/hypercorn #127), and it never notifies an endpoint that
    only sends that its client has gone. After a rejected handshake or a message that is too big,
    Hypercorn waits for the client to close the connection, which may never happen.
    """

    buffer: WebsocketBuffer
    handshake: Handshake
    _close_code = int(CloseReason.ABNORMAL_CLOSURE)
    _gone = False
    _ended = False
    _answering = False

    @override
    async def handle(self, event: StreamEvent) -> None:
        if isinstance(event, StreamClosed):
            await self._end()
        elif isinstance(event, Body | Data):
            await self._receive(event.data)
        else:
            request: Request = cast(Request, event)
            await super().handle(replace(request, headers=_readable(request.headers)))
            if not _is_understood(self.handshake.extensions):
                self.handshake.extensions = None
            await self._end_if_refused()

    async def _receive(self, data: bytes) -> None:
        if self.handshake.accepted:
            async for piece in in_chunks(data):
                await super().handle(Data(stream_id=self.stream_id, data=piece))
                await self._end_if_refused()
        elif not (self.closed or self._answering):
            # Set it first, or the application would respond too.
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
            discard_unread(self.app_put)
            await self._disconnect()
            self.app_put = _forget

    @override
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
        """Close the connection because the service stops, and notify the application."""
        if self.closed:
            return
        self._gone = True
        self._close_code = _GOING_AWAY
        if self.state is ASGIWebsocketState.CONNECTED:
            close = {"type": "websocket.close", "code": _GOING_AWAY}
            # Concurrently: the client may not read, or the application may not receive.
            await asyncio.gather(super().app_send(close), self._disconnect())  # type: ignore[arg-type]

    async def _disconnect(self) -> None:
        assert self.app_put
        await self.app_put({"type": "websocket.disconnect", "code": self._close_code})

    @override
    async def _send_wsproto_event(self, event: Any) -> None:
        if self.closed:
            return
        if isinstance(event, CloseConnection):  # the service's, or the reply to the client's
            self._close_code = int(event.code)
        if isinstance(event, Pong):
            await asyncio.sleep(0)  # pings can arrive by the thousand
        await super()._send_wsproto_event(event)


class Http2WebSocketStream(WebSocketStream):
    """A WebSocket that ends when its client ends the stream (HTTP/2 only)."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._inbox = Inbox(self, self._take)

    @override
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
    """Drop handshake headers that are not ASCII, which Hypercorn fails to parse."""
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
