"""One WebSocket connection, from the handshake to the close."""

from contextlib import suppress
from typing import Any

from fastapi import WebSocketDisconnect
from starlette.types import Message

from .exchange import CLIENT_CLOSED_REQUEST, Exchange
from .request_fields import request_fields, seconds_since

_SWITCHING, _FORBIDDEN, _ERROR = 101, 403, 500
# RFC 6455, section 7.4.1
_NORMAL, _NO_STATUS, _VANISHED, _INTERNAL_ERROR = 1000, 1005, 1006, 1011


class ConnectionGone(OSError):
    """The client can no longer receive messages."""

    def __init__(self, close_code: int) -> None:
        super().__init__("the connection is closed")
        self.close_code = close_code


class WebSocketExchange(Exchange):
    """A WebSocket connection; its log line is written when it ends."""

    _status = 0
    _close_code: int | None = None
    _disconnect_error: OSError | None = None

    async def receive(self) -> Message:
        """Pass a message to the application."""
        message = await self._receive()
        if message["type"] == "websocket.disconnect" and self._close_code is None:
            self._close_code = message.get("code", _NO_STATUS)
        return message

    async def send(self, message: Message) -> None:
        """Pass a message to the server."""
        kind = message["type"]
        if kind == "websocket.close":
            await self._send_close(message)
        elif kind == "websocket.accept":
            await self._pass_on(self._with_own_headers(message))
            self._status = _SWITCHING
        elif kind == "websocket.http.response.start":
            await self._pass_on(self._with_own_headers(message))
            self._status = message["status"]
        else:
            await self._pass_on(message)
            if kind == "websocket.http.response.body" and not message.get("more_body", False):
                self._close_code = self._close_code or _NO_STATUS

    async def _send_close(self, message: Message) -> None:
        if self._close_code is None:
            self._close_code = message.get("code", _NORMAL)
        if self._status:
            await self._pass_on(message)
        else:
            await self._refuse(_FORBIDDEN)

    async def _refuse(self, status: int) -> None:
        """Reject the handshake, with `status` and the request id if the server supports it."""
        if "websocket.http.response" in self._scope.get("extensions", {}):
            headers = [(b"content-length", b"0")]
            start = {"type": "websocket.http.response.start", "status": status, "headers": headers}
            await self.send(start)
            await self.send({"type": "websocket.http.response.body", "body": b""})
        else:
            self._status = _FORBIDDEN
            await self._pass_on({"type": "websocket.close"})

    async def _pass_on(self, message: Message) -> None:
        try:
            await self._send(message)
        except OSError as error:
            self._disconnect_error = error
            if self._close_code is None:
                self._close_code = getattr(error, "close_code", _VANISHED)
            raise

    async def _on_return(self) -> None:
        if not self._status and self._close_code is None:
            raise RuntimeError("the application did not answer the handshake")
        await self._finish(_NORMAL)

    async def _on_error(self, error: BaseException) -> None:
        if isinstance(error, WebSocketDisconnect):
            # The client left while the endpoint was receiving: the normal end of a connection.
            await self._finish(error.code)
        elif error is self._disconnect_error:
            self._end()
        else:
            try:
                if self._close_code is None and not isinstance(error, GeneratorExit):
                    await self._close(_INTERNAL_ERROR)
            finally:
                self._end(error)

    def _abort_error(self) -> BaseException | None:
        return TimeoutError("the process ended before the connection")

    async def _finish(self, code: int) -> None:
        if self._close_code is None:
            await self._close(code)
        self._end()

    async def _close(self, code: int) -> None:
        """Close the connection or reject a pending handshake."""
        self._close_code = code
        with suppress(Exception):  # the client may be gone
            if self._status:
                await self._pass_on({"type": "websocket.close", "code": code})
            else:
                await self._refuse(_ERROR)

    def _fields(self, error: BaseException | None) -> dict[str, Any]:
        self._disconnect_error = None  # its frames refer back to this object
        return {
            **request_fields(self._scope),
            "status_code": self._status or CLIENT_CLOSED_REQUEST,
            "close_code": _INTERNAL_ERROR if self._close_code is None else self._close_code,
            "elapsed": seconds_since(self._start),
        }
