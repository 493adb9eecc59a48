"""tasks.py, by many clients at once."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import delete, make_url

from todo import tasks
from todo.database import Database
from todo.models import Task
from todo.schemas import TaskIn

from .conftest import Log, migrate

SENT = TaskIn.model_validate({"title": "Buy milk", "priority_id": 1, "due_date": "2030-01-02"})
CLIENTS = 16


@pytest.fixture
async def shared(database: Database, tmp_path: Path) -> AsyncIterator[Database]:
    """A database where every session has its own connection, which one in memory cannot give."""
    if not os.environ.get("TEST_DATABASE_URL"):
        database = Database(make_url(f"sqlite+aiosqlite:///{tmp_path}/todo.db"))
        async with database.engine.begin() as connection:
            await connection.run_sync(migrate, "head")
    yield database
    async with database.session() as session:
        await session.execute(delete(Task))
        await session.commit()
    if not os.environ.get("TEST_DATABASE_URL"):
        await database.close()


async def create(database: Database) -> int:
    async with database.session() as session:
        return (await tasks.create_task(session, SENT)).id


async def test_all_writers_succeed(shared: Database) -> None:
    """Writers wait for each other: none is told that the database is locked."""

    async def work() -> None:
        task_id = await create(shared)
        async with shared.session() as session:
            await tasks.update_task(session, task_id, SENT)

    await asyncio.gather(*(work() for _ in range(CLIENTS)))
    async with shared.session() as session:
        assert (await tasks.list_tasks(session, "todo", 1, 0))[1] == CLIENTS


async def test_one_client_completes_a_task(shared: Database, log: Log) -> None:
    """The others get the same task, and only one line is logged."""
    task_id = await create(shared)

    async def complete() -> object:
        async with shared.session() as session:
            return (await tasks.complete_task(session, task_id)).completed_at

    times = await asyncio.gather(*(complete() for _ in range(CLIENTS)))
    assert len(set(times)) == 1
    assert len(log("task completed")) == 1


async def test_a_deleted_task_is_not_updated(shared: Database) -> None:
    """Of a deletion and updates at the same time, each one happens as a whole or is a 404."""
    task_id = await create(shared)

    async def change(session_number: int) -> None:
        async with shared.session() as session:
            if session_number == CLIENTS // 2:
                await tasks.delete_task(session, task_id)
            else:
                await tasks.update_task(session, task_id, SENT)

    found = await asyncio.gather(*(change(n) for n in range(CLIENTS)), return_exceptions=True)
    assert {type(outcome) for outcome in found} <= {type(None), tasks.TaskNotFound}
    async with shared.session() as session:
        with pytest.raises(tasks.TaskNotFound):
            await tasks.get_task(session, task_id)
