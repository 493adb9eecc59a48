"""Middleware that isolates and traces each request for Sentry."""

from typing import Any

import sentry_sdk
from sentry_sdk.scope import Scope as SentryScope
from sentry_sdk.scope import ScopeType, _current_scope, _isolation_scope
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..asgi.trace_context import request_trace
from ..reports.route import UNMATCHED, route_template
from .flushing import set_stopped


class _LazyCopy(SentryScope):
    """The SDK's data of a request: a copy made at its first use, for most requests need none.

    `sentry_sdk.isolation_scope()` would take longer than all other work for Sentry.
    """

    __slots__ = ("_original",)

    def __init__(self, original: SentryScope) -> None:
        self._original = original

    def __getattr__(self, name: str) -> Any:
        """Copy the original, because an attribute has no value yet."""
        if name not in SentryScope.__slots__:
            raise AttributeError(name)
        copied = self._original.fork()
        if copied._type is ScopeType.ISOLATION:
            copied.set_new_propagation_context()
        for slot in SentryScope.__slots__:
            try:
                object.__getattribute__(self, slot)
            except AttributeError:
                setattr(self, slot, getattr(copied, slot))
        return object.__getattribute__(self, name)


class IsolationMiddleware:
    """ASGI middleware that separates the SDK's data of each request from all others.

    It also traces requests and notices when the service stops.
    """

    def __init__(self, app: ASGIApp, *, traces: bool) -> None:
        self.app = app
        self.traces = traces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(scope, receive, send)
            return
        isolation = _isolation_scope.set(_LazyCopy(sentry_sdk.get_isolation_scope()))
        current = _current_scope.set(_LazyCopy(sentry_sdk.get_current_scope()))
        try:
            if self.traces and scope["type"] == "http":
                await self._traced(scope, receive, send)
            else:
                await self.app(scope, receive, send)
        finally:
            _current_scope.reset(current)
            _isolation_scope.reset(isolation)

    async def _traced(self, scope: Scope, receive: Receive, send: Send) -> None:
        # The sampling is our own: any client could turn it on with a header or a chosen id.
        with sentry_sdk.start_transaction(op="http.server", name=UNMATCHED) as trace:
            if given := request_trace(scope):
                trace.trace_id = given.trace_id

            async def send_noted(message: Message) -> None:
                if message["type"] == "http.response.start":
                    trace.set_http_status(message["status"])
                    # Without it, `add_sentry` was called before `add_request_log`.
                    request_id = dict(message.get("headers", ())).get(b"x-request-id", b"")
                    trace.set_tag("request_id", request_id.decode())
                await send(message)

            try:
                await self.app(scope, receive, send_noted)
            finally:
                name = route_template(scope)
                sentry_sdk.get_current_scope().set_transaction_name(name, source="route")

    async def _lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        set_stopped(False)
        try:
            await self.app(scope, receive, send)
        finally:
            set_stopped(True)
