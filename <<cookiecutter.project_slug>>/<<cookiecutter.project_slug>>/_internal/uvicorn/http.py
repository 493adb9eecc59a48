"""Requests as uvicorn 0.54 sees them, with its errors at their ends corrected."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from ..asgi.http_exchange import CLIENT_DISCONNECTED

HEAD_LIMIT = 64 * 1024  # bytes of a request's line and headers


class State(ServerState):
    """What the connections of a server share."""

    is_stopping = False


class HttpConnection(HttpToolsProtocol):
    """A connection that marks requests whose client has left, and ends when the service stops.

    uvicorn drops what is sent to a lost connection: an endpoint that ignores disconnects would
    stream forever. It keeps connections without a request, and heads of any size, without a limit.
    """

    server_state: State
    _head_size = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._expect_request()

    def data_received(self, data: bytes) -> None:
        """Handle a part of a request."""
        super().data_received(data)
        if self in self.connections and not self._is_busy():
            self._expect_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """Mark the request in flight."""
        if self._is_busy():
            scope: Any = self.cycle.scope
            scope[CLIENT_DISCONNECTED] = True
        super().connection_lost(exc)
        self._unset_keepalive_if_required()

    def announce_end(self) -> None:
        """Close the connection after the response in flight."""
        if self._is_busy():
            self.cycle.keep_alive = False

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self._head_size = 0

    def on_url(self, url: bytes) -> None:
        """Handle a part of the request's target."""
        self._count(url)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Handle a header."""
        self._count(name + value)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Start the request, unless it is the preface of HTTP/2."""
        if self.parser.get_method() == b"PRI":
            raise ValueError("HTTP/2 is not supported")
        before = self.cycle
        super().on_headers_complete()
        if self.server_state.is_stopping and self.cycle is not before:
            self.cycle.keep_alive = False

    def _count(self, part: bytes) -> None:
        self._head_size += len(part)
        if self._head_size > HEAD_LIMIT:
            raise ValueError("the head of a request is too long")

    def _is_busy(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _expect_request(self) -> None:
        self._unset_keepalive_if_required()
        self.timeout_keep_alive_task = self.loop.call_later(
            self.timeout_keep_alive, self.timeout_keep_alive_handler
        )
