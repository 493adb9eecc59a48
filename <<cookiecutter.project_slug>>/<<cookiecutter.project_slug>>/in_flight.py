"""What is in progress on the server: counted, told of the stop, cancelled at the limit."""

import asyncio
from contextlib import suppress

from starlette.types import ASGIApp, Message, Receive, Scope, Send

GOING_AWAY = 1001  # RFC 6455, section 7.4.1


class InFlight:
    """ASGI middleware around everything, which knows the tasks of all requests in progress."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.lifespan: set[asyncio.Task[None]] = set()
        self._requests: set[asyncio.Task[None]] = set()
        self._websockets: set[OpenWebSocket] = set()

    def __len__(self) -> int:
        return len(self._requests)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        tasks = self.lifespan if scope["type"] == "lifespan" else self._requests
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            if scope["type"] == "websocket":
                await self._websocket(scope, receive, send)
            else:
                await self.app(scope, receive, send)
        finally:
            tasks.discard(task)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        websocket = OpenWebSocket(send)
        self._websockets.add(websocket)
        try:
            await self.app(scope, receive, websocket.send)
        finally:
            self._websockets.discard(websocket)

    async def close_websockets(self) -> None:
        """Tell the client of every WebSocket that the service goes away; none would end by itself."""
        for websocket in [*self._websockets]:
            await websocket.go_away()

    def cancel(self) -> None:
        """Cancel every request in progress."""
        for task in self._requests:
            task.cancel()

    def cancel_lifespan(self) -> None:
        """End the lifespan where the server does not."""
        for task in self.lifespan:
            task.cancel()


class OpenWebSocket:
    """The sending side of one WebSocket, which the service may close in the application's place."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._accepted = False
        self._gone = False

    async def send(self, message: Message) -> None:
        """Pass a message on; after `go_away` there is nobody to take it.

        Raises:
            OSError: the connection is closed. Starlette makes a WebSocketDisconnect of it.
        """
        if self._gone:
            raise OSError("the service is stopping")
        if message["type"] == "websocket.accept":
            self._accepted = True
        elif message["type"] == "websocket.close":
            self._gone = True
        await self._send(message)

    async def go_away(self) -> None:
        """Close the connection, if it is open."""
        if self._accepted and not self._gone:
            self._gone = True
            with suppress(Exception):  # the client may be gone
                await self._send({"type": "websocket.close", "code": GOING_AWAY})
