"""Mark responses that break off inside user middleware."""

from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Scope key: the endpoint failed in the middle of its response.
RESPONSE_BROKE = "response_broke"


def mark_broken_responses(app: FastAPI) -> None:
    """Add `BrokenResponseMiddleware` next to the routes if `app` has user middleware."""
    build = app.build_middleware_stack

    def build_marking() -> ASGIApp:
        given = app.user_middleware
        if given:
            app.user_middleware = [*given, Middleware(BrokenResponseMiddleware)]
        try:
            return build()
        finally:
            app.user_middleware = given

    app.build_middleware_stack = build_marking  # type: ignore[method-assign]


class BrokenResponseMiddleware:
    """ASGI middleware that marks the scope of a response that breaks off.

    Starlette's BaseHTTPMiddleware ends it as if it were complete and raises the error later.
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
