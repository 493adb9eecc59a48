"""What is in progress on the server: counted, told of the stop, cancelled at the limit."""

import asyncio
from collections.abc import Callable
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from .hypercorn_streams import WebSocketStream

_FAREWELL = 1.0  # seconds in which clients of WebSockets are told


class InFlight:
    """ASGI middleware around everything, which knows the tasks of all requests in progress.

    Args:
        app: the application that is served.
        on_exit: called with what the application raised to end the process.
    """

    def __init__(self, app: ASGIApp, on_exit: Callable[[BaseException], None]) -> None:
        self.app = app
        self._on_exit = on_exit
        self._lifespan: set[asyncio.Task[Any]] = set()
        self._requests: set[asyncio.Task[Any]] = set()
        self._websockets: set[WebSocketStream] = set()

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
            # It would tear down the event loop, and with it every other request.
            self._on_exit(error)
        finally:
            tasks.discard(task)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        stream: WebSocketStream = send.__self__  # type: ignore[attr-defined]
        self._websockets.add(stream)
        try:
            await self.app(scope, receive, send)
        finally:
            self._websockets.discard(stream)

    async def close_websockets(self) -> None:
        """Tell both ends of every WebSocket that the service goes away; none would end by itself."""
        farewells = [asyncio.ensure_future(stream.go_away()) for stream in self._websockets]
        if farewells:
            await asyncio.wait(farewells, timeout=_FAREWELL)

    def cancel(self) -> None:
        """Cancel every request in progress."""
        for task in self._requests:
            task.cancel()

    async def end_lifespan(self, timeout: float) -> None:
        """End the lifespan where it still runs, and wait for that at most `timeout` seconds."""
        for task in self._lifespan:
            task.cancel()
        if self._lifespan:
            await asyncio.wait(self._lifespan, timeout=timeout)
