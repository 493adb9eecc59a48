"""An application that fails in every way, for a client that calls it without a server."""

import asyncio
import gc
import logging
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any

from fastapi import APIRouter, BackgroundTasks, Depends, HTTPException, WebSocket
from fastapi.responses import StreamingResponse
from loguru import logger

from my_service import resources
from my_service.exception_handlers import add_exception_handlers
from my_service.middleware import Service
from tests.conftest import connect

router = APIRouter(prefix="/shop")


def fail(where: str) -> None:
    raise RuntimeError(f"failed in {where}")


@router.get("/async/{number}")
async def in_async() -> None:
    fail("an async endpoint")


@router.get("/sync/{number}")
def in_sync() -> None:
    fail("a sync endpoint")


@router.get("/stream/{number}")
async def in_stream() -> StreamingResponse:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"first"
        fail("a stream")

    return StreamingResponse(chunks())


@router.get("/background/{number}")
async def in_background(tasks: BackgroundTasks) -> None:
    tasks.add_task(fail, "a background task")


async def resource() -> AsyncIterator[None]:
    yield
    fail("a dependency")


@router.get("/teardown/{number}", dependencies=[Depends(resource)])
async def in_teardown() -> None: ...


@router.get("/answered/{number}")
async def answered() -> None:
    raise HTTPException(500)


@router.get("/logged-then-answered/{number}")
async def logged_then_answered() -> None:
    logger.error("it went wrong")
    raise HTTPException(503)


@router.get("/logged-then-raised/{number}")
def logged_then_raised() -> None:
    try:
        fail("what is logged")
    except RuntimeError:
        logger.exception("logged")
        raise


@router.get("/told-then-raised/{number}")
async def told_then_raised() -> None:
    try:
        fail("what is told of")
    except RuntimeError as error:
        logging.getLogger("library").error("told")
        raise error


@router.websocket("/websocket/{number}")
async def in_websocket(websocket: WebSocket) -> None:
    await websocket.accept()
    fail("a WebSocket")


@router.get("/logger-error/{number}")
async def logger_error() -> None:
    logger.error("an error")


@router.get("/logger-exception/{number}")
async def logger_exception() -> None:
    with suppress(RuntimeError):
        fail("what is caught")
    try:
        fail("what is caught")
    except RuntimeError:
        logger.exception("caught")


@router.get("/logging-error/{number}")
def logging_error() -> None:
    logging.getLogger("library").error("an error of %s", "a library")


@router.get("/logging-exception/{number}")
def logging_exception() -> None:
    try:
        fail("what a library catches")
    except RuntimeError:
        logging.getLogger("library").exception("caught")


@router.get("/typed/{number}")
async def typed(number: int) -> int:
    return number


@router.get("/missing/{number}")
async def missing() -> None:
    raise HTTPException(404)


def make_app(*, debug: bool = False) -> Service:
    """Return the application."""
    app = Service(debug=debug, lifespan=resources.lifespan)
    add_exception_handlers(app)
    app.include_router(router)
    return app


async def get(app: Service, path: str) -> None:
    """Ask for a path; a response that breaks off is an AssertionError of the client."""
    with suppress(AssertionError):
        async with connect(app) as client:
            await client.get(path)


async def open_websocket(app: Service, path: str) -> None:
    """Open a WebSocket and wait until it ends."""

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        pass

    scope = {"type": "websocket", "path": path, "query_string": b"", "headers": [], "scheme": "ws"}
    await app({**scope, "http_version": "1.1", "subprotocols": []}, receive, send)


async def in_thread(_: Service) -> None:
    """Let a thread crash."""
    thread = threading.Thread(target=fail, args=["a thread"])
    thread.start()
    await asyncio.to_thread(thread.join)


async def in_lost_task(_: Service) -> None:
    """Let a task fail that nobody awaits."""

    async def task() -> None:
        fail("a lost task")

    lost = asyncio.create_task(task())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    del lost
    gc.collect()


async def at_start(app: Service) -> None:
    """Let the start-up fail; the lifespan around this has its own."""

    async def startup() -> None:
        fail("the start-up")

    original = resources.startup
    resources.startup = startup
    try:
        with suppress(RuntimeError):
            async with resources.lifespan(app):
                pass
    finally:
        resources.startup = original


def asking(path: str) -> Callable[[Service], Awaitable[None]]:
    """Return what asks for a path under the prefix of the router."""
    return lambda app: get(app, f"/shop/{path}/7")


# What happens once, and is one event.
FAILURES: dict[str, Callable[[Service], Awaitable[None]]] = {
    **{
        path: asking(path)
        for path in (
            "async", "sync", "stream", "background", "teardown", "answered", "logged-then-answered",
            "logged-then-raised", "told-then-raised", "logger-error", "logger-exception",
            "logging-error", "logging-exception",
        )
    },
    "websocket": lambda app: open_websocket(app, "/shop/websocket/7"),
    "thread": in_thread,
    "lost-task": in_lost_task,
    "start-up": at_start,
}  # fmt: skip
# What clients do wrong.
NO_FAILURES = {
    "404": asking("missing"),
    "422": lambda app: get(app, "/shop/typed/x"),
    "nowhere": lambda app: get(app, "/nowhere"),
}
