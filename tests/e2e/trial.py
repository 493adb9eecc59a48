"""Routes that the tests of the stack add, for cases that the example router lacks."""

import asyncio
from collections.abc import AsyncIterator

from fastapi import APIRouter, Request, WebSocket
from fastapi.responses import StreamingResponse

router = APIRouter(prefix="/trial")
released = asyncio.Event()
sleeping: set[asyncio.Task[object] | None] = set()


@router.post("/echo")
async def echo(request: Request) -> int:
    """Return the length of the body."""
    return len(await request.body())


@router.api_route("/slow", methods=["GET", "POST"])
async def slow(seconds: float) -> float:
    """Sleep, then return the number of seconds."""
    sleeping.add(asyncio.current_task())
    await asyncio.sleep(seconds)
    sleeping.discard(asyncio.current_task())
    return seconds


@router.get("/asleep")
async def asleep() -> int:
    """Return how many requests of `slow` are in progress."""
    return len(sleeping)


@router.get("/events")
async def events() -> StreamingResponse:
    """Send one event, and a second one after a request to `release`."""
    return StreamingResponse(produce(), media_type="text/event-stream")


async def produce() -> AsyncIterator[str]:
    released.clear()
    yield "data: first\n\n"
    await released.wait()
    yield "data: second\n\n"


@router.get("/release")
async def release() -> None:
    """Release the second event."""
    released.set()


@router.get("/folder/")
async def folder() -> str:
    """Respond with a trailing slash; the path without it redirects here."""
    return "folder"


@router.websocket("/ws")
async def websocket(connection: WebSocket) -> None:
    """Echo every message."""
    await connection.accept()
    async for text in connection.iter_text():
        await connection.send_text(text)
