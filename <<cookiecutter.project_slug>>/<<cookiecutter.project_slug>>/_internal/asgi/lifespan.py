"""Start-up and shutdown of the service, in the log and for readiness probes."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from loguru import logger

from ..log.capture import log_loop_error, mark_unhandled
from .readiness import set_state

Step = Callable[[], Awaitable[None]]


@asynccontextmanager
async def run_lifespan(startup: Step, shutdown: Step) -> AsyncIterator[None]:
    """Run `startup`, become ready, finally run `shutdown`; log each step and each failure."""
    asyncio.get_running_loop().set_exception_handler(log_loop_error)
    try:
        await startup()
    except BaseException as error:
        logger.opt(exception=error).patch(mark_unhandled).error("startup failed")
        if isinstance(error, asyncio.CancelledError):  # at the shutdown limit
            logger.info("shutdown")
        raise
    logger.info("started")
    set_state("ready")
    try:
        yield
    finally:
        set_state("stopping")
        await _shut_down(shutdown)


async def _shut_down(shutdown: Step) -> None:
    try:
        await shutdown()
    except BaseException:
        logger.exception("shutdown failed")
        raise
    finally:
        logger.info("shutdown")
        set_state("starting")
