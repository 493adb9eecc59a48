"""Endpoints that misbehave, added to the application that `served.py` serves."""

import asyncio
import os
import threading
import time
import warnings
from collections.abc import AsyncIterator, Iterator

from fastapi import APIRouter, BackgroundTasks, HTTPException, Request, WebSocket
from fastapi.responses import Response, StreamingResponse
from loguru import logger
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.types import Receive, Scope, Send

from my_service.main import app

router = APIRouter()
CHUNK = b"x" * 65_536


@router.get("/stream/broken")
async def broken_stream(chunks: int, size: int = 5) -> StreamingResponse:
    """Break after some chunks, or before the first."""

    async def parts() -> AsyncIterator[bytes]:
        for _ in range(chunks):
            yield b"x" * size
        raise ValueError("broken")

    return StreamingResponse(parts())


@router.get("/stream/numbers")
async def number_stream() -> StreamingResponse:
    """Send ten parts."""

    async def parts() -> AsyncIterator[bytes]:
        for number in range(10):
            yield b"%d" % number

    return StreamingResponse(parts())


@router.get("/stream/endless")
async def endless_stream() -> StreamingResponse:
    """Send until the client disconnects."""

    async def parts() -> AsyncIterator[bytes]:
        while True:
            yield CHUNK
            await asyncio.sleep(0)  # uvicorn does not wait once the client has disconnected

    return StreamingResponse(parts())


@router.get("/stream/silent")
async def silent_stream() -> StreamingResponse:
    """Send a little, then block."""

    async def parts() -> AsyncIterator[bytes]:
        yield b"12345"
        await asyncio.Event().wait()

    return StreamingResponse(parts())


@router.get("/stream/deaf")
async def deaf_stream() -> Response:
    """Send until the client disconnects, without receiving any message."""

    class Deaf(Response):
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            while True:
                await send({"type": "http.response.body", "body": CHUNK, "more_body": True})

    return Deaf()


@router.get("/stream/sync")
def sync_stream() -> StreamingResponse:
    """Break in a worker thread."""

    def parts() -> Iterator[bytes]:
        yield b"12345"
        raise ValueError("broken")

    return StreamingResponse(parts())


@router.get("/large")
async def large(size: int) -> Response:
    """Respond at once with a large body."""
    return Response(b"x" * size)


@router.get("/slow")
async def slow(seconds: float) -> dict[str, float]:
    """Respond after a delay."""
    logger.info("slow begins")
    await asyncio.sleep(seconds)
    return {"seconds": seconds}


@router.get("/stubborn")
async def stubborn() -> None:
    """Ignore cancellation."""
    logger.info("stubborn begins")
    while True:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            logger.info("cancellation ignored")


@router.get("/blocked")
def blocked() -> None:
    """Block a worker thread."""
    logger.info("blocked begins")
    time.sleep(60)


@router.get("/left-behind")
async def left_behind() -> None:
    """Leave a thread running."""
    asyncio.get_running_loop().run_in_executor(None, time.sleep, 60)


@router.post("/upload")
async def upload(request: Request) -> int:
    """Return the number of bytes in the body."""
    logger.info("upload begins")
    return sum([len(chunk) async for chunk in request.stream()])


@router.get("/status/{status}")
async def answer(status: int) -> None:
    """Respond with an error status."""
    raise HTTPException(status)


@router.get("/exit/{code}")
async def leave(code: int) -> None:
    """End the process with an exit code."""
    raise SystemExit(code)


@router.get("/exit-with-a-text")
async def leave_with_a_text() -> None:
    """End the process with a text instead of an exit code."""
    raise SystemExit("the end")


@router.get("/exit-in-a-stream")
async def leave_streaming() -> StreamingResponse:
    """End the process from another task."""

    async def parts() -> AsyncIterator[bytes]:
        yield b"12345"
        raise SystemExit(3)

    return StreamingResponse(parts())


@router.get("/interrupted")
def interrupted() -> None:
    """End the process as Ctrl-C does, from a thread."""
    raise KeyboardInterrupt


@router.get("/cancelled")
async def cancelled() -> None:
    """Raise CancelledError."""
    raise asyncio.CancelledError


@router.get("/background")
async def background(tasks: BackgroundTasks) -> dict[str, str]:
    """Respond, then fail."""

    async def fail() -> None:
        raise ValueError("too late")

    tasks.add_task(fail)
    return {"status": "accepted"}


@router.get("/recursion")
async def recursion() -> None:
    """Raise a RecursionError with large values in every frame."""

    def descend(payload: str) -> None:
        descend(payload)

    descend("x" * 10_000)


@router.get("/lost")
async def lose_things() -> None:
    """Lose a task and a thread, fail in a destructor, and warn."""

    async def fail() -> None:
        raise ValueError("lost task")

    def crash() -> None:
        raise ValueError("crashed thread")

    class Fragile:
        def __del__(self) -> None:
            raise ValueError("failed destructor")

    task = asyncio.create_task(fail())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    del task
    thread = threading.Thread(target=crash)
    thread.start()
    thread.join()
    fragile = Fragile()
    del fragile
    warnings.warn("careful", UserWarning, stacklevel=1)


@router.get("/url")
async def url(request: Request) -> str:
    """Return the URL that the service sees."""
    return str(request.url)


@router.websocket("/echo")
async def echo(websocket: WebSocket) -> None:
    """Send back every message."""
    await websocket.accept()
    logger.info("accepted")
    while (message := await websocket.receive())["type"] == "websocket.receive":
        await websocket.send({**message, "type": "websocket.send"})


@router.websocket("/deaf")
async def deaf(websocket: WebSocket) -> None:
    """Receive no message."""
    await websocket.accept()
    logger.info("accepted")
    await asyncio.Event().wait()


@router.websocket("/late")
async def late(websocket: WebSocket) -> None:
    """Answer the handshake late."""
    logger.info("late begins")
    await asyncio.sleep(0.5)
    await websocket.accept()
    await websocket.receive_text()


@router.websocket("/nap")
async def nap(websocket: WebSocket) -> None:
    """Receive no message for a while, then return."""
    await websocket.accept()
    logger.info("accepted", path="/nap")
    await asyncio.sleep(0.5)


@router.websocket("/ticker")
async def ticker(websocket: WebSocket) -> None:
    """Send only."""
    await websocket.accept()
    while True:
        await websocket.send_text("tick")
        await asyncio.sleep(0.01)


@router.websocket("/failing")
async def failing(websocket: WebSocket, accept: bool) -> None:
    """Fail, before or after the handshake."""
    if accept:
        await websocket.accept()
    raise ValueError("broken")


@router.websocket("/denied")
async def denied(websocket: WebSocket) -> None:
    """Refuse the handshake with a response."""
    await websocket.send_denial_response(Response("who are you?", 401))


@router.websocket("/denied/slowly")
async def denied_slowly(websocket: WebSocket) -> None:
    """Refuse the handshake with a slow response."""

    async def parts() -> AsyncIterator[bytes]:
        yield b"12345"
        await asyncio.sleep(0.3)
        yield b"67890"

    await websocket.send_denial_response(StreamingResponse(parts(), 401))


@router.websocket("/closing")
async def closing(websocket: WebSocket, code: int, accept: bool) -> None:
    """Close, before or after the handshake."""
    if accept:
        await websocket.accept()
    await websocket.close(code)


async def pass_on(request: Request, call_next: RequestResponseEndpoint) -> Response:
    """Do nothing, as a `BaseHTTPMiddleware` dispatch function."""
    return await call_next(request)


app.include_router(router)
if os.environ.get("WITH_MIDDLEWARE"):
    app.add_middleware(BaseHTTPMiddleware, dispatch=pass_on)
