"""The request log: every request gets an id, and one line at its end."""

from typing import Any

from fastapi import FastAPI
from loguru import logger

from ._internal.asgi.request_log import add_request_log_middleware
from ._internal.log.capture import mark_unhandled
from .config import settings
from .logging import log_line


def add_request_log(app: FastAPI) -> None:
    """Log every request and WebSocket of `app`, outside of all its other middleware.

    Raises:
        RuntimeError: `app` has already started.
    """
    add_request_log_middleware(
        app,
        log_request=log_request,
        log_websocket=log_websocket,
        trusted_proxies=settings.trusted_proxies,
        request_id_length=settings.request_id_length,
    )


def log_request(fields: dict[str, Any], error: BaseException | None, quiet: bool) -> None:
    """Write the line of a request.

    Args:
        fields: what was measured; add fields, or leave some out.
        error: an unhandled exception.
        quiet: log a success at DEBUG, as `quiet_request` asked for.
    """
    if error:
        logger.opt(exception=error).patch(mark_unhandled).error("unhandled exception", **fields)
    elif fields["status_code"] >= 500:
        log_line("ERROR", "log request", fields)
    else:
        is_quiet = quiet and fields["status_code"] < 400
        log_line("DEBUG" if is_quiet else "INFO", "log request", fields)


def log_websocket(fields: dict[str, Any], error: BaseException | None, quiet: bool) -> None:
    """Write the line of a WebSocket connection, when it ends."""
    level = "ERROR" if error or fields["status_code"] >= 500 else "INFO"
    logger.opt(exception=error).patch(mark_unhandled).log(level, "log websocket", **fields)
