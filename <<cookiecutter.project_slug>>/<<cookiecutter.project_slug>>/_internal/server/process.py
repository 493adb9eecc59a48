"""Serve an application in this process, and return the exit code."""

import asyncio
import gc
import os
import signal
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import copy_context
from typing import Any, Protocol

from loguru import logger
from starlette.types import ASGIApp

from ..asgi.exchange import in_flight
from ..log.capture import log_loop_error
from ..log.sink import flush
from ..platforms import STOP_SIGNALS, shortcomings
from .application import load
from .connections import Connections
from .listener import Listener, remedy
from .parent_watch import stop_with_parent
from .settings import ServerSettings
from .shutdown import GracefulShutdown, exit_code

AFTER_CANCEL = 1.0  # seconds for cancelled requests, `shutdown` and remaining threads to end


class LifespanError(Exception):
    """The lifespan has failed, which is logged; the cause can be a SystemExit."""


class Server(Connections, Protocol):
    """An ASGI server."""

    @property
    def loop_factory(self) -> Callable[[], asyncio.AbstractEventLoop] | None:
        """What makes the event loop; None: asyncio's own."""

    async def serve(self, app: ASGIApp, wait_for_stop: Callable[[], Awaitable[None]]) -> None:
        """Serve until `wait_for_stop` returns and the requests in flight have ended.

        Raises:
            LifespanError: the lifespan has failed.
        """


def run(
    path: str,
    settings: ServerSettings,
    make_server: Callable[[ServerSettings, Listener], Server],
) -> int:
    """Serve the application at `package.module:name` and return the exit code of the process.

    0 if all requests ended in time; 1 after a second signal, an exceeded limit, a failed start-up
    or if the port is in use; the application's own if it raises SystemExit.
    """
    if "WATCHFILES_CHANGES" in os.environ:  # `make dev`
        stop_with_parent()
    app = load(path)
    _warn_of_workers(os.environ.get("WEB_CONCURRENCY", ""))
    if limits := shortcomings():
        logger.info(f"on this platform {'; '.join(limits)}")
    try:
        listener = Listener(settings.host, settings.port)
    except (OSError, UnicodeError) as error:
        where = f"{settings.host} port {settings.port}"
        logger.error(f"cannot listen on {where}: {error}; {remedy(error)}")
        return 1
    server = make_server(settings, listener)
    stop = GracefulShutdown(app, settings, server)
    # Imported objects stay alive: exclude them from garbage collection.
    gc.collect()
    gc.freeze()
    with asyncio.Runner(loop_factory=server.loop_factory) as runner:
        loop = runner.get_loop()
        for number in STOP_SIGNALS:
            _on_signal(loop, number, stop)
        code = _run(loop, stop, server)
        loop.set_exception_handler(_log_lost)
        if stop.in_flight:
            _exit(code)
        # A remaining thread must not keep the process alive forever.
        last_resort = threading.Timer(stop.seconds_left() + AFTER_CANCEL, _exit, [code])
        last_resort.daemon = True
        last_resort.start()
    # A late signal must not change the exit code.
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    return code


def _on_signal(
    loop: asyncio.AbstractEventLoop, number: signal.Signals, stop: GracefulShutdown
) -> None:
    try:
        loop.add_signal_handler(number, stop.on_signal, number)
    except NotImplementedError:  # Windows; its loop wakes up for Python's own handlers
        context = copy_context()  # not that of the request which the signal interrupts

        def handle(*_: object) -> None:
            with suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(stop.on_signal, number, context=context)

        signal.signal(number, handle)


def _warn_of_workers(count: str) -> None:
    """Say that the number of workers, which hosting platforms set, has no effect."""
    if count not in ("", "1"):
        logger.warning(f"WEB_CONCURRENCY={count} is ignored: scale by instances of one process")


def _run(loop: asyncio.AbstractEventLoop, stop: GracefulShutdown, server: Server) -> int:
    """Serve to the end, even if a task raises SystemExit, which only interrupts the event loop."""
    main = loop.create_task(_serve(stop, server))
    while not main.done():
        try:
            loop.run_until_complete(main)
        except (KeyboardInterrupt, SystemExit) as error:
            stop.on_exit(error)
    return main.result()


async def _serve(stop: GracefulShutdown, server: Server) -> int:
    serving = asyncio.ensure_future(server.serve(stop.in_flight, stop.wait_for_stop))
    serving.add_done_callback(_error)  # or asyncio logs that it was never retrieved
    limit = asyncio.ensure_future(stop.limit())
    await asyncio.wait({serving, limit}, return_when=asyncio.FIRST_COMPLETED)
    limit.cancel()
    in_time = serving.done()
    if not in_time:
        await _cancel_requests(serving, stop)
    code = _exit_code(serving)
    # If the server has not done so: resources are released in any case.
    await stop.in_flight.end_lifespan(AFTER_CANCEL)
    return stop.exit_code or code or int(not in_time)


async def _cancel_requests(serving: asyncio.Future[None], stop: GracefulShutdown) -> None:
    """Cancel the requests in flight, and write the log lines of those that do not end."""
    stop.in_flight.cancel()
    await asyncio.wait({serving}, timeout=AFTER_CANCEL)
    for exchange in [*in_flight]:
        exchange.abort()


def _error(serving: asyncio.Future[None]) -> BaseException | None:
    return serving.exception() if serving.done() and not serving.cancelled() else None


def _exit_code(serving: asyncio.Future[None]) -> int:
    """Return the exit code of the finished server; log its error, except one of the lifespan."""
    error = _error(serving)
    if isinstance(error, LifespanError):
        return exit_code(error.__cause__)
    if error:
        logger.opt(exception=error).error("server failed")
    return int(error is not None)


def _log_lost(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log errors lost at the end of the loop, except cancellation and lifespan failures."""
    if not isinstance(context.get("exception"), asyncio.CancelledError | LifespanError):
        log_loop_error(loop, context)


def _exit(code: int) -> None:
    """Flush the log and end the process, even if threads still run."""
    flush()
    os._exit(code)
