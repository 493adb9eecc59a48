"""One WebSocket connection as the log sees it: from the handshake to its end, told in one line."""

from contextlib import suppress
from time import perf_counter

from fastapi import WebSocketDisconnect
from loguru import logger
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .context import RequestContext, current_request
from .exchange import CLIENT_CLOSED_REQUEST, describe, own_headers, seconds_since
from .observers import observers

_SWITCHING, _FORBIDDEN, _ERROR = 101, 403, 500
# RFC 6455, section 7.4.1
_NORMAL, _NO_STATUS, _VANISHED, _INTERNAL_ERROR = 1000, 1005, 1006, 1011


class WebSocketExchange:
    """Pass the messages of one connection on, and write its line when it ends."""

    _status = 0
    _close_code: int | None = None
    _lost: OSError | None = None
    _logged = False

    def __init__(self, scope: Scope, receive: Receive, send: Send, context: RequestContext) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._context = context
        self._began = perf_counter()

    async def run(self, app: ASGIApp) -> None:
        """Call `app` and log what it raises; only what is meant to end the task is raised again."""
        for observer in observers:
            observer.began(self._scope)
        try:
            await app(self._scope, self.receive, self.send)
            if not self._status and self._close_code is None:
                raise RuntimeError("the application did not answer the handshake")
        except WebSocketDisconnect as disconnect:
            # The client left while the endpoint waited for it: the usual end of a connection.
            await self._end(disconnect.code)
        except BaseException as error:
            await self._failed(error)
            if not isinstance(error, Exception):
                raise
        else:
            await self._end(_NORMAL)

    def give_up(self) -> None:
        """Write the line of a connection that the end of the process cuts off."""
        token = current_request.set(self._context)
        self._log(TimeoutError("the process ended before the connection"))
        current_request.reset(token)

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
        """Answer the handshake with an error; with the id, where the server lets us."""
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
            self._lost = error
            if self._close_code is None:
                self._close_code = getattr(error, "close_code", _VANISHED)
            raise

    def _with_own_headers(self, message: Message) -> Message:
        headers = own_headers(message, self._context.request_id, perf_counter() - self._began)
        return {**message, "headers": headers}

    async def _failed(self, error: BaseException) -> None:
        if error is self._lost:
            self._log(None)
            return
        try:
            if self._close_code is None and not isinstance(error, GeneratorExit):
                await self._close(_INTERNAL_ERROR)
        finally:
            self._log(error)

    async def _end(self, code: int) -> None:
        if self._close_code is None:
            await self._close(code)
        self._log(None)

    async def _close(self, code: int) -> None:
        """End what the application left open."""
        self._close_code = code
        with suppress(Exception):  # the client may be gone
            if self._status:
                await self._pass_on({"type": "websocket.close", "code": code})
            else:
                await self._refuse(_ERROR)

    def _log(self, error: BaseException | None) -> None:
        if self._logged:
            return
        self._logged = True
        self._lost = None
        fields = {
            **describe(self._scope),
            "status_code": self._status or CLIENT_CLOSED_REQUEST,
            "close_code": _INTERNAL_ERROR if self._close_code is None else self._close_code,
            "elapsed": seconds_since(self._began),
        }
        for observer in observers:
            observer.ended(self._scope, fields, error)
        level = "ERROR" if error or self._status >= _ERROR else "INFO"
        logger.opt(exception=error).log(level, "log websocket", **fields)
