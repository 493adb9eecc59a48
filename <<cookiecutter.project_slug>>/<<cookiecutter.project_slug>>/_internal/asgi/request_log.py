"""Middleware that gives each request an id and writes its log line."""

import re
from collections.abc import Mapping, Sequence
from functools import partial
from urllib.parse import quote

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from ..context import RequestContext, current_request
from .broken_responses import mark_broken_responses
from .exchange import Exchange, WriteLine, in_flight
from .http_exchange import HttpExchange
from .proxies import Network, TrustedProxies
from .request_ids import random_id
from .stack import add_outermost_middleware
from .trace_context import request_trace
from .websocket_exchange import WebSocketExchange

_VALID_ID = re.compile(rb"[A-Za-z0-9._-]{1,128}")
_EXCHANGES: dict[str, type[Exchange]] = {"http": HttpExchange, "websocket": WebSocketExchange}
# Scope key: the request id; if present, an outer middleware writes the log line.
_REQUEST_ID = "request_id"
# Scope key: FastAPI may have a span of the request, also for lines that are written outside of it.
_SPAN = "fastapi.telemetry"


def add_request_log_middleware(
    app: FastAPI,
    *,
    log_request: WriteLine,
    log_websocket: WriteLine,
    trusted_proxies: Sequence[Network] = (),
    request_id_length: int = 8,
) -> None:
    """Wrap all of `app` in `RequestLogMiddleware`.

    Raises:
        RuntimeError: `app` has already started.
    """
    add_outermost_middleware(
        app,
        partial(
            RequestLogMiddleware,
            write_line={"http": log_request, "websocket": log_websocket},
            trusted_proxies=trusted_proxies,
            request_id_length=request_id_length,
        ),
    )
    mark_broken_responses(app)


class RequestLogMiddleware:
    """ASGI middleware that sets the request id, measures each request and writes its log line.

    Args:
        app: the application to measure.
        write_line: functions that write log lines, for the scope types `http` and `websocket`.
        trusted_proxies: networks whose X-Forwarded-For and X-Forwarded-Proto are trusted.
        request_id_length: random bytes in a generated id.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        write_line: Mapping[str, WriteLine],
        trusted_proxies: Sequence[Network] = (),
        request_id_length: int = 8,
    ) -> None:
        self.app = app
        self.write_line = write_line
        self.proxies = TrustedProxies(trusted_proxies)
        self.request_id_length = request_id_length

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind not in _EXCHANGES or _REQUEST_ID in scope:  # logged by an outer application
            await self.app(scope, receive, send)
            return
        self.proxies.apply(scope)
        _restore_prefix(scope)
        names = dict(scope["headers"])
        given_id = _given_id(scope) if b"x-request-id" in names else ""
        request_id = given_id or random_id(self.request_id_length)
        context = RequestContext(request_id, scope)
        if b"traceparent" in names or _SPAN in scope:
            context.trace = request_trace(scope)
        scope[_REQUEST_ID] = request_id
        token = current_request.set(context)
        exchange = _EXCHANGES[kind](scope, receive, send, context, self.write_line[kind])
        in_flight.add(exchange)
        try:
            await exchange.run(self.app)
        finally:
            in_flight.discard(exchange)
            current_request.reset(token)


def _given_id(scope: Scope) -> str:
    """Return the id that the client or a proxy sent; empty if invalid."""
    values = [value for name, value in scope["headers"] if name == b"x-request-id"]
    is_valid = len(values) == 1 and _VALID_ID.fullmatch(values[0])
    return str(values[0], "ascii") if is_valid else ""


def _restore_prefix(scope: Scope) -> None:
    """Restore the path prefix that a proxy removed: ASGI requires it and links need it."""
    prefix = scope.get("root_path")
    if prefix and not f"{scope['path']}/".startswith(f"{prefix}/"):
        scope["path"] = prefix + scope["path"]
        if scope.get("raw_path"):
            scope["raw_path"] = quote(prefix).encode() + scope["raw_path"]
