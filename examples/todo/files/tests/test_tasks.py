"""tasks.py"""

from datetime import date, timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from todo import tasks
from todo.database import Database
from todo.models import Task
from todo.schemas import TaskIn

from .conftest import Log

TODAY = date.today()


def task_in(title: str = "Buy milk", days: int = 1, priority_id: int = 1) -> TaskIn:
    due_date = (TODAY + timedelta(days)).isoformat()
    return TaskIn.model_validate({"title": title, "priority_id": priority_id, "due_date": due_date})


async def add(session: AsyncSession, title: str = "Buy milk", days: int = 1) -> Task:
    return await tasks.create_task(session, task_in(title, days))


async def test_priorities_are_sorted(session: AsyncSession) -> None:
    """The most urgent priority is the first."""
    found = await tasks.list_priorities(session)
    assert [priority.priority for priority in found] == ["High", "Normal", "Low"]


async def test_tasks_are_sorted_by_due_date(session: AsyncSession) -> None:
    """What is due first is the first, in parts of the list too."""
    for title, days in {"late": 9, "early": 1, "middle": 5}.items():
        await add(session, title, days)
    found, total = await tasks.list_tasks(session, None, limit=2, offset=1)
    assert ([task.title for task in found], total) == (["middle", "late"], 3)


async def test_lists_by_status(session: AsyncSession) -> None:
    """A task is in the list of its status, and a stream has the same tasks."""
    await add(session, "open")
    await tasks.complete_task(session, (await add(session, "done")).id)
    titles: dict[tasks.Status, str] = {"todo": "open", "completed": "done"}
    for status, title in titles.items():
        found, _ = await tasks.list_tasks(session, status, limit=9, offset=0)
        assert [task.title for task in found] == [title]
        assert [task.title async for task in tasks.stream_tasks(session, status)] == [title]


async def test_a_stream_keeps_no_connection(
    database: Database, session: AsyncSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It reads in parts, and while the client takes one, the connection is free for others."""
    monkeypatch.setattr(tasks, "PART", 2)
    titles = ["a", "b", "c", "d", "e"]
    for title in titles:
        await add(session, title)
    async with database.sessions() as streaming:
        found = []
        async for task in tasks.stream_tasks(streaming, "todo"):
            assert not streaming.in_transaction()
            found.append(task.title)
    assert found == titles


async def test_a_task_is_completed_once(session: AsyncSession, log: Log) -> None:
    """The second time is no error, changes nothing and is not logged."""
    task_id = (await add(session)).id
    first = (await tasks.complete_task(session, task_id)).completed_at
    assert (await tasks.complete_task(session, task_id)).completed_at == first
    assert len(log("task completed")) == 1


async def test_an_update_replaces_a_task(session: AsyncSession) -> None:
    """All that a client can change is changed, and the time of the change is kept."""
    task = await add(session)
    before = task.updated_at
    task = await tasks.update_task(session, task.id, task_in("Buy bread", 2, priority_id=3))
    assert (task.title, task.priority.priority) == ("Buy bread", "Low")
    assert task.updated_at > before


async def test_a_deleted_task_is_gone(session: AsyncSession) -> None:
    """Its row stays, but nothing shows or changes it."""
    task_id = (await add(session)).id
    await tasks.delete_task(session, task_id)
    for call in (tasks.get_task, tasks.complete_task, tasks.delete_task):
        with pytest.raises(tasks.TaskNotFound):
            await call(session, task_id)
    with pytest.raises(tasks.TaskNotFound):
        await tasks.update_task(session, task_id, task_in())
    assert (await tasks.list_tasks(session, None, limit=9, offset=0)) == ([], 0)


async def test_an_unknown_priority_is_refused(session: AsyncSession) -> None:
    """A new task and a change are refused, and the task stays as it was."""
    task_id = (await add(session)).id
    with pytest.raises(tasks.UnknownPriority):
        await tasks.create_task(session, task_in(priority_id=99))
    with pytest.raises(tasks.UnknownPriority):
        await tasks.update_task(session, task_id, task_in(priority_id=99))
    assert (await tasks.get_task(session, task_id)).priority.priority == "High"
