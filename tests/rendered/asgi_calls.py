"""A minimal ASGI server for messages that a real server would reject or not produce."""

import asyncio
from typing import Any

import pytest
from starlette.types import ASGIApp, Message

from checks.apps import logged
from my_service._internal.asgi.exchange import in_flight

DISCONNECT = {"type": "http.disconnect"}
START = {"type": "http.response.start", "status": 200, "headers": []}
END = {"type": "http.response.body"}


def http(path: str = "/", **changes: Any) -> dict[str, Any]:
    """Return the scope of a GET with the given changes."""
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.1"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [],
        "client": ("192.0.2.1", 1234),
        "server": ("127.0.0.1", 8000),
        "state": {},
    } | changes


def websocket(path: str = "/", **changes: Any) -> dict[str, Any]:
    """Return the scope of a WebSocket on a server that supports denial responses."""
    return http(path) | {
        "type": "websocket",
        "scheme": "ws",
        "subprotocols": [],
        "extensions": {"websocket.http.response": {}},
        **changes,
    }


class Server:
    """One exchange: the messages received, the messages sent, and the point of disconnect.

    Args:
        received: messages from the client; after them, `receive` waits.
        lost_at: index of the sent message that raises OSError.
    """

    def __init__(self, *received: Message, lost_at: int | None = None) -> None:
        self.received = list(received)
        self.sent: list[Message] = []
        self.lost_at = lost_at

    async def receive(self) -> Message:
        while not self.received:
            await asyncio.sleep(0.01)
        return self.received.pop(0)

    async def send(self, message: Message) -> None:
        await asyncio.sleep(0)
        if len(self.sent) == self.lost_at:
            raise OSError("no client")
        self.sent.append(message)

    @property
    def head(self) -> Message:
        """The response start message."""
        [head] = [message for message in self.sent if message["type"].endswith("response.start")]
        return head

    @property
    def headers(self) -> dict[str, str]:
        """The response headers."""
        return {name.decode(): value.decode() for name, value in self.head["headers"]}

    @property
    def body(self) -> bytes:
        """The body sent so far."""
        return b"".join(message.get("body", b"") for message in self.sent)


async def call(app: ASGIApp, scope: dict[str, Any], *received: Message) -> Server:
    """Call `app` and return the server with the messages sent."""
    server = Server(*received)
    await app(scope, server.receive, server.send)
    return server


async def given_up(app: ASGIApp, scope: dict[str, Any]) -> None:
    """Call `app`, abort its exchange as at process exit, then cancel it."""
    server = Server()
    task = asyncio.create_task(logged(app)(scope, server.receive, server.send))
    await asyncio.sleep(0.01)
    for exchange in in_flight:
        exchange.abort()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
