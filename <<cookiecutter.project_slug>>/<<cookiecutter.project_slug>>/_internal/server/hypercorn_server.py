"""Serve the application with Hypercorn and return the exit code."""

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

from ..asgi.exchange import in_flight
from ..log.capture import log_loop_error
from ..log.sink import flush
from .application import load
from .hypercorn_patches import patch_hypercorn
from .listener import Listener
from .parent_watch import stop_with_parent
from .settings import ServerSettings
from .shutdown import GracefulShutdown, exit_code

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
AFTER_CANCEL = 1.0  # seconds for cancelled requests, `shutdown` and remaining threads to end


def run(path: str, settings: ServerSettings) -> int:
    """Serve the application at `package.module:name` and return the exit code of the process.

    0 if all requests ended in time; 1 after a second signal, an exceeded limit, a failed start-up
    or if the port is in use; the application's own if it raises SystemExit.
    """
    if "WATCHFILES_CHANGES" in os.environ:  # `make dev`
        stop_with_parent()
    app = load(path)
    try:
        listener = Listener(settings.host, settings.port)
    except (OSError, UnicodeError) as error:
        logger.error(f"cannot listen on {settings.host} port {settings.port}: {error}")
        return 1
    patch_hypercorn()
    # Imported objects stay alive: exclude them from garbage collection.
    gc.collect()
    gc.freeze()
    config = _config(settings, listener)
    stop = GracefulShutdown(app, settings, config, listener)
    with asyncio.Runner() as runner:
        loop = runner.get_loop()
        for number in STOP_SIGNALS:
            loop.add_signal_handler(number, stop.on_signal, number)
        code = _run(loop, stop, config)
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


class ServerConfig(Config):
    """Hypercorn's settings, with a port that is already bound."""

    def __init__(self, listener: Listener) -> None:
        super().__init__()
        self._listener = listener

    def create_sockets(self) -> Sockets:
        """Return the sockets that Hypercorn listens on."""
        return Sockets([], [self._listener.port], [])


def _config(settings: ServerSettings, listener: Listener) -> Config:
    config = ServerConfig(listener)
    config.root_path = settings.root_path
    config.include_server_header = False
    config.errorlog = HypercornLogger("hypercorn.error")
    # Longer than a proxy keeps idle connections, so that the proxy closes them first.
    config.keep_alive_timeout = 150
    config.keep_alive_max_requests = 1_000_000_000
    # `GracefulShutdown` has its own limits, which work on every version of Python.
    config.graceful_timeout = 2 * (settings.shutdown_delay + settings.shutdown_timeout) + 60
    config.shutdown_timeout = config.graceful_timeout
    config.backlog = 1024
    return config


class HypercornLogger(logging.Logger):
    """Logger that records the caller of Hypercorn's wrapper instead of the wrapper.

    Hypercorn uses a given logger unchanged; a logger that it creates writes a different format.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.parent = logging.getLogger()

    def findCaller(  # noqa: N802
        self, stack_info: bool = False, stacklevel: int = 1
    ) -> tuple[str, int, str, str | None]:
        # Skip two more frames: this one and the wrapper.
        return super().findCaller(stack_info, stacklevel + 2)


def _run(loop: asyncio.AbstractEventLoop, stop: GracefulShutdown, config: Config) -> int:
    """Serve to the end, even if a task raises SystemExit, which only interrupts the event loop."""
    main = loop.create_task(_serve(stop, config))
    while not main.done():
        try:
            loop.run_until_complete(main)
        except (KeyboardInterrupt, SystemExit) as error:
            stop.on_exit(error)
    return main.result()


async def _serve(stop: GracefulShutdown, config: Config) -> int:
    # Hypercorn defines separate types for ASGI messages.
    application = cast(ASGIFramework, stop.in_flight)
    server = asyncio.ensure_future(
        serve(application, config, shutdown_trigger=stop.wait_for_stop, mode="asgi")
    )
    server.add_done_callback(_error)  # or asyncio logs that it was never retrieved
    limit = asyncio.ensure_future(stop.limit())
    await asyncio.wait({server, limit}, return_when=asyncio.FIRST_COMPLETED)
    limit.cancel()
    in_time = server.done()
    if not in_time:
        await _cancel_requests(server, stop)
    code = _exit_code(server)
    # If the server has not done so: resources are released in any case.
    await stop.in_flight.end_lifespan(AFTER_CANCEL)
    return stop.exit_code or code or int(not in_time)


async def _cancel_requests(server: asyncio.Future[None], stop: GracefulShutdown) -> None:
    """Cancel the requests in flight, and write the log lines of those that do not end."""
    stop.in_flight.cancel()
    await asyncio.wait({server}, timeout=AFTER_CANCEL)
    for exchange in [*in_flight]:
        exchange.abort()


def _error(server: asyncio.Future[None]) -> BaseException | None:
    return server.exception() if server.done() and not server.cancelled() else None


def _exit_code(server: asyncio.Future[None]) -> int:
    """Return the exit code of the finished server; log its error, except one of the lifespan."""
    error = _error(server)
    if isinstance(error, LifespanFailureError):
        return exit_code(error.__context__)
    if error:
        logger.opt(exception=error).error("server failed")
    return int(error is not None)


def _log_lost(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log errors lost at the end of the loop, except cancellation and lifespan failures."""
    if not isinstance(context.get("exception"), asyncio.CancelledError | LifespanFailureError):
        log_loop_error(loop, context)


def _exit(code: int) -> None:
    """Flush the log and end the process, even if threads still run."""
    flush()
    os._exit(code)
