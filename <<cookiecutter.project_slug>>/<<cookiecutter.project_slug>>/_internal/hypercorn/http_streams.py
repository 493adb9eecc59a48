"""Requests in Hypercorn 0.18, with bugs around their end corrected."""

import asyncio
from contextlib import suppress
from typing import Any

from h2.errors import ErrorCodes
from h2.exceptions import ProtocolError
from hypercorn.protocol.events import Body, EndBody, StreamClosed
from hypercorn.protocol.events import Event as StreamEvent
from hypercorn.protocol.h2 import H2Protocol, StreamBuffer
from hypercorn.protocol.http_stream import ASGIHTTPState, HTTPStream
from typing_extensions import override

from ..asgi.http_exchange import CLIENT_DISCONNECTED, CLIENT_HALF_CLOSED
from .inbox import Inbox, discard_unread


class HttpStream(HTTPStream):
    """A request that always receives its disconnect and marks its scope when the client leaves.

    Hypercorn waits forever to deliver the disconnect to an application that has left more than
    `max_app_queue_size` pieces of the body unread.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.app_put: Any = None  # until the application starts

    @override
    async def handle(self, event: StreamEvent) -> None:
        if not isinstance(event, StreamClosed):
            await super().handle(event)
            return
        self.closed = True
        if self.app_put:
            await self._disconnect()

    async def _disconnect(self) -> None:
        if self.state is not ASGIHTTPState.CLOSED:
            self._note(CLIENT_HALF_CLOSED)
            self._note_if_lost()
        discard_unread(self.app_put)
        await self.app_put({"type": "http.disconnect"})

    def client_left(self) -> None:
        """Send the application a disconnect, if it has room: its client sends nothing more."""
        with suppress(asyncio.QueueFull):
            self.app_put.__self__.put_nowait({"type": "http.disconnect"})
        self._note(CLIENT_HALF_CLOSED)

    @override
    async def app_send(self, message: Any) -> None:
        await super().app_send(message)
        if self.closed and self.state is not ASGIHTTPState.CLOSED:
            self._note_if_lost()

    def _note_if_lost(self) -> None:
        if self._is_lost():
            self._note(CLIENT_DISCONNECTED)

    def _is_lost(self) -> bool:
        """Return whether the client can no longer receive; after a half-close it still can."""
        connection: Any = self.send.__self__.send.__self__  # type: ignore[attr-defined]
        return bool(connection.writer.transport.is_closing())

    def _note(self, name: str) -> None:
        self.scope[name] = True  # type: ignore[literal-required]


class Http2Stream(HttpStream):
    """A stream that is reset if its response breaks off (HTTP/2 only).

    Hypercorn leaves its client waiting.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._inbox = Inbox(self, super().handle)

    @override
    async def handle(self, event: StreamEvent) -> None:
        if isinstance(event, Body) or (isinstance(event, EndBody) and self._inbox.is_used):
            self._inbox.put(event)
        else:
            await super().handle(event)

    @override
    async def app_send(self, message: Any) -> None:
        if message is None and not self.closed and self.state is ASGIHTTPState.RESPONSE:
            await self._reset()
        await super().app_send(message)

    @override
    def _is_lost(self) -> bool:
        return True

    async def _reset(self) -> None:
        connection: H2Protocol = self.send.__self__  # type: ignore[attr-defined]
        buffer: StreamBuffer = connection.stream_buffers[self.stream_id]
        if buffer.buffer:
            await buffer.drain()
        with suppress(ProtocolError):  # the stream is already closed
            connection.connection.reset_stream(self.stream_id, ErrorCodes.INTERNAL_ERROR)
        await connection._flush()
        # The sending task finds nothing to send and discards the stream.
        await buffer.close()
        connection.priority.unblock(self.stream_id)
        await connection.has_data.set()
