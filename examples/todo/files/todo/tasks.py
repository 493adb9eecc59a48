"""What the service does with tasks, for the pages and the API alike.

Functions that change something commit it. Deleted tasks are as if they did not exist.
"""

from collections.abc import AsyncIterator, Sequence
from datetime import date
from typing import Literal

from loguru import logger
from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from .models import Priority, Task, now
from .problems import Problem
from .schemas import TaskIn

Status = Literal["todo", "completed"]


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
        super().__init__(detail, errors=[{"pointer": "#/priority_id", "detail": detail}])


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
    """Yield the tasks without keeping all of them in memory."""
    async for task in await session.stream_scalars(_wanted(status)):
        yield task


async def get_task(session: AsyncSession, task_id: int) -> Task:
    """Return a task; raise `TaskNotFound`."""
    task = await session.get(Task, task_id)
    if task is None or task.is_disabled:
        raise TaskNotFound(task_id)
    return task


async def create_task(session: AsyncSession, sent: TaskIn) -> Task:
    """Store a new task; raise `UnknownPriority`."""
    task = Task(**sent.model_dump(), priority=await _priority(session, sent.priority_id))
    session.add(task)
    await session.commit()
    logger.info("task created", task_id=task.id)
    return task


async def update_task(session: AsyncSession, task_id: int, sent: TaskIn) -> Task:
    """Replace what a client can change; raise `TaskNotFound` or `UnknownPriority`."""
    task = await get_task(session, task_id)
    task.priority = await _priority(session, sent.priority_id)
    for name, value in sent.model_dump().items():
        setattr(task, name, value)
    await session.commit()
    logger.info("task updated", task_id=task_id)
    return task


async def complete_task(session: AsyncSession, task_id: int) -> Task:
    """Mark a task as done, once; raise `TaskNotFound`."""
    task = await get_task(session, task_id)
    if task.completed_at is None:
        task.completed_at = now()
        await session.commit()
        logger.info("task completed", task_id=task_id)
    return task


async def delete_task(session: AsyncSession, task_id: int) -> None:
    """Hide a task from everyone; raise `TaskNotFound`."""
    task = await get_task(session, task_id)
    task.is_disabled = True
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
    counted = select(Priority.priority, func.count(Task.id)).outerjoin(Task, overdue)
    found = await session.execute(counted.group_by(Priority.id, Priority.priority))
    return {priority: number for priority, number in found.tuples()}  # noqa: C416 - it has keys()


async def _priority(session: AsyncSession, priority_id: int) -> Priority:
    priority = await session.get(Priority, priority_id)
    if priority is None:
        raise UnknownPriority(priority_id)
    return priority
