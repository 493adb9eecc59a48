"""The server in this process: one way to start, an orderly way to stop, an honest exit code."""

import asyncio
import gc
import logging
import os
import signal
import threading
from typing import Any, cast

from hypercorn.asyncio import serve
from hypercorn.config import Config, Sockets
from hypercorn.typing import ASGIFramework
from hypercorn.utils import LifespanFailureError
from loguru import logger
from starlette.types import ASGIApp

from . import hypercorn_repairs
from .capture import log_lost
from .config import Settings
from .listener import Listener
from .logging import flush
from .middleware import in_progress
from .stop import Stop, exit_code

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
AFTER_CANCEL = 1.0  # seconds that cancelled requests, `shutdown` and what is left of threads get


def run(app: ASGIApp, settings: Settings) -> int:
    """Serve `app` until SIGTERM or SIGINT and return the exit code of the process.

    0 when all requests ended in time; 1 after a second signal, a passed limit, a failed start-up or
    a taken port; what `app` asks for when it raises SystemExit.
    """
    try:
        listener = Listener(settings.host, settings.port)
    except (OSError, UnicodeError) as error:
        logger.error(f"cannot listen on {settings.host} port {settings.port}: {error}")
        return 1
    hypercorn_repairs.install()
    # What was imported stays: the garbage collector need not look at it again and again.
    gc.collect()
    gc.freeze()
    config = _config(settings, listener)
    stop = Stop(app, settings, config, listener)
    with asyncio.Runner() as runner:
        loop = runner.get_loop()
        for number in STOP_SIGNALS:
            loop.add_signal_handler(number, stop.on_signal, number)
        code = _run(loop, stop, config)
        loop.set_exception_handler(_log_lost)
        if stop.in_flight:
            _exit(code)
        # A thread that nobody waits for may not keep the process alive for ever.
        last_resort = threading.Timer(stop.seconds_left() + AFTER_CANCEL, _exit, [code])
        last_resort.daemon = True
        last_resort.start()
    # A signal that is late has nothing more to say.
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    return code


class ServerConfig(Config):
    """Hypercorn's settings, with a port that is taken already."""

    def __init__(self, listener: Listener) -> None:
        super().__init__()
        self._listener = listener

    def create_sockets(self) -> Sockets:
        """Return what Hypercorn listens on."""
        return Sockets([], [self._listener.port], [])


def _config(settings: Settings, listener: Listener) -> Config:
    config = ServerConfig(listener)
    config.root_path = settings.root_path
    config.include_server_header = False
    config.errorlog = HypercornLogger("hypercorn.error")
    # Longer than a proxy keeps idle connections: one that it takes for open must not be closed here.
    config.keep_alive_timeout = 150
    config.keep_alive_max_requests = 1_000_000_000
    # `Stop` has its own limits, which hold on every version of Python.
    config.graceful_timeout = 2 * (settings.shutdown_delay + settings.shutdown_timeout) + 60
    config.shutdown_timeout = config.graceful_timeout
    config.backlog = 1024
    return config


class HypercornLogger(logging.Logger):
    """Hypercorn's messages, with the place that they come from instead of its own wrapper.

    Given a logger, Hypercorn leaves it as it is; one that it makes writes lines of its own.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.parent = logging.getLogger()

    def findCaller(  # noqa: N802
        self, stack_info: bool = False, stacklevel: int = 1
    ) -> tuple[str, int, str, str | None]:
        # Two more frames: this one and that of the wrapper.
        return super().findCaller(stack_info, stacklevel + 2)


def _run(loop: asyncio.AbstractEventLoop, stop: Stop, config: Config) -> int:
    """Serve to the end, even where a task raises SystemExit: asyncio then only leaves the loop."""
    main = loop.create_task(_serve(stop, config))
    while not main.done():
        try:
            loop.run_until_complete(main)
        except (KeyboardInterrupt, SystemExit) as error:
            stop.on_exit(error)
    return main.result()


async def _serve(stop: Stop, config: Config) -> int:
    # Hypercorn has types of its own for ASGI's messages.
    application = cast(ASGIFramework, stop.in_flight)
    server = asyncio.ensure_future(
        serve(application, config, shutdown_trigger=stop.trigger, mode="asgi")
    )
    server.add_done_callback(_error)  # once asked for, it is not lost
    limit = asyncio.ensure_future(stop.limit())
    await asyncio.wait({server, limit}, return_when=asyncio.FIRST_COMPLETED)
    limit.cancel()
    in_time = server.done()
    if not in_time:
        await _cut_off(server, stop)
    code = _exit_code(server)
    # Where the server has not done so: the resources are given back whatever happened.
    await stop.in_flight.end_lifespan(AFTER_CANCEL)
    return stop.exit_code or code or int(not in_time)


async def _cut_off(server: asyncio.Future[None], stop: Stop) -> None:
    """Cancel the requests in progress, and write the lines of those that refuse to be."""
    stop.in_flight.cancel()
    await asyncio.wait({server}, timeout=AFTER_CANCEL)
    for exchange in [*in_progress]:
        exchange.give_up()


def _error(server: asyncio.Future[None]) -> BaseException | None:
    return server.exception() if server.done() and not server.cancelled() else None


def _exit_code(server: asyncio.Future[None]) -> int:
    """Return the exit code for how the server ended; log an error, but not that of the lifespan."""
    error = _error(server)
    if isinstance(error, LifespanFailureError):
        return exit_code(error.__context__)
    if error:
        logger.opt(exception=error).error("server failed")
    return int(error is not None)


def _log_lost(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log what is lost at the end of the loop, but not that the end of the loop cancels it."""
    if not isinstance(context.get("exception"), asyncio.CancelledError | LifespanFailureError):
        log_lost(loop, context)


def _exit(code: int) -> None:
    """End the process with everything that still runs in it."""
    flush()
    os._exit(code)
