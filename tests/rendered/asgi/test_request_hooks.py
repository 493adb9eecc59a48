"""hooks.py: hooks called for every request and WebSocket."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from fastapi import BackgroundTasks, WebSocket
from starlette.types import Message, Scope

from checks.apps import make_app
from my_service._internal.asgi.hooks import hooks
from tests.conftest import Log, connect

app = make_app()


@app.get("/{divisor}")
async def divide(divisor: int, background: BackgroundTasks) -> float:
    background.add_task(fail, divisor)
    return 1 / divisor


async def fail(divisor: int) -> None:
    if divisor == 2:
        raise KeyError("later")


@app.websocket("/{divisor}")
async def divide_often(websocket: WebSocket, divisor: int) -> None:
    await websocket.accept()
    await websocket.close(1000 // divisor)


class Witness:
    """A hook that records its calls."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.fields: Mapping[str, Any] = {}

    def on_start(self, scope: Scope) -> None:
        self.told.append(f"{scope['type']} began")

    def on_end(self, scope: Scope, fields: Mapping[str, Any], error: BaseException | None) -> None:
        status, kind = fields["status_code"], type(error).__name__
        self.told.append(f"{scope['type']} ended with {status} {kind}")
        self.fields = fields

    def on_late_error(self, scope: Scope, error: BaseException) -> None:
        self.told.append(f"{scope['type']} failed after with {type(error).__name__}")


@pytest.fixture
def witness() -> Iterator[Witness]:
    """A hook, registered for the duration of a test."""
    witness = Witness()
    hooks.append(witness)
    yield witness
    hooks.remove(witness)


@pytest.mark.parametrize(
    ("divisor", "told"),
    [
        (1, ["http began", "http ended with 200 NoneType"]),
        (0, ["http began", "http ended with 500 ZeroDivisionError"]),
        (2, ["http began", "http ended with 200 NoneType", "http failed after with KeyError"]),
    ],
)
async def test_requests(divisor: int, told: list[str], witness: Witness, log: Log) -> None:
    """Hooks run once at the start and once at the end, with the fields of the line."""
    async with connect(app) as client:
        await client.get(f"/{divisor}")
    assert witness.told == told
    assert log()[0].items() >= witness.fields.items()


@pytest.mark.parametrize(
    ("divisor", "end"),
    [(1, "websocket ended with 101 NoneType"), (0, "websocket ended with 101 ZeroDivisionError")],
)
async def test_websockets(divisor: int, end: str, witness: Witness, log: Log) -> None:
    """Hooks run for a WebSocket as for a request."""

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        assert message["type"].startswith("websocket.")

    scope = {"type": "websocket", "path": f"/{divisor}", "headers": [], "query_string": b""}
    await app({**scope, "scheme": "ws", "http_version": "1.1"}, receive, send)
    assert witness.told == ["websocket began", end]
    assert log("log websocket")[0].items() >= witness.fields.items()
