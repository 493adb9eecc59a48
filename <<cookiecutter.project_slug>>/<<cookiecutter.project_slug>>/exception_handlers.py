"""Exception handlers that log more than the request line says; the responses are FastAPI's own."""

from fastapi import FastAPI, Request
from fastapi.exception_handlers import (
    request_validation_exception_handler as default_validation_handler,
)
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from loguru import logger

from ._internal.asgi.request_fields import request_fields
from ._internal.log.jsonable import validation_errors
from .config import settings


async def request_validation_exception_handler(
    request: Request, exc: RequestValidationError
) -> JSONResponse:
    """Log what did not validate, with secrets masked, then respond as FastAPI does.

    Production leaves out what was sent: people type anything into forms.
    """
    logger.info(
        "request validation exception",
        method=request.method,
        path_with_query=request_fields(request.scope)["path_with_query"],
        detail=validation_errors(
            exc.errors(),
            body=exc.body,
            with_input=settings.env != "production",
        ),
    )
    return await default_validation_handler(request, exc)


def add_exception_handlers(app: FastAPI) -> None:
    """Register every handler of this module."""
    # FastAPI's types do not know handlers of a single exception.
    app.add_exception_handler(
        RequestValidationError,
        request_validation_exception_handler,  # type: ignore[arg-type]
    )
