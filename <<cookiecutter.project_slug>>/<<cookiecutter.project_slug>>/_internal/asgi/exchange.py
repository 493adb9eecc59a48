"""Base class of requests and WebSockets: pass messages through, write one log line."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter_ns
from typing import Any

from loguru import logger
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..context import RequestContext, current_request
from ..log.fields import SafeFields
from .hooks import hooks
from .request_fields import own_headers, seconds_since

# Writes a log line, given its fields, an unhandled exception and whether the request is quiet.
WriteLine = Callable[[dict[str, Any], BaseException | None, bool], None]

CLIENT_CLOSED_REQUEST = 499  # as in nginx: the client left before the response

# Exchanges that run. Without a log line yet, `abort` writes it when the process ends.
in_flight: set[Exchange] = set()


class Exchange:
    """One request or WebSocket connection.

    Args:
        write_line: called once, at the end.
    """

    line_is_written = False

    def __init__(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        context: RequestContext,
        write_line: WriteLine,
    ) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._context = context
        self._write_line = write_line
        self._start = perf_counter_ns()

    async def run(self, app: ASGIApp) -> None:
        """Call `app` and log what it raises; re-raise only what is not an `Exception`."""
        for hook in hooks:
            hook.on_start(self._scope)
        try:
            await app(self._scope, self.receive, self.send)
            if not self.line_is_written:
                await self._on_return()
        except BaseException as error:
            await self._on_error(error)
            if not isinstance(error, Exception):
                raise

    def abort(self) -> None:
        """Write the log line because the process ends."""
        token = current_request.set(self._context)
        self._end(self._abort_error())
        current_request.reset(token)

    async def receive(self) -> Message:
        """Pass a message to the application."""
        raise NotImplementedError

    async def send(self, message: Message) -> None:
        """Pass a message to the server."""
        raise NotImplementedError

    def _with_own_headers(self, head: Message) -> Message:
        headers = own_headers(head, self._context.request_id, seconds_since(self._start))
        return {**head, "headers": headers}

    async def _on_return(self) -> None:
        """End the exchange; raise RuntimeError if the application did not complete it."""
        raise NotImplementedError

    async def _on_error(self, error: BaseException) -> None:
        raise NotImplementedError

    def _abort_error(self) -> BaseException | None:
        """Return the error to log if the process ends before the exchange."""
        raise NotImplementedError

    def _fields(self, error: BaseException | None) -> dict[str, Any]:
        """Return the fields of the log line."""
        raise NotImplementedError

    def _end(self, error: BaseException | None = None) -> None:
        """Call the hooks and write the log line, once."""
        if self.line_is_written:
            return
        self.line_is_written = True
        fields = SafeFields(self._fields(error))
        for hook in hooks:
            hook.on_end(self._scope, fields, error)
        try:
            self._write_line(fields, error, self._context.quiet)
        except Exception as problem:  # of `middleware.py`, which the owner may have edited
            logger.opt(exception=problem).error("log line failed", **fields)
