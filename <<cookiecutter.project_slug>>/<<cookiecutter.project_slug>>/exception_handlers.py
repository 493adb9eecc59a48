"""Handlers that log more than the request line tells; the answers are FastAPI's own."""

from fastapi import FastAPI, Request
from fastapi.exception_handlers import (
    request_validation_exception_handler as default_validation_handler,
)
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from loguru import logger

from .config import settings
from .encoding import plain_errors
from .exchange import describe


async def request_validation_exception_handler(
    request: Request, exc: RequestValidationError
) -> JSONResponse:
    """Log what did not validate, with secrets masked, then answer as FastAPI does.

    In production what was sent is left out: nobody knows what people type into forms.
    """
    logger.info(
        "request validation exception",
        method=request.method,
        path_with_query=describe(request.scope)["path_with_query"],
        detail=plain_errors(
            exc.errors(),
            body=exc.body,
            with_input=settings.env != "production",
        ),
    )
    return await default_validation_handler(request, exc)


def add_exception_handlers(app: FastAPI) -> None:
    """Register every handler of this module."""
    # FastAPI's types know no handler of one exception only.
    app.add_exception_handler(
        RequestValidationError,
        request_validation_exception_handler,  # type: ignore[arg-type]
    )
