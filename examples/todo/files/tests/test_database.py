"""database.py and dependencies.py"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from httpx import AsyncClient
from prometheus_client import REGISTRY
from sqlalchemy import make_url, text
from sqlalchemy.exc import OperationalError, TimeoutError

from todo import database as module
from todo.database import Database

from .conftest import Log

COUNT = (
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1000000) SELECT :x FROM n"
)


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Database]:
    """A database in a file, with a pool and a log of every statement."""
    database = Database(make_url(f"sqlite+aiosqlite:///{tmp_path}/test.db"), slow=0)
    yield database
    await database.close()


def in_use() -> float | None:
    return REGISTRY.get_sample_value("database_connections", {"state": "in use"})


async def test_the_metrics_have_the_pool(opened: Database) -> None:
    """A session takes a connection of the pool, and gives it back."""
    async with opened.session():
        assert in_use() == 1
    assert in_use() == 0
    assert REGISTRY.get_sample_value("database_connections_max") == 10


async def test_cancelled_statements_give_connections_back(opened: Database) -> None:
    """More cancelled statements than connections leave a pool that works."""

    async def work() -> None:
        async with opened.session() as session:
            running.set()
            await session.execute(text(COUNT), {"x": 1})

    for _ in range(12):
        running = asyncio.Event()
        task = asyncio.create_task(work())
        await running.wait()
        task.cancel()
        await asyncio.wait({task})
    await opened.check()
    assert in_use() == 0


async def test_a_full_pool_is_an_error(opened: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who gets no connection in time gets an error that has a handler."""
    monkeypatch.setattr(module, "CONNECT_TIMEOUT", 0.01)
    monkeypatch.setattr(opened, "sessions", Hanging)
    with pytest.raises(TimeoutError):
        await opened.check()


class Hanging:
    """A session on a database that hangs."""

    async def connection(self) -> None:
        """Wait without end."""
        await asyncio.Event().wait()

    async def rollback(self) -> None:
        """End."""

    async def close(self) -> None:
        """End."""


async def test_checks_share_a_connection(opened: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Probes that give up leave one question behind, however many they are."""
    asked = 0

    async def ask() -> None:
        nonlocal asked
        asked += 1
        await asyncio.Event().wait()

    monkeypatch.setattr(opened, "_ask", ask)
    for _ in range(3):
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(opened.check(), 0.01)
    assert asked == 1


async def test_slow_statements_are_logged(opened: Database, log: Log) -> None:
    """The line is a warning with the statement, without its parameters."""
    async with opened.session() as session:
        await session.execute(text("SELECT :name"), {"name": "canary"})
    [line] = [line for line in log("slow statement") if "SELECT" in line["statement"]]
    assert line["level"] == "WARNING"
    assert "canary" not in str(line)


async def test_slow_statements_have_the_request_id(
    client: AsyncClient, opened: Database, monkeypatch: pytest.MonkeyPatch, log: Log
) -> None:
    """The line of a statement is found by the id of its request."""
    monkeypatch.setattr("todo.resources.database", opened)
    response = await client.get("/api/v1/priorities")
    assert response.status_code == 503  # there are no tables
    found = {line.get("request_id") for line in log("slow statement")}
    assert found == {response.headers["X-Request-ID"]}


async def test_errors_have_no_parameters(opened: Database) -> None:
    """What users have typed is not in the text of an error."""
    async with opened.session() as session:
        with pytest.raises(OperationalError) as raised:
            await session.execute(text("SELECT nothing + :name"), {"name": "canary"})
    assert "canary" not in str(raised.value)
