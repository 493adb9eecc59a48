"""A request log as a careful engineer puts it together, of structlog and asgi-correlation-id.

The configuration is the one that structlog's documentation calls as fast as it gets. The request id
is added as the documentation of asgi-correlation-id adds it. Nothing is masked or truncated.
"""

import logging
import sys
import time
from typing import Any

import orjson
import structlog
from asgi_correlation_id import CorrelationIdMiddleware, correlation_id
from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import clear_contextvars, merge_contextvars
from structlog.typing import EventDict


def add_correlation(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Add the request id to a line."""
    if request_id := correlation_id.get():
        event["request_id"] = request_id
    return event


def configure() -> None:
    """Write lines of JSON to standard error, where the other contenders write."""
    structlog.configure(
        cache_logger_on_first_use=True,
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        processors=[
            merge_contextvars,
            add_correlation,
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(serializer=orjson.dumps),
        ],
        logger_factory=structlog.BytesLoggerFactory(sys.stderr.buffer),
    )


class AccessLogMiddleware:
    """Log a line for every request when its response has ended."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.log = structlog.get_logger().bind()  # a bound logger is faster than the proxy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        clear_contextvars()
        status = 500
        started = time.perf_counter()

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, send_and_note)
        except Exception:
            self.log.exception("request failed", **fields(scope, 500, started))
            raise
        self.log.info("request", **fields(scope, status, started))


def fields(scope: Scope, status: int, started: float) -> dict[str, Any]:
    """Return the fields of a request's line."""
    user_agent = next((value for name, value in scope["headers"] if name == b"user-agent"), b"")
    return {
        "method": scope["method"],
        "path": scope["path"],
        "query": scope["query_string"].decode("latin-1"),
        "status": status,
        "duration": time.perf_counter() - started,
        "client": scope["client"][0] if scope["client"] else None,
        "user_agent": user_agent.decode("latin-1"),
    }


def structlog_application() -> FastAPI:
    """Return an application with this request log."""
    configure()
    app = FastAPI()
    app.add_middleware(AccessLogMiddleware)
    app.add_middleware(CorrelationIdMiddleware)  # outside of the other
    return app
