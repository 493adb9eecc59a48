"""overdue.py"""

import asyncio
from datetime import date, timedelta

import pytest
from prometheus_client import REGISTRY
from sqlalchemy.ext.asyncio import AsyncSession

from todo import overdue
from todo.database import Database
from todo.models import Task

from .conftest import Log

DUE = date.today() - timedelta(1)


def shown(priority: str) -> float | None:
    return REGISTRY.get_sample_value("tasks_overdue", {"priority": priority})


async def test_every_priority_has_a_number(session: AsyncSession, database: Database) -> None:
    """Open tasks count from the day after the due date; no task is 0."""
    for days in (0, 1):
        due_date = DUE + timedelta(days)
        session.add(Task(title="", description="", priority_id=1, due_date=due_date))
    await session.commit()
    await overdue.measure_overdue(database)
    assert (shown("High"), shown("Low")) == (1, 0)


async def test_a_priority_that_is_gone_has_no_number(
    session: AsyncSession, database: Database
) -> None:
    """An alert for it ends."""
    overdue.TASKS_OVERDUE.labels("Urgent").set(3)
    await overdue.measure_overdue(database, {"Urgent", "High"})
    assert (shown("Urgent"), shown("High")) == (None, 0)


async def test_an_outage_is_one_line(
    database: Database, monkeypatch: pytest.MonkeyPatch, log: Log
) -> None:
    """The numbers stay as they were, and a second outage is a second line."""
    outcomes = [None, OSError("first"), OSError("again"), None, OSError("second")]
    ended = asyncio.Event()

    async def measure(database: Database, before: set[str]) -> set[str]:
        if not outcomes:
            ended.set()
            await asyncio.Event().wait()
        if error := outcomes.pop(0):
            raise error
        return before

    monkeypatch.setattr(overdue, "measure_overdue", measure)
    overdue.TASKS_OVERDUE.labels("High").set(7)
    watch = asyncio.create_task(overdue.watch_overdue(database, 0))
    await ended.wait()
    watch.cancel()
    assert shown("High") == 7
    lines = log("overdue tasks were not counted")
    assert [(line["level"], line["error"]) for line in lines] == [
        ("WARNING", "OSError('first')"),
        ("WARNING", "OSError('second')"),
    ]
