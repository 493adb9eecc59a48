"""What the service needs while it runs: connected, checked and closed here."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from loguru import logger

from ._internal.asgi.lifespan import run_lifespan
from ._internal.asgi.readiness import Check
from .config import settings

# One entry per resource that can fail while the service runs: an async function that raises when
# its resource has failed.
#     checks["database"] = check_database
checks: dict[str, Check] = {}


async def startup() -> None:
    """Connect to databases and other services here; raise to stop the start."""


async def shutdown() -> None:
    """Close what `startup` has opened."""


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Run `startup` before the first request and `shutdown` after the last."""
    logger.debug("settings", settings=settings.model_dump(exclude_defaults=True))
    # Looked up when they run: a test can replace them.
    async with run_lifespan(lambda: startup(), lambda: shutdown()):
        yield
