"""A minimal ASGI server and client, for requests that no library sends."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from prometheus_client import REGISTRY
from starlette.types import ASGIApp, Message

Send = Callable[[Message], Awaitable[None]]


def scope(method: str, path: str, **more: Any) -> dict[str, Any]:
    """Return the scope of a request."""
    return {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "query_string": b"",
        "root_path": "",
        "headers": [],
        **more,
    }


async def request(
    app: ASGIApp, method: str, path: str, *, send: Send | None = None, **more: Any
) -> list[Message]:
    """Send a request without a body and return the response; `send` replaces the client."""
    sent: list[Message] = []
    received: list[Message] = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Message:
        return received.pop() if received else await asyncio.Future()

    async def keep(message: Message) -> None:
        sent.append(message)

    await app(scope(method, path, **more), receive, send or keep)
    return sent


async def websocket(app: ASGIApp, path: str, messages: Sequence[Message] = ()) -> list[Message]:
    """Open a WebSocket, send `messages`, and return the messages from the application."""
    sent: list[Message] = []
    received = iter([{"type": "websocket.connect"}, *messages])

    async def receive() -> Message:
        return next(received)

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope("", path, type="websocket", scheme="ws", subprotocols=[]), receive, send)
    return sent


def sample(name: str, **labels: str) -> float:
    """Return the current value of a metric."""
    return REGISTRY.get_sample_value(name, labels) or 0


def series() -> set[tuple[str, tuple[tuple[str, str], ...]]]:
    """Return the name and the labels of every series."""
    return {
        (found.name, tuple(sorted(found.labels.items())))
        for metric in REGISTRY.collect()
        for found in metric.samples
    }
