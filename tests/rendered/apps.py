"""Applications wrapped in the request log."""

from typing import Any

from fastapi import FastAPI
from starlette.types import ASGIApp

from my_service._internal.asgi.request_log import RequestLogMiddleware
from my_service.middleware import add_request_log, log_request, log_websocket


def make_app(**options: Any) -> FastAPI:
    """Return an application with the request log."""
    app = FastAPI(**options)
    add_request_log(app)
    return app


def logged(app: ASGIApp, **options: Any) -> RequestLogMiddleware:
    """Return the given ASGI application wrapped in the request log."""
    write_line = {"http": log_request, "websocket": log_websocket}
    return RequestLogMiddleware(app, write_line=write_line, **options)
