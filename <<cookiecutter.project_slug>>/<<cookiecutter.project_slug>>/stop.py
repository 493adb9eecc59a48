"""The way from the first signal to the end: refused as ready, no new connections, the limit."""

import asyncio
import signal
import time
from contextlib import suppress

from hypercorn.config import Config
from loguru import logger
from starlette.types import ASGIApp

from . import resources
from .config import Settings
from .hypercorn_repairs import open_connections
from .in_flight import InFlight
from .listener import Listener

# A signal to a process group can arrive twice; only a later one is a second demand.
SAME_SIGNAL = 0.1  # seconds
# Seconds in which a connection that is just open brings its request; proxies send it at once.
_FIRST_REQUEST = 0.1
INTERRUPTED = 128 + signal.SIGINT  # what a shell makes of a KeyboardInterrupt


def exit_code(error: BaseException | None) -> int:
    """Return the exit code of a process that `error` ends."""
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED
    code = (error.code or 0) if isinstance(error, SystemExit) else 1
    return code if isinstance(code, int) else 1


class Stop:
    """The end of a server: who asks for it, how long it may take, and with which exit code.

    Args:
        app: the application that is served.
        settings: how long the port still answers, and what requests in flight have after that.
        config: that of the server.
        listener: what the server listens on.
    """

    def __init__(
        self, app: ASGIApp, settings: Settings, config: Config, listener: Listener
    ) -> None:
        self.in_flight = InFlight(app, on_exit=self.on_exit)
        self.exit_code = 0
        self._delay = settings.shutdown_delay
        self._timeout = settings.shutdown_timeout
        self._config = config
        self._listener = listener
        self._requested = asyncio.Event()
        self._forced = asyncio.Event()
        self._requested_at = 0.0

    def on_signal(self, number: signal.Signals) -> None:
        """Begin to stop; a second signal ends the wait for requests."""
        if not self._requested.is_set():
            self._request(signal=number.name)
        elif time.monotonic() - self._requested_at > SAME_SIGNAL and not self._forced.is_set():
            self._forced.set()
            logger.error("second signal", signal=number.name, cancelled=len(self.in_flight))

    def on_exit(self, error: BaseException) -> None:
        """Begin to stop because the application raised `error`, and take its exit code."""
        self.exit_code = exit_code(error)
        if not self._requested.is_set():
            self._request(raised=type(error).__name__)

    def _request(self, **reason: str) -> None:
        self._requested_at = time.monotonic()
        self._requested.set()
        resources.stop_accepting()
        logger.info("stopping", **reason)

    async def trigger(self) -> None:
        """Return when Hypercorn is to take no more connections."""
        await self._requested.wait()
        await self._forced_within(self._delay)
        await self._listener.close()
        self._announce_end()
        await self.in_flight.close_websockets()
        await self._let_clients_leave()

    def _announce_end(self) -> None:
        # With HTTP/1.1 every response says it from now on.
        self._config.keep_alive_max_requests = 0
        for connection in open_connections.values():
            connection.announce_end()

    async def _let_clients_leave(self) -> None:
        """Return when all connections are closed, or the idle ones have had their time for that.

        A proxy cannot repeat a POST that it sends at the moment when its connection is closed here.
        It should not have any that are idle for as long as the delay: it closes them itself.
        """
        if await self._forced_within(_FIRST_REQUEST) or not open_connections:
            return
        gone = asyncio.ensure_future(asyncio.wait(open_connections))
        forced = asyncio.ensure_future(self._forced.wait())
        # Well before the limit, which is there for requests.
        limit = min(self._delay, self._timeout / 2)
        await asyncio.wait({gone, forced}, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
        gone.cancel()
        forced.cancel()

    async def limit(self) -> None:
        """Return when the requests in flight have had their time."""
        await self._requested.wait()
        if not await self._forced_within(self._delay + self._timeout):
            logger.error("shutdown limit passed", cancelled=len(self.in_flight))

    def seconds_left(self) -> float:
        """Return how long the process may take to end; 0 when that is over, or nobody asked."""
        return max(self._requested_at + self._delay + self._timeout - time.monotonic(), 0.0)

    async def _forced_within(self, seconds: float) -> bool:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._forced.wait(), seconds)
        return self._forced.is_set()
