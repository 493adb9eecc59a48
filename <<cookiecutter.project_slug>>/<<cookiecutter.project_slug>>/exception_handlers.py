"""Exception handlers that log more than the request line says; the responses are FastAPI's own."""

from fastapi import FastAPI, Request
from fastapi.exception_handlers import (
    request_validation_exception_handler as default_validation_handler,
)
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from ._internal.asgi.request_fields import validation_fields
from .config import settings
from .logging import log_line


async def request_validation_exception_handler(
    request: Request, exc: RequestValidationError
) -> JSONResponse:
    """Log what did not validate, with secrets masked, then respond as FastAPI does.

    Production leaves out what was sent: people type anything into forms.
    """
    fields = validation_fields(request.scope, exc, with_input=settings.env != "production")
    log_line("INFO", "request validation exception", fields)
    return await default_validation_handler(request, exc)


def add_exception_handlers(app: FastAPI) -> None:
    """Register every handler of this module."""
    app.exception_handler(RequestValidationError)(request_validation_exception_handler)
