"""Add middleware around a whole application."""

from collections.abc import Callable

from fastapi import FastAPI
from starlette.types import ASGIApp


def add_outermost_middleware(app: FastAPI, middleware: Callable[[ASGIApp], ASGIApp]) -> None:
    """Wrap all of `app` in ASGI middleware; a later call wraps the earlier ones.

    `add_middleware` would put it inside Starlette's ServerErrorMiddleware. Failures outside of it
    would have neither a request id nor a log line.

    Raises:
        RuntimeError: `app` has already started.
    """
    if app.middleware_stack is not None:
        raise RuntimeError("middleware cannot be added to an application that has started")
    build = app.build_middleware_stack

    def build_surrounded() -> ASGIApp:
        return middleware(build())

    app.build_middleware_stack = build_surrounded  # type: ignore[method-assign]
