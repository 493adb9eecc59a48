"""One HTTP request and its response, measured to the last byte."""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from loguru import logger
from starlette.requests import ClientDisconnect
from starlette.types import Message

from ..log.capture import mark_unhandled
from ..log.texts import safe_text
from .broken_responses import RESPONSE_BROKE
from .exchange import CLIENT_CLOSED_REQUEST, Exchange
from .hooks import hooks
from .request_fields import referer_and_user_agent, request_fields, seconds_since

# Scope key: the client closed its side before the response was complete.
CLIENT_HALF_CLOSED = "client_half_closed"
# Scope key: the client can no longer receive anything.
CLIENT_DISCONNECTED = "client_disconnected"

_WITHOUT_BODY = frozenset({204, 304})
# Longer bodies are sent in pieces, to count the bytes sent before a client disconnects.
_PIECE = 256 * 1024


class HttpExchange(Exchange):
    """A request; its log line is written after the last byte of the response."""

    _elapsed = 0.0
    _head: Message | None = None
    _status = 0
    _length = 0
    _ended = False
    _disconnected = False
    _disconnect_error: OSError | None = None
    _handled_error: BaseException | None = None

    async def receive(self) -> Message:
        """Pass a message to the application."""
        message = await self._receive()
        if message["type"] == "http.disconnect" and not self._ended:
            self._disconnected = True
        return message

    async def send(self, message: Message) -> None:
        """Pass a message to the server."""
        kind = message["type"]
        if kind == "http.response.start":
            # Hold it back until the body begins: after an earlier failure it can still be a 500.
            self._head = message
        elif kind == "http.response.body":
            length = len(message.get("body", b""))
            if length > _PIECE:
                for piece in _pieces(message):
                    await self._send_body(piece, len(piece["body"]))
            else:
                await self._send_body(message, length)
        elif kind == "http.response.pathsend":
            await self._send_body(message, _content_length(self._head))
        else:
            await self._send(message)

    async def _send_body(self, message: Message, length: int) -> None:
        last = not message.get("more_body", False)
        if self._is_given_up(last):
            await self._send_nothing(last)
            return
        # A disconnect after the last message is the normal end of an exchange.
        self._ended = last
        try:
            if self._head:
                await self._send(self._with_own_headers(self._head))
                self._status, self._head = self._head["status"], None
            await self._send(message)
        except BaseException as error:
            self._ended = False
            if isinstance(error, OSError):
                self._disconnected, self._disconnect_error = True, error
            raise
        if self._scope["method"] != "HEAD" and self._status not in _WITHOUT_BODY:
            self._length += length
        if last:
            self._finish()
        else:
            # Some servers never wait in `send`: an endless stream would stop the event loop.
            await asyncio.sleep(0)

    def _is_given_up(self, last: bool) -> bool:
        """Return whether to drop the rest of the response."""
        if CLIENT_DISCONNECTED in self._scope:
            self._disconnected = True
        # Starlette's BaseHTTPMiddleware ends a broken stream as if it were complete.
        broke = last and RESPONSE_BROKE in self._scope and sys.exception() is None
        return self._disconnected or broke

    async def _send_nothing(self, last: bool) -> None:
        await asyncio.sleep(0)  # lets Starlette notice that the client has left
        if not last:
            # An endpoint that ignores disconnects would stream forever.
            self._disconnect_error = self._disconnect_error or OSError("the client has left")
            raise self._disconnect_error

    def _finish(self) -> None:
        self._elapsed = seconds_since(self._start)
        if CLIENT_HALF_CLOSED in self._scope:
            self._disconnected = True
        # Inside an `except` this can be Starlette's 500; it re-raises the exception afterwards.
        self._handled_error = sys.exception()
        if self._handled_error is None:
            self._end()

    async def _on_return(self) -> None:
        if not self._ended and not self._disconnected:
            raise RuntimeError("the application did not complete its response")
        self._end()

    def _abort_error(self) -> BaseException | None:
        return None if self._ended else TimeoutError("the process ended before the request")

    async def _on_error(self, error: BaseException) -> None:
        if self._ended and error is not self._handled_error:
            self._end()
            for hook in hooks:
                hook.on_late_error(self._scope, error)
            logger.opt(exception=error).patch(mark_unhandled).error("exception after response")
        elif self._disconnected and (
            error is self._disconnect_error or isinstance(error, ClientDisconnect)
        ):
            self._end()
        else:
            try:
                if not self._status and not isinstance(error, GeneratorExit):
                    await self._send_500()
            finally:
                self._end(error)

    async def _send_500(self) -> None:
        body = b"Internal Server Error"
        headers = [
            *_cors_headers(self._head),
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", b"%d" % len(body)),
        ]
        with suppress(Exception):  # the connection may be closed or unable to send it
            await self.send({"type": "http.response.start", "status": 500, "headers": headers})
            await self.send({"type": "http.response.body", "body": body})

    def _fields(self, error: BaseException | None) -> dict[str, Any]:
        scope = self._scope
        # Their frames refer back to this object.
        self._handled_error = self._disconnect_error = None
        referer, user_agent = referer_and_user_agent(scope["headers"])
        fields = {
            **request_fields(scope),
            "method": safe_text(scope["method"]),
            "status_code": self._status or (500 if error else CLIENT_CLOSED_REQUEST),
            "response_length": self._length,
            "elapsed": self._elapsed if self._ended else seconds_since(self._start),
            "referer": referer,
            "user_agent": user_agent,
        }
        if self._disconnected:
            fields["disconnected"] = True
        elif not self._ended:
            fields["completed"] = False
        return fields


def _pieces(message: Message) -> Iterator[Message]:
    """Split a message with a long body; the last piece keeps the original `more_body`."""
    body = message["body"]
    for start in range(0, len(body), _PIECE):
        more = start + _PIECE < len(body)
        piece = bytes(body[start : start + _PIECE])
        yield {**message, "body": piece, "more_body": more or message.get("more_body", False)}


def _cors_headers(head: Message | None) -> list[tuple[bytes, bytes]]:
    """Return the headers without which a browser hides a 500 from a page of another origin."""
    headers = head.get("headers", ()) if head else ()
    with suppress(Exception):  # they may be malformed, and the reason for the 500
        return [
            (name, value)
            for name, value in headers
            if name == b"vary" or name.startswith(b"access-control-")
        ]
    return []


def _content_length(head: Message | None) -> int:
    """Return the length of a response whose body the server reads from a file."""
    headers = dict(head["headers"]) if head else {}
    return int(headers.get(b"content-length", 0))
