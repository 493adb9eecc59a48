"""One HTTP request and its response as the log sees them: measured to the last byte, told in a line."""

import sys
from contextlib import suppress
from time import perf_counter
from typing import Any
from urllib.parse import quote

from loguru import logger
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .context import RequestContext
from .observers import observers

_OWN_HEADERS = frozenset({b"x-request-id", b"x-processed-time"})
_WITHOUT_BODY = frozenset({204, 304})
_CLIENT_CLOSED_REQUEST = 499  # there was nobody to answer; the number is nginx's


class HttpExchange:
    """Pass the messages of one request on, and write its line when the last byte is out."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, context: RequestContext) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._context = context
        self._began = perf_counter()
        self._elapsed = 0.0
        self._head: Message | None = None
        self._status = 0
        self._length = 0
        self._ended = False
        self._disconnected = False
        self._logged = False

    async def run(self, app: ASGIApp) -> None:
        """Call `app` and log what it raises; only what is meant to end the task is raised again."""
        for observer in observers:
            observer.began(self._scope)
        try:
            await app(self._scope, self.receive, self.send)
        except Exception as error:
            await self._failed(error)
        except BaseException as error:
            self._log_failure(error)
            raise
        else:
            await self._returned()

    async def receive(self) -> Message:
        """Pass a message to the application."""
        message = await self._receive()
        if message["type"] == "http.disconnect" and not self._ended:
            self._disconnected = True
        return message

    async def send(self, message: Message) -> None:
        """Pass a message to the server."""
        if message["type"] == "http.response.start":
            # Held back until the body begins: a stream that breaks before can still be a 500.
            self._head = message
        elif message["type"] == "http.response.body":
            await self._send_body(message)
        else:
            await self._send(message)

    async def _send_body(self, message: Message) -> None:
        # A disconnect after the last message is the ordinary end of the exchange.
        self._ended = not message.get("more_body", False)
        try:
            if self._head:
                await self._send_head(self._head)
            await self._send(message)
        except OSError:
            self._ended, self._disconnected = False, True
            raise
        if self._scope["method"] != "HEAD" and self._status not in _WITHOUT_BODY:
            self._length += len(message.get("body", b""))
        if self._ended:
            self._elapsed = perf_counter() - self._began
            # Inside an `except` this can be Starlette's 500, and the exception is still to come.
            if sys.exception() is None:
                self._log()

    async def _send_head(self, head: Message) -> None:
        self._head = None
        self._status = head["status"]
        headers = [header for header in head.get("headers", ()) if header[0] not in _OWN_HEADERS]
        headers += [
            (b"x-request-id", self._context.request_id.encode()),
            (b"x-processed-time", b"%.6f" % (perf_counter() - self._began)),
        ]
        await self._send({**head, "headers": headers})

    async def _send_500(self) -> None:
        body = b"Internal Server Error"
        headers = [
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", b"%d" % len(body)),
        ]
        with suppress(OSError):
            await self.send({"type": "http.response.start", "status": 500, "headers": headers})
            await self.send({"type": "http.response.body", "body": body})

    async def _failed(self, error: Exception) -> None:
        if self._disconnected and isinstance(error, ClientDisconnect | OSError):
            self._status = self._status if self._length else _CLIENT_CLOSED_REQUEST
            self._log()
            return
        if not self._status:
            await self._send_500()
        self._log_failure(error)

    async def _returned(self) -> None:
        if not self._status and not self._disconnected:
            # An application that sends nothing; the server would answer without an id.
            await self._send_500()
        self._log()

    def _log_failure(self, error: BaseException) -> None:
        if self._logged:
            for observer in observers:
                observer.failed_after(self._scope, error)
            logger.opt(exception=error).error("exception after response")
        else:
            self._log(error)

    def _log(self, error: BaseException | None = None) -> None:
        if self._logged:
            return
        self._logged = True
        fields = self._fields()
        for observer in observers:
            observer.ended(self._scope, fields, error)
        if error:
            logger.opt(exception=error).error("unhandled exception", **fields)
        else:
            logger.log(self._level(fields), "log request", **fields)

    def _level(self, fields: dict[str, Any]) -> str:
        if fields["status_code"] >= 500 or "completed" in fields:
            return "ERROR"
        return "DEBUG" if self._context.quiet and fields["status_code"] < 400 else "INFO"

    def _fields(self) -> dict[str, Any]:
        scope = self._scope
        referer, user_agent = _referer_and_user_agent(scope)
        fields = {
            **describe(scope),
            "method": scope["method"],
            "status_code": self._status or (_CLIENT_CLOSED_REQUEST if self._disconnected else 500),
            "response_length": self._length,
            "elapsed": self._elapsed if self._ended else perf_counter() - self._began,
            "referer": referer,
            "user_agent": user_agent,
        }
        if self._disconnected:
            fields["disconnected"] = True
        elif not self._ended:
            fields["completed"] = False
        return fields


def describe(scope: Scope) -> dict[str, Any]:
    """Return the fields that the lines of requests and of WebSockets share."""
    client = scope.get("client")
    path = scope.get("raw_path") or quote(scope["path"]).encode()
    query = scope["query_string"]
    return {
        "remote_ip": client[0] if client else "",
        "schema": scope["scheme"],
        "protocol": scope["http_version"],
        "path_with_query": _text(path + b"?" + query if query else path),
    }


def _referer_and_user_agent(scope: Scope) -> tuple[str, str]:
    referer = user_agent = b""
    for name, value in scope["headers"]:
        if name == b"user-agent":
            user_agent = value
        elif name == b"referer":
            referer = value
    return _text(referer), _text(user_agent)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")
