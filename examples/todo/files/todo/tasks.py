"""What the service does with tasks, for the pages and the API alike.

Functions that change something commit it. Deleted tasks are as if they did not exist.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import date
from typing import Any, Literal, cast

from anyio import fail_after
from loguru import logger
from sqlalchemy import ColumnElement, CursorResult, Select, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from .models import Priority, Task, now
from .problems import Problem
from .schemas import TaskIn

Status = Literal["todo", "completed"]
# Tasks that a stream reads at once, and the seconds that it may take.
PART, PART_TIMEOUT = 200, 30


class TaskNotFound(Problem):
    """There is no task with this id, or it was deleted."""

    status = 404

    def __init__(self, task_id: int) -> None:
        super().__init__(f"There is no task {task_id}.")


class UnknownPriority(Problem):
    """A task has a priority that does not exist."""

    status = 422

    def __init__(self, priority_id: int) -> None:
        detail = f"There is no priority {priority_id}."
        error = {"in": "body", "pointer": "#/priority_id", "detail": detail}
        super().__init__(detail, errors=[error])


def _wanted(status: Status | None) -> Select[Task]:
    """Select tasks in the order in which they are due, completed ones by their completion."""
    tasks = select(Task).where(Task.is_disabled.is_(False))
    if status == "completed":
        return tasks.where(Task.completed_at.is_not(None)).order_by(
            Task.completed_at.desc(), Task.id
        )
    if status == "todo":
        tasks = tasks.where(Task.completed_at.is_(None))
    return tasks.order_by(Task.due_date, Task.priority_id, Task.id)


async def list_priorities(session: AsyncSession) -> Sequence[Priority]:
    """Return the priorities, the most urgent first."""
    return (await session.scalars(select(Priority).order_by(Priority.id))).all()


async def list_tasks(
    session: AsyncSession, status: Status | None, limit: int, offset: int
) -> tuple[Sequence[Task], int]:
    """Return some of the tasks, and the number of all."""
    tasks = _wanted(status)
    total = await session.scalar(select(func.count()).select_from(tasks.order_by(None).subquery()))
    found = await session.scalars(tasks.limit(limit).offset(offset))
    return found.all(), total or 0


async def stream_tasks(session: AsyncSession, status: Status) -> AsyncIterator[Task]:
    """Yield the tasks by their ids, without keeping all of them in memory.

    The session has a connection only while it reads a part: clients can be slow to take what was read,
    and there are few connections.
    """
    tasks = _wanted(status).order_by(None).order_by(Task.id).limit(PART)
    last = 0
    while True:
        # A client that goes must not end a statement half-way: that would cost the connection.
        with fail_after(PART_TIMEOUT, shield=True):
            part = (await session.scalars(tasks.where(Task.id > last))).all()
            await session.commit()
        if not part:
            return
        last = part[-1].id
        for task in part:
            yield task


async def get_task(session: AsyncSession, task_id: int) -> Task:
    """Return a task; raise `TaskNotFound`."""
    task = await session.get(Task, task_id, populate_existing=True)
    if task is None or task.is_disabled:
        raise TaskNotFound(task_id)
    return task


async def create_task(session: AsyncSession, sent: TaskIn) -> Task:
    """Store a new task; raise `UnknownPriority`."""
    task = Task(**sent.model_dump())
    session.add(task)
    async with _known_priority(session, sent.priority_id):
        await session.flush()
    await session.refresh(task, ["priority"])
    await session.commit()
    logger.info("task created", task_id=task.id)
    return task


async def update_task(session: AsyncSession, task_id: int, sent: TaskIn) -> Task:
    """Replace what a client can change; raise `TaskNotFound` or `UnknownPriority`."""
    async with _known_priority(session, sent.priority_id):
        await _change(session, task_id, **sent.model_dump())
    task = await get_task(session, task_id)
    await session.commit()
    logger.info("task updated", task_id=task_id)
    return task


async def complete_task(session: AsyncSession, task_id: int) -> Task:
    """Mark a task as done, once; raise `TaskNotFound`."""
    is_open = Task.completed_at.is_(None)
    completed = await _change(session, task_id, is_open, completed_at=now())
    task = await get_task(session, task_id)
    await session.commit()
    if completed:
        logger.info("task completed", task_id=task_id)
    return task


async def delete_task(session: AsyncSession, task_id: int) -> None:
    """Hide a task from everyone; raise `TaskNotFound`."""
    if not await _change(session, task_id, is_disabled=True):
        raise TaskNotFound(task_id)
    await session.commit()
    logger.info("task deleted", task_id=task_id)


async def count_overdue(session: AsyncSession) -> dict[str, int]:
    """Return the number of overdue tasks of every priority, 0 too."""
    overdue = (
        (Task.priority_id == Priority.id)
        & Task.is_disabled.is_(False)
        & Task.completed_at.is_(None)
        & (Task.due_date < date.today())
    )
    counted = select(Priority.priority, func.count(Task.id).label("number")).outerjoin(
        Task, overdue
    )
    found = await session.execute(counted.group_by(Priority.id, Priority.priority))
    return {row.priority: row.number for row in found}


async def _change(
    session: AsyncSession, task_id: int, *conditions: ColumnElement[bool], **values: object
) -> bool:
    """Change a task, unless it was deleted or a condition is false; return whether it was changed.

    The condition and the change are one statement, so that of two clients only one changes the task.
    It is the first of its transaction: SQLite makes it wait for another writer, but it fails at once
    where a transaction has read before.
    """
    found = (Task.id == task_id, Task.is_disabled.is_(False), *conditions)
    changed = await session.execute(update(Task).where(*found).values(values))
    return cast("CursorResult[Any]", changed).rowcount == 1


@asynccontextmanager
async def _known_priority(session: AsyncSession, priority_id: int) -> AsyncIterator[None]:
    """Raise `UnknownPriority` if the tables refuse a task: it is their only rule for what clients send."""
    try:
        yield
    except IntegrityError:
        await session.rollback()
        raise UnknownPriority(priority_id) from None
