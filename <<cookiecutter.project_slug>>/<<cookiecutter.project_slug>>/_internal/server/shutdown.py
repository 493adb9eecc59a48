"""Graceful shutdown: not ready, then no new connections, then the limit for requests."""

import asyncio
import signal
import time
from contextlib import suppress

from loguru import logger
from starlette.types import ASGIApp

from ..asgi.readiness import set_state
from .connections import Connections
from .in_flight import InFlightMiddleware
from .settings import StopSettings

# A signal to a process group can arrive twice; only a later one counts as the second.
SAME_SIGNAL = 0.1  # seconds
# Seconds for a new connection to send its first request; proxies send it at once.
_FIRST_REQUEST = 0.1
INTERRUPTED = 128 + signal.SIGINT  # as shells report a KeyboardInterrupt


def exit_code(error: BaseException | None) -> int:
    """Return the exit code of a process that `error` ends."""
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED
    code = (error.code or 0) if isinstance(error, SystemExit) else 1
    return code if isinstance(code, int) else 1


class GracefulShutdown:
    """Graceful shutdown of the server: its triggers, its limits and the exit code.

    Args:
        app: the application to serve.
        settings: the shutdown delay and the shutdown timeout.
        connections: those of the server.
    """

    def __init__(self, app: ASGIApp, settings: StopSettings, connections: Connections) -> None:
        self.in_flight = InFlightMiddleware(app, on_exit=self.on_exit)
        self.exit_code = 0
        self._delay = settings.shutdown_delay
        self._timeout = settings.shutdown_timeout
        self._connections = connections
        self._requested = asyncio.Event()
        self._forced = asyncio.Event()
        self._requested_at = 0.0

    def on_signal(self, number: signal.Signals) -> None:
        """Begin the shutdown; a second signal ends the wait for requests."""
        if not self._requested.is_set():
            self._request(signal=number.name)
        elif time.monotonic() - self._requested_at > SAME_SIGNAL and not self._forced.is_set():
            self._forced.set()
            logger.error("second signal", signal=number.name, cancelled=len(self.in_flight))

    def on_exit(self, error: BaseException) -> None:
        """Begin the shutdown because the application raised `error`, and keep its exit code."""
        self.exit_code = exit_code(error)
        if not self._requested.is_set():
            self._request(raised=type(error).__name__)

    def _request(self, **reason: str) -> None:
        self._requested_at = time.monotonic()
        self._requested.set()
        set_state("stopping")
        logger.info("stopping", **reason)

    async def wait_for_stop(self) -> None:
        """Return when the server must end; its port is closed by then."""
        await self._requested.wait()
        await self._forced_within(self._delay)
        await self._connections.close_port()
        self._connections.announce_end()
        await self.in_flight.close_websockets()
        await self._drain_connections()

    async def _drain_connections(self) -> None:
        """Return when all connections are closed, or the time for idle ones to close is over.

        A proxy cannot retry a POST that it sends just as its connection is closed here. With an
        idle timeout below the delay it closes idle connections itself.
        """
        if await self._forced_within(_FIRST_REQUEST):
            return
        gone = asyncio.ensure_future(self._connections.wait_closed())
        forced = asyncio.ensure_future(self._forced.wait())
        # Well before the limit, which is for requests.
        limit = min(self._delay, self._timeout / 2)
        await asyncio.wait({gone, forced}, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
        gone.cancel()
        forced.cancel()

    async def limit(self) -> None:
        """Return when the time for requests in flight is over."""
        await self._requested.wait()
        if not await self._forced_within(self._delay + self._timeout):
            logger.error("shutdown limit passed", cancelled=len(self.in_flight))

    def seconds_left(self) -> float:
        """Return the seconds until the shutdown limit; 0 after it or if no shutdown began."""
        return max(self._requested_at + self._delay + self._timeout - time.monotonic(), 0.0)

    async def _forced_within(self, seconds: float) -> bool:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._forced.wait(), seconds)
        return self._forced.is_set()
