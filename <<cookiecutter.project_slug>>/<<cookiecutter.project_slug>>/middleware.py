"""The request log around the whole application: every request gets an id, and one line at its end."""

import re
from collections.abc import Sequence
from secrets import token_urlsafe
from urllib.parse import quote

from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .config import Network, settings
from .context import RequestContext, current_request
from .exchange import RESPONSE_BROKE, HttpExchange
from .proxies import TrustedProxies
from .websocket_exchange import WebSocketExchange

_VALID_ID = re.compile(rb"[A-Za-z0-9._-]{1,128}")
_EXCHANGES: dict[str, type[HttpExchange] | type[WebSocketExchange]] = {
    "http": HttpExchange,
    "websocket": WebSocketExchange,
}
# In a scope: the id of the request, and the sign that its line will be written.
_REQUEST_ID = "request_id"

# Everything that has no line yet; what is left at the end of the process gets one there.
in_progress: set[HttpExchange | WebSocketExchange] = set()


class Service(FastAPI):
    """A FastAPI application with the request log outside of everything else.

    `add_middleware` would put it inside Starlette's own handler of errors, and a failure outside of
    it would have neither id nor line.
    """

    def build_middleware_stack(self) -> ASGIApp:
        given = self.user_middleware
        if given:
            self.user_middleware = [*given, Middleware(BrokenResponses)]
        try:
            stack = super().build_middleware_stack()
        finally:
            self.user_middleware = given
        return RequestLog(
            stack,
            trusted_proxies=settings.trusted_proxies,
            request_id_length=settings.request_id_length,
        )


class RequestLog:
    """ASGI middleware: the id in the context, the measurement and the line of every request.

    Args:
        app: the application that is measured.
        trusted_proxies: networks whose X-Forwarded-For and X-Forwarded-Proto are believed.
        request_id_length: bytes of a generated id.
    """

    def __init__(
        self, app: ASGIApp, *, trusted_proxies: Sequence[Network] = (), request_id_length: int = 8
    ) -> None:
        self.app = app
        self.proxies = TrustedProxies(trusted_proxies)
        self.request_id_length = request_id_length

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange_class = _EXCHANGES.get(scope["type"])
        if exchange_class is None or _REQUEST_ID in scope:  # mounted in another such application
            await self.app(scope, receive, send)
            return
        self.proxies.apply(scope)
        _restore_prefix(scope)
        request_id = _given_id(scope) or token_urlsafe(self.request_id_length)
        context = RequestContext(request_id, scope)
        scope[_REQUEST_ID] = request_id
        token = current_request.set(context)
        exchange = exchange_class(scope, receive, send, context)
        in_progress.add(exchange)
        try:
            await exchange.run(self.app)
        finally:
            in_progress.discard(exchange)
            current_request.reset(token)


class BrokenResponses:
    """ASGI middleware next to the routes, inside of those of the user, which marks a broken response.

    Starlette's BaseHTTPMiddleware ends it as if it was complete, and lets the failure out later.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        responding = False

        async def watch(message: Message) -> None:
            nonlocal responding
            responding = message.get("more_body", message["type"] == "http.response.start")
            await send(message)

        try:
            await self.app(scope, receive, watch)
        except Exception:
            if responding:
                scope[RESPONSE_BROKE] = True
            raise


def _given_id(scope: Scope) -> str:
    """Return the id that the client or a proxy sent, or an empty text if it may not be used."""
    values = [value for name, value in scope["headers"] if name == b"x-request-id"]
    if len(values) == 1 and _VALID_ID.fullmatch(values[0]):
        return str(values[0], "ascii")
    return ""


def _restore_prefix(scope: Scope) -> None:
    """Put back the prefix that a proxy took from the path, as ASGI wants it and links need it."""
    prefix = scope.get("root_path")
    if prefix and not f"{scope['path']}/".startswith(f"{prefix}/"):
        scope["path"] = prefix + scope["path"]
        if scope.get("raw_path"):
            scope["raw_path"] = quote(prefix).encode() + scope["raw_path"]
