"""WebSockets as uvicorn 0.54 sees them, with its errors at their ends corrected."""

from typing import Any

from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from ..asgi.websocket_exchange import ConnectionGone

_GOING_AWAY, _ABNORMAL_CLOSURE = 1001, 1006  # RFC 6455, section 7.4.1
_CLOSE_TIMEOUT = 1.0  # seconds for the client to answer a close frame


class WebSocketConnection(WebSocketsSansIOProtocol):
    """A WebSocket that the service closes with 1001, and whose vanished client is a 1006.

    uvicorn closes with 1012, and reports a client that vanishes as closed without a code (1005).
    """

    _is_gone = False

    async def go_away(self) -> None:
        """Close the connection because the service stops, and notify the application."""
        if self.disconnected or self.close_sent:
            return
        self._is_gone = True
        if not self.handshake_complete:
            return
        self.queue.put_nowait({"type": "websocket.disconnect", "code": _GOING_AWAY})
        self.conn.send_close(_GOING_AWAY)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.stop_keepalive()
        self.close_timer = self.loop.call_later(_CLOSE_TIMEOUT, self.transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        """Notify the application."""
        if self.conn.close_rcvd is None and not self.close_sent:
            self.queue.put_nowait({"type": "websocket.disconnect", "code": _ABNORMAL_CLOSURE})
        super().connection_lost(exc)

    async def send(self, message: Any) -> None:
        """Pass a message to the client.

        Raises:
            ConnectionGone: the client or the service has closed the connection.
        """
        if self._is_gone or self.disconnected:
            raise ConnectionGone(self._close_code())
        try:
            await super().send(message)
        except ClientDisconnected as error:
            raise ConnectionGone(self._close_code()) from error

    def _close_code(self) -> int:
        if self._is_gone:
            return _GOING_AWAY
        return self.conn.close_rcvd.code if self.conn.close_rcvd else _ABNORMAL_CLOSURE
