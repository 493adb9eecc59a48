"""The request log around the whole application: every request gets an id, and one line at its end."""

import re
from collections.abc import Sequence
from secrets import token_urlsafe

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from .config import Network, settings
from .context import RequestContext, current_request
from .exchange import HttpExchange
from .proxies import TrustedProxies
from .websocket_exchange import WebSocketExchange

_VALID_ID = re.compile(rb"[A-Za-z0-9._-]{1,128}")
_EXCHANGES: dict[str, type[HttpExchange] | type[WebSocketExchange]] = {
    "http": HttpExchange,
    "websocket": WebSocketExchange,
}


class Service(FastAPI):
    """A FastAPI application with the request log outside of everything else.

    `add_middleware` would put it inside Starlette's own handler of errors, and a failure outside of
    it would have neither id nor line.
    """

    def build_middleware_stack(self) -> ASGIApp:
        return RequestLog(
            super().build_middleware_stack(),
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
        if exchange_class is None:
            await self.app(scope, receive, send)
            return
        self.proxies.apply(scope)
        context = RequestContext(_request_id(scope) or token_urlsafe(self.request_id_length), scope)
        token = current_request.set(context)
        try:
            await exchange_class(scope, receive, send, context).run(self.app)
        finally:
            current_request.reset(token)


def _request_id(scope: Scope) -> str:
    """Return the id that the client or a proxy sent, or an empty text if it may not be used."""
    values = [value for name, value in scope["headers"] if name == b"x-request-id"]
    if len(values) == 1 and _VALID_ID.fullmatch(values[0]):
        return str(values[0], "ascii")
    return ""
