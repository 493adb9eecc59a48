"""What the service needs while it runs: started, checked and given back here."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from fastapi import FastAPI
from loguru import logger

from .capture import log_lost
from .config import settings

# One entry per resource that can fail while the service runs. A check raises when it has failed.
#     checks["database"] = check_database
checks: dict[str, Callable[[], Awaitable[None]]] = {}
CHECK_TIMEOUT = 2.0  # seconds

_state = "starting"  # then "ready", then "stopping"


async def startup() -> None:
    """Connect to databases and other services here; raise to stop the start."""


async def shutdown() -> None:
    """Give back here what `startup` has taken."""


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Run `startup` before the first request and `shutdown` after the last."""
    asyncio.get_running_loop().set_exception_handler(log_lost)
    logger.debug("settings", settings=settings)
    try:
        await startup()
    except BaseException as error:
        logger.exception("startup failed")
        if isinstance(error, asyncio.CancelledError):  # at the limit of a stop
            logger.info("shutdown")
        raise
    logger.info("started")
    if _state == "starting":  # a signal may have come in the meantime
        _set_state("ready")
    try:
        yield
    finally:
        stop_accepting()
        await _shut_down()


async def _shut_down() -> None:
    try:
        await shutdown()
    except BaseException:
        logger.exception("shutdown failed")
        raise
    finally:
        logger.info("shutdown")
        _set_state("starting")


def stop_accepting() -> None:
    """Let `unavailable` say "stopping" from now on, so that proxies send requests elsewhere."""
    _set_state("stopping")


def _set_state(state: str) -> None:
    global _state
    _state = state


async def unavailable() -> dict[str, str]:
    """Return why the service cannot take requests, by name; empty when it can.

    A check that raises, or takes more than `CHECK_TIMEOUT` seconds, counts as failed.
    """
    if _state != "ready":
        return {"service": _state}
    problems = await asyncio.gather(*(_problem(check) for check in checks.values()))
    return {name: problem for name, problem in zip(checks, problems, strict=True) if problem}


async def _problem(check: Callable[[], Awaitable[None]]) -> str:
    try:
        await asyncio.wait_for(check(), CHECK_TIMEOUT)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""
