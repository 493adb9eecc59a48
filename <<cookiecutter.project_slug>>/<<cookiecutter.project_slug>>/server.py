"""The server in this process: one way to start, an orderly way to stop, an honest exit code."""

import asyncio
import logging
import os
import signal
import socket
from contextlib import suppress
from typing import cast

from hypercorn.asyncio import serve
from hypercorn.config import Config
from hypercorn.typing import ASGIFramework
from hypercorn.utils import LifespanFailureError
from loguru import logger
from starlette.types import ASGIApp

from . import resources
from .config import Settings
from .in_flight import InFlight
from .logging import flush

# A signal to a process group can arrive twice; only a later one is a second demand.
SAME_SIGNAL = 0.1  # seconds
AFTER_CANCEL = 1.0  # seconds that cancelled requests and `shutdown` get


def run(app: ASGIApp, settings: Settings) -> int:
    """Serve `app` until SIGTERM or SIGINT and return the exit code of the process.

    0 when all requests ended in time; 1 after a second signal, a passed limit, a failed start-up or
    a taken port.
    """
    try:
        listener = _bind(settings.host, settings.port)
    except OSError as error:
        logger.error(f"cannot listen on {settings.host} port {settings.port}: {error}")
        return 1
    with asyncio.Runner() as runner:
        exit_code = runner.run(_serve(app, settings, listener))
        if exit_code:
            # A thread that is still in an endpoint would keep the process alive.
            flush()
            os._exit(exit_code)
    return exit_code


def _bind(host: str, port: int) -> socket.socket:
    """Take the port before anything is started; connections are accepted after the start-up."""
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
    except OSError:
        listener.close()
        raise
    return listener


def _config(settings: Settings, listener: socket.socket) -> Config:
    config = Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.root_path = settings.root_path
    config.include_server_header = False
    config.errorlog = HypercornLogger("hypercorn.error")
    # Longer than a proxy keeps idle connections: one that it takes for open must not be closed here.
    config.keep_alive_timeout = 150
    config.keep_alive_max_requests = 1_000_000_000
    # `Stop` has its own limits, which hold on every version of Python.
    config.graceful_timeout = 2 * (settings.shutdown_delay + settings.shutdown_timeout) + 60
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


class Stop:
    """The way from the first signal to the end: refused as ready, no new connections, the limit."""

    def __init__(self, in_flight: InFlight, delay: float, timeout: float) -> None:
        self.in_flight = in_flight
        self.delay = delay
        self.timeout = timeout
        self._requested = asyncio.Event()
        self._forced = asyncio.Event()
        self._requested_at = 0.0

    def on_signal(self, number: signal.Signals) -> None:
        """Begin to stop; a second signal ends the wait for requests."""
        now = asyncio.get_running_loop().time()
        if not self._requested.is_set():
            self._requested_at = now
            self._requested.set()
            resources.stop_accepting()
            logger.info("stopping", signal=number.name)
        elif now - self._requested_at > SAME_SIGNAL and not self._forced.is_set():
            self._forced.set()
            logger.error("second signal", signal=number.name, cancelled=len(self.in_flight))

    async def trigger(self) -> None:
        """Return when Hypercorn is to take no more connections."""
        await self._requested.wait()
        await self._forced_within(self.delay)
        await self.in_flight.close_websockets()

    async def limit(self) -> None:
        """Return when the requests in flight have had their time."""
        await self._requested.wait()
        if not await self._forced_within(self.delay + self.timeout):
            logger.error("shutdown limit passed", cancelled=len(self.in_flight))

    async def _forced_within(self, seconds: float) -> bool:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._forced.wait(), seconds)
        return self._forced.is_set()


async def _serve(app: ASGIApp, settings: Settings, listener: socket.socket) -> int:
    loop = asyncio.get_running_loop()
    in_flight = InFlight(app)
    stop = Stop(in_flight, settings.shutdown_delay, settings.shutdown_timeout)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.on_signal, number)
    # Hypercorn has types of its own for ASGI's messages.
    server = loop.create_task(
        serve(
            cast(ASGIFramework, in_flight),
            _config(settings, listener),
            shutdown_trigger=stop.trigger,
            mode="asgi",
        )
    )
    limit = loop.create_task(stop.limit())
    await asyncio.wait({server, limit}, return_when=asyncio.FIRST_COMPLETED)
    limit.cancel()
    if server.done():
        return _result(server)
    in_flight.cancel()
    await asyncio.wait({server}, timeout=AFTER_CANCEL)
    if not server.done():
        # Somebody refuses to be cancelled. The resources are given back all the same.
        server.cancel()
        in_flight.cancel_lifespan()
        await asyncio.wait(in_flight.lifespan | {server}, timeout=AFTER_CANCEL)
    return 1


def _result(server: asyncio.Task[None]) -> int:
    try:
        server.result()
    except LifespanFailureError:
        return 1  # the lifespan has logged why
    except Exception:
        logger.exception("server failed")
        return 1
    return 0
