"""What goes wrong in services, as routes of the application that `served.py` serves."""

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
    """Break after some chunks, perhaps before the first."""

    async def parts() -> AsyncIterator[bytes]:
        for _ in range(chunks):
            yield b"x" * size
        raise ValueError("broken")

    return StreamingResponse(parts())


@router.get("/stream/endless")
async def endless_stream() -> StreamingResponse:
    """Send until somebody leaves."""

    async def parts() -> AsyncIterator[bytes]:
        while True:
            yield CHUNK
            await asyncio.sleep(0)  # uvicorn waits for nothing once the client has gone

    return StreamingResponse(parts())


@router.get("/stream/silent")
async def silent_stream() -> StreamingResponse:
    """Send a little, then wait for what does not come."""

    async def parts() -> AsyncIterator[bytes]:
        yield b"12345"
        await asyncio.Event().wait()

    return StreamingResponse(parts())


@router.get("/stream/deaf")
async def deaf_stream() -> Response:
    """Send until somebody leaves, and do not listen whether anybody does."""

    class Deaf(Response):
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            await send({"type": "http.response.start", "status": 200})
            while True:
                await send({"type": "http.response.body", "body": CHUNK, "more_body": True})

    return Deaf()


@router.get("/stream/sync")
def sync_stream() -> StreamingResponse:
    """Break in a thread."""

    def parts() -> Iterator[bytes]:
        yield b"12345"
        raise ValueError("broken")

    return StreamingResponse(parts())


@router.get("/large")
async def large(size: int) -> Response:
    """Answer at once with many bytes."""
    return Response(b"x" * size)


@router.get("/slow")
async def slow(seconds: float) -> dict[str, float]:
    """Answer later."""
    logger.info("slow begins")
    await asyncio.sleep(seconds)
    return {"seconds": seconds}


@router.get("/stubborn")
async def stubborn() -> None:
    """Refuse to be cancelled."""
    logger.info("stubborn begins")
    while True:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            logger.info("cancellation ignored")


@router.get("/blocked")
def blocked() -> None:
    """Keep a worker thread."""
    logger.info("blocked begins")
    time.sleep(60)


@router.get("/left-behind")
async def left_behind() -> None:
    """Leave a thread behind that nobody waits for."""
    asyncio.get_running_loop().run_in_executor(None, time.sleep, 60)


@router.post("/upload")
async def upload(request: Request) -> int:
    """Count the bytes that are sent."""
    logger.info("upload begins")
    return sum([len(chunk) async for chunk in request.stream()])


@router.get("/status/{status}")
async def answer(status: int) -> None:
    """Answer with an error."""
    raise HTTPException(status)


@router.get("/exit/{code}")
async def leave(code: int) -> None:
    """End the process."""
    raise SystemExit(code)


@router.get("/exit-with-a-text")
async def leave_with_a_text() -> None:
    """End the process as scripts do."""
    raise SystemExit("the end")


@router.get("/exit-in-a-stream")
async def leave_streaming() -> StreamingResponse:
    """End the process from a task of its own."""

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
    """Raise what ends a task."""
    raise asyncio.CancelledError


@router.get("/background")
async def background(tasks: BackgroundTasks) -> dict[str, str]:
    """Answer, then fail."""

    async def fail() -> None:
        raise ValueError("too late")

    tasks.add_task(fail)
    return {"status": "accepted"}


@router.get("/recursion")
async def recursion() -> None:
    """Raise a RecursionError, with large values in every frame."""

    def descend(payload: str) -> None:
        descend(payload)

    descend("x" * 10_000)


@router.get("/lost")
async def lose_things() -> None:
    """Lose a task and a thread, fail where nothing can be raised, and warn."""

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
    """Tell what the service takes its own address for."""
    return str(request.url)


@router.websocket("/echo")
async def echo(websocket: WebSocket) -> None:
    """Send back what comes."""
    await websocket.accept()
    logger.info("accepted")
    while (message := await websocket.receive())["type"] == "websocket.receive":
        await websocket.send({**message, "type": "websocket.send"})


@router.websocket("/deaf")
async def deaf(websocket: WebSocket) -> None:
    """Hear nothing."""
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
    """Hear nothing for a while, then end."""
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
    """Fail, before the handshake is answered or after."""
    if accept:
        await websocket.accept()
    raise ValueError("broken")


@router.websocket("/denied")
async def denied(websocket: WebSocket) -> None:
    """Refuse the handshake with a response."""
    await websocket.send_denial_response(Response("who are you?", 401))


@router.websocket("/denied/slowly")
async def denied_slowly(websocket: WebSocket) -> None:
    """Refuse the handshake with a response that takes its time."""

    async def parts() -> AsyncIterator[bytes]:
        yield b"12345"
        await asyncio.sleep(0.3)
        yield b"67890"

    await websocket.send_denial_response(StreamingResponse(parts(), 401))


@router.websocket("/closing")
async def closing(websocket: WebSocket, code: int, accept: bool) -> None:
    """Close, before the handshake is answered or after."""
    if accept:
        await websocket.accept()
    await websocket.close(code)


async def pass_on(request: Request, call_next: RequestResponseEndpoint) -> Response:
    """Do nothing, as a middleware of Starlette's own kind."""
    return await call_next(request)


app.include_router(router)
if os.environ.get("WITH_MIDDLEWARE"):
    app.add_middleware(BaseHTTPMiddleware, dispatch=pass_on)
