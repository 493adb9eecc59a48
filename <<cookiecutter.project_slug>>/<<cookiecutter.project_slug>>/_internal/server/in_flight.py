"""Track requests in flight; close WebSockets and cancel requests on shutdown."""

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

from starlette.types import ASGIApp, Receive, Scope, Send

_CLOSE_TIMEOUT = 1.0  # seconds for closing all WebSockets


class WebSocket(Protocol):
    """A WebSocket of the server, whose bound `send` the application gets."""

    async def go_away(self) -> None:
        """Close the connection because the service stops, and notify the application."""


class InFlightMiddleware:
    """Outermost ASGI middleware, which tracks the tasks of all requests in flight.

    Args:
        app: the application to serve.
        on_exit: called with a KeyboardInterrupt or SystemExit that the application raises.
    """

    def __init__(self, app: ASGIApp, on_exit: Callable[[BaseException], None]) -> None:
        self.app = app
        self._on_exit = on_exit
        self._lifespan: set[asyncio.Task[Any]] = set()
        self._requests: set[asyncio.Task[Any]] = set()
        self._websockets: set[WebSocket] = set()
        self._closes_websockets = False

    def __len__(self) -> int:
        return len(self._requests)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        tasks = self._lifespan if scope["type"] == "lifespan" else self._requests
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            if scope["type"] == "websocket":
                await self._websocket(scope, receive, send)
            else:
                await self.app(scope, receive, send)
        except (KeyboardInterrupt, SystemExit) as error:
            # It would end the event loop and with it every other request.
            self._on_exit(error)
        finally:
            tasks.discard(task)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        stream: WebSocket = send.__self__  # type: ignore[attr-defined]
        self._websockets.add(stream)
        if self._closes_websockets:  # a proxy can open one on a connection that it kept
            await stream.go_away()
        try:
            await self.app(scope, receive, send)
        finally:
            self._websockets.discard(stream)

    async def close_websockets(self) -> None:
        """Close every WebSocket and notify its endpoint; none would end by itself."""
        self._closes_websockets = True
        closing = [asyncio.ensure_future(stream.go_away()) for stream in self._websockets]
        if closing:
            await asyncio.wait(closing, timeout=_CLOSE_TIMEOUT)

    def cancel(self) -> None:
        """Cancel every request in flight."""
        for task in self._requests:
            task.cancel()

    async def end_lifespan(self, timeout: float) -> None:
        """Cancel the lifespan if it still runs, and wait for it at most `timeout` seconds."""
        for task in self._lifespan:
            task.cancel()
        if self._lifespan:
            await asyncio.wait(self._lifespan, timeout=timeout)
