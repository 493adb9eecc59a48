"""One WebSocket connection as the log sees it: from the handshake to its end, told in one line."""

from contextlib import suppress
from time import perf_counter

from fastapi import WebSocketDisconnect
from loguru import logger
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .context import RequestContext
from .exchange import describe
from .observers import observers

_NO_STATUS = 1005  # RFC 6455, section 7.4.1
_INTERNAL_ERROR = 1011
_NORMAL = 1000


class WebSocketExchange:
    """Pass the messages of one connection on, and write its line when it ends."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, context: RequestContext) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._context = context
        self._began = perf_counter()
        self._status = 0
        self._close_code: int | None = None

    async def run(self, app: ASGIApp) -> None:
        """Call `app` and log what it raises; only what is meant to end the task is raised again."""
        for observer in observers:
            observer.began(self._scope)
        error: BaseException | None = None
        try:
            await app(self._scope, self.receive, self.send)
        except WebSocketDisconnect as disconnect:
            # The client left while the endpoint waited for it: the usual end of a connection.
            self._close_code = self._close_code or disconnect.code
        except Exception as raised:
            error = raised
        except BaseException as raised:
            self._log(raised)
            raise
        if self._close_code is None:
            await self._close(error)
        self._log(error)

    async def receive(self) -> Message:
        """Pass a message to the application."""
        message = await self._receive()
        if message["type"] == "websocket.disconnect" and self._close_code is None:
            self._close_code = message.get("code", _NO_STATUS)
        return message

    async def send(self, message: Message) -> None:
        """Pass a message to the server."""
        kind = message["type"]
        if kind == "websocket.accept":
            self._status = 101
            message = self._with_id(message)
        elif kind == "websocket.http.response.start":
            self._status = message["status"]
            message = self._with_id(message)
        elif kind == "websocket.close":
            self._status = self._status or 403
            self._close_code = message.get("code", _NORMAL)
        await self._send(message)
        if kind == "websocket.http.response.body" and not message.get("more_body", False):
            self._close_code = _NO_STATUS

    def _with_id(self, message: Message) -> Message:
        own = (b"x-request-id", self._context.request_id.encode())
        headers = [header for header in message.get("headers", ()) if header[0] != own[0]]
        return {**message, "headers": [*headers, own]}

    async def _close(self, error: BaseException | None) -> None:
        """End what the application left open, as an error where it failed."""
        with suppress(Exception):  # the client may be gone
            if not self._status and error and self._can_answer_http():
                await self.send({"type": "websocket.http.response.start", "status": 500})
                await self.send({"type": "websocket.http.response.body"})
            else:
                code = _INTERNAL_ERROR if error else _NORMAL
                await self.send({"type": "websocket.close", "code": code})

    def _can_answer_http(self) -> bool:
        return "websocket.http.response" in self._scope.get("extensions", {})

    def _log(self, error: BaseException | None) -> None:
        fields = {
            **describe(self._scope),
            "status_code": self._status,
            "close_code": self._close_code if self._close_code is not None else _INTERNAL_ERROR,
            "elapsed": perf_counter() - self._began,
        }
        for observer in observers:
            observer.ended(self._scope, fields, error)
        level = "ERROR" if error or self._status >= 500 else "INFO"
        logger.opt(exception=error).log(level, "log websocket", **fields)
