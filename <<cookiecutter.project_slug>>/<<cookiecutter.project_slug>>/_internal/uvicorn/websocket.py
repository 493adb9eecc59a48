"""WebSockets as uvicorn 0.54 sees them, with its errors at their ends corrected."""

from typing import Any

from typing_extensions import override
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import InvalidState

from ..asgi.websocket_exchange import ConnectionGone

_GOING_AWAY, _ABNORMAL_CLOSURE = 1001, 1006  # RFC 6455, section 7.4.1
_CLOSE_TIMEOUT = 1.0  # seconds for the client to answer a close frame
_BAD_REQUEST = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class WebSocketConnection(WebSocketsSansIOProtocol):
    """A WebSocket that the service closes with 1001, and whose vanished client is a 1006.

    uvicorn closes with 1012, and reports a client that vanishes as closed without a code (1005).
    It does not answer a handshake that it cannot parse, and fails when a client breaks the
    protocol during the handshake or the close. It closes a connection whose messages wait so long
    that a pong behind them is late, and keeps any number of pongs for a client that does not read.
    """

    _is_gone = False

    async def go_away(self) -> None:
        """Close the connection because the service stops, and notify the application."""
        if self.close_sent or self.transport.is_closing():
            return
        self._is_gone = True
        if not self.handshake_complete:
            return
        self.queue.put_nowait({"type": "websocket.disconnect", "code": _GOING_AWAY})
        self.conn.send_close(_GOING_AWAY)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.stop_keepalive()
        self.close_timer = self.loop.call_later(_CLOSE_TIMEOUT, self.transport.abort)

    @override
    def shutdown(self) -> None:
        """Close the connection, unless `go_away` does."""
        if not self._is_gone:
            super().shutdown()

    @override
    def data_received(self, data: bytes) -> None:
        """Handle a part of a message; during the handshake the client has to wait."""
        if self.handshake_initiated and not self.handshake_complete:
            if not self.initial_response:
                self._refuse(b"")
            return
        try:
            super().data_received(data)
        except InvalidState:  # a text that is not UTF-8, with a close frame behind it
            self.transport.close()
        except RuntimeError:  # of uvloop
            if not self.transport.is_closing():
                raise

    @override
    def handle_events(self) -> None:
        """Handle what the client sent, or refuse a handshake that could not be parsed."""
        if self.conn.handshake_exc is None or self.handshake_initiated:
            super().handle_events()
            return
        self.close_sent = True
        self._refuse(b"".join(self.conn.data_to_send()))

    def _refuse(self, answer: bytes) -> None:
        self.handshake_complete = True
        self.transport.write(answer or _BAD_REQUEST)
        self.transport.close()

    @override
    def pause_writing(self) -> None:
        """Stop reading, so that pings do not cause more pongs."""
        super().pause_writing()
        self.transport.pause_reading()

    @override
    def resume_writing(self) -> None:
        """Continue reading, unless a message waits for the application."""
        super().resume_writing()
        if not self.read_paused:
            self.transport.resume_reading()

    @override
    def keepalive_timeout(self) -> None:
        """Close the connection, unless the pong could not be read."""
        if self.read_paused or not self.writable.is_set():
            self.pong_timer = self.pending_ping_payload = None
            self.schedule_ping()
        else:
            self._report_vanished()
            super().keepalive_timeout()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        """Notify the application."""
        if self.conn.close_rcvd is None and not self.close_sent:
            self._report_vanished()
        super().connection_lost(exc)

    @override
    async def receive(self) -> Any:
        """Return a message of the client."""
        message = await super().receive()
        if not self.writable.is_set():
            self.transport.pause_reading()
        return message

    @override
    async def send(self, message: Any) -> None:
        """Pass a message to the client.

        Raises:
            ConnectionGone: the client or the service has closed the connection.
        """
        if self._is_gone or self.transport.is_closing():
            raise ConnectionGone(self._close_code())
        try:
            await super().send(message)
        except ClientDisconnected as error:
            raise ConnectionGone(self._close_code()) from error

    def _report_vanished(self) -> None:
        self.queue.put_nowait({"type": "websocket.disconnect", "code": _ABNORMAL_CLOSURE})

    def _close_code(self) -> int:
        if self._is_gone:
            return _GOING_AWAY
        return self.conn.close_rcvd.code if self.conn.close_rcvd else _ABNORMAL_CLOSURE
