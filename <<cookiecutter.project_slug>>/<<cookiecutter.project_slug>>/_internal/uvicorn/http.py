"""Requests as uvicorn 0.54 sees them, with its errors at their ends corrected."""

import asyncio
import sys
from typing import Any

from typing_extensions import override
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from ..asgi.http_exchange import CLIENT_DISCONNECTED

HEAD_LIMIT = 64 * 1024  # bytes of a request's line and headers
PIPELINE_LIMIT = 1_000  # requests that wait on one connection


class State(ServerState):
    """What the connections of a server share."""

    is_stopping = False


class Cycle(RequestResponseCycle):
    """A request in progress, whose response ends with the connection for clients of HTTP/1.0.

    uvicorn sends them chunks, which they do not know.
    """

    _ends_with_connection = False

    @override
    async def send(self, message: Any) -> None:
        """Pass a message to the client.

        Raises:
            ConnectionResetError: the connection is closed; uvloop raises RuntimeError.
        """
        if self._ends_with_connection:
            self.expected_content_length = len(message.get("body", b""))
        elif self.scope["http_version"] == "1.0" and message["type"] == "http.response.start":
            self._without_chunks(message)
        try:
            await super().send(message)
        except RuntimeError as error:
            if not self.transport.is_closing():
                raise
            raise ConnectionResetError("the client has left") from error

    def _without_chunks(self, head: Any) -> None:
        names = {name.lower() for name, _ in head.get("headers", ())}
        if b"content-length" not in names:
            self._ends_with_connection = True
            self.chunked_encoding = False

    def disconnect(self) -> None:
        """Notify the application that the client has left."""
        self.disconnected = True
        scope: Any = self.scope
        scope[CLIENT_DISCONNECTED] = True
        self.message_event.set()


class HttpConnection(HttpToolsProtocol):
    """A connection that marks requests whose client has left, and ends when the service stops.

    uvicorn drops what is sent to a lost connection: an endpoint that ignores disconnects would
    stream forever. It keeps connections without a request, heads of any size and any number of
    pipelined requests. It answers invalid bytes, or a WebSocket's handshake, amid the response to
    the request before them, and drops what follows a handshake at once.
    """

    cycle: RequestResponseCycle
    server_state: State
    _running: Cycle | None = None
    _is_refusing = False
    _received = b""
    _unreported = 0  # bytes of a head, of trailers or between chunks

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        self.timeout_keep_alive_task = self.loop.call_later(
            self.timeout_keep_alive, self.timeout_keep_alive_handler
        )

    @override
    def data_received(self, data: bytes) -> None:
        """Handle a part of a request; the time for its head began with the wait for it."""
        if self._is_refusing:
            return
        timer, self.timeout_keep_alive_task = self.timeout_keep_alive_task, None
        self._unreported += len(data)
        self._received = data
        super().data_received(data)
        self._received = b""
        if self._unreported > HEAD_LIMIT and not self._is_refusing:
            self.send_400_response("The head of the request is too long.")
        if timer and (self._is_busy() or self not in self.connections):
            timer.cancel()
        else:
            self.timeout_keep_alive_task = timer

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        """Mark the request in flight."""
        if self._running and not self._running.response_complete:
            self._running.disconnect()
        super().connection_lost(exc)
        self._unset_keepalive_if_required()

    def announce_end(self) -> None:
        """Close the connection after the response in flight."""
        if self._is_busy():
            self.cycle.keep_alive = False

    @override
    def on_headers_complete(self) -> None:
        """Start the request, unless it is the preface of HTTP/2."""
        if self.parser.get_method() == b"PRI":
            raise ValueError("HTTP/2 is not supported")
        if self._unreported > HEAD_LIMIT and self._head_size() > HEAD_LIMIT:
            raise ValueError("the head of a request is too long")
        if len(self.pipeline) >= PIPELINE_LIMIT:
            raise ValueError("too many requests at once")
        self._unreported = 0
        before = self.cycle
        super().on_headers_complete()
        if self.pipeline:  # while reading is paused, the end of the connection is not noticed
            self.flow.resume_reading()
        if self.cycle is not before:
            self.headers = []  # trailers do not belong to the request's headers
            if self.server_state.is_stopping:
                self.cycle.keep_alive = False

    @override
    def on_body(self, body: bytes) -> None:
        """Handle a part of the body."""
        self._unreported = 0
        super().on_body(body)
        if self.pipeline and self.flow.read_paused:
            raise ValueError("the body of a pipelined request is too long")

    @override
    def handle_websocket_upgrade(self) -> None:
        """Pass the connection on to a WebSocket, unless the client did not wait for a response."""
        if self._is_busy() or self._rest():
            self.send_400_response("Wait for the response before you send more.")
        else:
            super().handle_websocket_upgrade()

    @override
    def send_400_response(self, msg: str) -> None:
        """Refuse what the client sends from here on; answer complete requests before it."""
        self._is_refusing = True
        if not self._is_busy():
            super().send_400_response(msg)
        elif not self.cycle.more_body:
            self.cycle.keep_alive = False
        elif self.pipeline:
            self.pipeline.popleft()
            self.flow.resume_reading()
            self.cycle = self.pipeline[0][0] if self.pipeline else self._running  # type: ignore[assignment]
            self.cycle.keep_alive = False
        elif self._running:
            self._running.disconnect()
            if self._running.response_started:
                self.transport.close()
            else:
                super().send_400_response(msg)

    @override
    def _unsupported_upgrade_warning(self) -> None:
        if self._rest():
            self.send_400_response("")

    def _rest(self) -> bytes:
        """Return what follows a request that asks for another protocol."""
        upgrade = sys.exception()
        return self._received[upgrade.args[0] :] if upgrade else b""

    @override
    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        assert isinstance(cycle, Cycle)
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def _head_size(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def _is_busy(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete
