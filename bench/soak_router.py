"""The endpoints of `make soak`, which puts this file into the rendered project's `routers/`."""

import asyncio
from collections.abc import AsyncIterator

from fastapi import APIRouter, Response
from fastapi.responses import StreamingResponse
from loguru import logger
from pydantic import BaseModel

router = APIRouter(prefix="/soak")


class Item(BaseModel):
    """The body of a request."""

    name: str
    price: float


@router.get("/good")
async def good(n: int) -> dict[str, int]:
    """Log a line and respond."""
    logger.info("good", number=n)
    return {"n": n}


@router.post("/items")
async def create(item: Item) -> Item:
    """Return the body."""
    return item


@router.get("/failure")
async def failure(n: int) -> None:
    """Fail with a different message each time."""
    raise RuntimeError(f"failure {n}")


@router.get("/stream")
async def stream() -> Response:
    """Stream ten pieces."""
    return StreamingResponse(pieces(10))


@router.get("/endless")
async def endless() -> Response:
    """Stream until the client leaves."""
    return StreamingResponse(pieces(None))


@router.get("/slow")
async def slow() -> dict[str, str]:
    """Respond after 20 ms."""
    await asyncio.sleep(0.02)
    return {"status": "ok"}


async def pieces(count: int | None) -> AsyncIterator[bytes]:
    """Yield pieces of 100 bytes; without a count, forever."""
    sent = 0
    while sent != count:
        yield b"x" * 100
        await asyncio.sleep(0 if count else 0.001)
        sent += 1
