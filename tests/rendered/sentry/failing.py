"""Routes that fail in different ways."""

import asyncio
import gc
import logging
import threading
from collections.abc import AsyncIterator
from contextlib import suppress

from fastapi import APIRouter, BackgroundTasks, Depends, HTTPException, WebSocket
from fastapi.responses import StreamingResponse
from loguru import logger

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


@router.get("/thread/{number}")
def in_thread() -> None:
    thread = threading.Thread(target=fail, args=["a thread"])
    thread.start()
    thread.join()


@router.get("/lost-task/{number}")
async def in_lost_task() -> None:
    async def task() -> None:
        fail("a lost task")

    lost = asyncio.create_task(task())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    del lost
    gc.collect()


# Routes that cause one event each, and paths that cause no event.
FAILURES = [
    "answered",
    "async",
    "background",
    "logged-then-answered",
    "logged-then-raised",
    "logger-error",
    "logger-exception",
    "logging-error",
    "logging-exception",
    "lost-task",
    "stream",
    "sync",
    "teardown",
    "thread",
    "told-then-raised",
]
NO_FAILURES = ["/shop/missing/7", "/shop/typed/x", "/nowhere"]
