"""One HTTP request and its response as the log sees them: measured to the last byte, told in a line."""

import asyncio
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from time import perf_counter
from typing import Any
from urllib.parse import quote

from loguru import logger
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .context import RequestContext, current_request
from .logging import log_request
from .observers import observers
from .texts import clean_target

# In a scope: the client said that it has nothing more to say before its response was complete.
CLIENT_LEFT = "client_left"
# In a scope: what is sent to the client does not arrive any more.
CLIENT_LOST = "client_lost"
# In a scope: the routes failed in the middle of their response.
RESPONSE_BROKE = "response_broke"

_OWN_HEADERS = frozenset({b"x-request-id", b"x-processed-time"})
_WITHOUT_BODY = frozenset({204, 304})
CLIENT_CLOSED_REQUEST = 499  # there was nobody to answer; the number is nginx's
# A longer body goes out in pieces: its line can tell how many bytes a client took before it left.
_PIECE = 256 * 1024


class HttpExchange:
    """Pass the messages of one request on, and write its line when the last byte is out."""

    _elapsed = 0.0
    _head: Message | None = None
    _status = 0
    _length = 0
    _ended = False
    _disconnected = False
    _lost: OSError | None = None
    _answered: BaseException | None = None
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
            if not self._ended and not self._disconnected:
                raise RuntimeError("the application did not complete its response")
        except BaseException as error:
            await self._failed(error)
            if not isinstance(error, Exception):
                raise
        else:
            self._log()

    def give_up(self) -> None:
        """Write the line of a request that the end of the process cuts off."""
        token = current_request.set(self._context)
        self._log(None if self._ended else TimeoutError("the process ended before the request"))
        current_request.reset(token)

    async def receive(self) -> Message:
        """Pass a message to the application."""
        message = await self._receive()
        if message["type"] == "http.disconnect" and not self._ended:
            self._disconnected = True
        return message

    async def send(self, message: Message) -> None:
        """Pass a message to the server."""
        kind = message["type"]
        if kind == "http.response.body":
            length = len(message.get("body", b""))
            if length > _PIECE:
                for piece in _pieces(message):
                    await self._send_body(piece, len(piece["body"]))
            else:
                await self._send_body(message, length)
        elif kind == "http.response.start":
            # Held back until the body begins: a stream that breaks before can still be a 500.
            self._head = message
        elif kind == "http.response.pathsend":
            await self._send_body(message, _content_length(self._head))
        else:
            await self._send(message)

    async def _send_body(self, message: Message, length: int) -> None:
        last = not message.get("more_body", False)
        if self._is_given_up(last):
            await self._send_nothing(last)
            return
        # A disconnect after the last message is the ordinary end of the exchange.
        self._ended = last
        try:
            if self._head:
                await self._send_head(self._head)
            await self._send(message)
        except BaseException as error:
            self._ended = False
            if isinstance(error, OSError):
                self._disconnected, self._lost = True, error
            raise
        if self._scope["method"] != "HEAD" and self._status not in _WITHOUT_BODY:
            self._length += length
        if last:
            self._finish()

    def _is_given_up(self, last: bool) -> bool:
        """Tell whether the rest of the response is not to be sent."""
        if CLIENT_LOST in self._scope:
            self._disconnected = True
        # Starlette's BaseHTTPMiddleware ends a stream that broke as if it was complete.
        broke = last and RESPONSE_BROKE in self._scope and sys.exception() is None
        return self._disconnected or broke

    async def _send_nothing(self, last: bool) -> None:
        await asyncio.sleep(0)  # for Starlette to hear that the client has left
        if not last:
            # Who does not listen would go on for ever.
            self._lost = self._lost or OSError("the client has left")
            raise self._lost

    async def _send_head(self, head: Message) -> None:
        headers = own_headers(head, self._context.request_id, perf_counter() - self._began)
        await self._send({**head, "headers": headers})
        self._head = None
        self._status = head["status"]

    def _finish(self) -> None:
        self._elapsed = seconds_since(self._began)
        if CLIENT_LEFT in self._scope:
            self._disconnected = True
        # Inside an `except` this can be Starlette's 500, and the exception is still to come.
        self._answered = sys.exception()
        if self._answered is None:
            self._log()

    async def _failed(self, error: BaseException) -> None:
        if self._ended and error is not self._answered:
            self._log()
            for observer in observers:
                observer.failed_after(self._scope, error)
            logger.opt(exception=error).error("exception after response")
        elif self._disconnected and (error is self._lost or isinstance(error, ClientDisconnect)):
            self._log()
        else:
            try:
                if not self._status and not isinstance(error, GeneratorExit):
                    await self._send_500()
            finally:
                self._log(error)

    async def _send_500(self) -> None:
        body = b"Internal Server Error"
        headers = [
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", b"%d" % len(body)),
        ]
        with suppress(Exception):  # the connection may be gone, or in no state for it
            await self.send({"type": "http.response.start", "status": 500, "headers": headers})
            await self.send({"type": "http.response.body", "body": body})

    def _log(self, error: BaseException | None = None) -> None:
        if self._logged:
            return
        self._logged = True
        self._answered = self._lost = None  # they lead back here, by their frames
        fields = self._fields(error)
        for observer in observers:
            observer.ended(self._scope, fields, error)
        if error:
            logger.opt(exception=error).error("unhandled exception", **fields)
        else:
            log_request(self._level(fields), "log request", fields)

    def _level(self, fields: dict[str, Any]) -> str:
        if fields["status_code"] >= 500:
            return "ERROR"
        return "DEBUG" if self._context.quiet and fields["status_code"] < 400 else "INFO"

    def _fields(self, error: BaseException | None) -> dict[str, Any]:
        scope = self._scope
        referer, user_agent = _referer_and_user_agent(scope["headers"])
        fields = {
            **describe(scope),
            "method": scope["method"],
            "status_code": self._status or (500 if error else CLIENT_CLOSED_REQUEST),
            "response_length": self._length,
            "elapsed": self._elapsed if self._ended else seconds_since(self._began),
            "referer": referer,
            "user_agent": user_agent,
        }
        if self._disconnected:
            fields["disconnected"] = True
        elif not self._ended:
            fields["completed"] = False
        return fields


def own_headers(head: Message, request_id: str, elapsed: float) -> list[tuple[bytes, bytes]]:
    """Return the headers of a response with those of this package, in place of others of their names."""
    headers = [header for header in head.get("headers", ()) if header[0] not in _OWN_HEADERS]
    headers.append((b"x-request-id", request_id.encode()))
    headers.append((b"x-processed-time", b"%.6f" % elapsed))
    return headers


def seconds_since(began: float) -> float:
    """Return the time that has passed since a `perf_counter()`, in seconds with microseconds."""
    return round(perf_counter() - began, 6)


def describe(scope: Scope) -> dict[str, Any]:
    """Return the fields that the lines of requests and of WebSockets share."""
    client = scope.get("client")
    path = scope.get("raw_path") or quote(scope["path"]).encode()
    query = scope["query_string"]
    return {
        "remote_ip": client[0] if client else "",
        "schema": scope["scheme"],
        "protocol": scope.get("http_version", "1.1"),  # optional in ASGI
        "path_with_query": clean_target(_text(path + b"?" + query if query else path)),
    }


def _referer_and_user_agent(headers: Iterable[tuple[bytes, bytes]]) -> tuple[str, str]:
    referer = user_agent = b""
    for name, value in headers:
        if name == b"user-agent":
            user_agent = value
        elif name == b"referer":
            referer = value
    return clean_target(_text(referer)), _text(user_agent)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")


def _pieces(message: Message) -> Iterator[Message]:
    """Cut a message with a long body; the last piece says whether more is to come."""
    body = message["body"]
    for start in range(0, len(body), _PIECE):
        more = start + _PIECE < len(body)
        piece = bytes(body[start : start + _PIECE])
        yield {**message, "body": piece, "more_body": more or message.get("more_body", False)}


def _content_length(head: Message | None) -> int:
    """Return how long a response is whose body the server itself reads from a file."""
    headers = dict(head["headers"]) if head else {}
    return int(headers.get(b"content-length", 0))
