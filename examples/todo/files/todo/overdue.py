"""The metric `tasks_overdue`, which monitoring/tasks.yml turns into an alert."""

import asyncio
from collections.abc import Set

from loguru import logger
from prometheus_client import Gauge

from .database import Database
from .tasks import count_overdue

COUNT_TIMEOUT = 10  # seconds
TASKS_OVERDUE = Gauge("tasks_overdue", "Open tasks whose due date has passed.", ["priority"])


async def measure_overdue(database: Database, before: Set[str] = frozenset()) -> Set[str]:
    """Count the overdue tasks of every priority.

    Args:
        database: where the tasks are.
        before: the priorities of the last count; the numbers of those that are gone end.

    Returns:
        The priorities.
    """
    async with asyncio.timeout(COUNT_TIMEOUT), database.session() as session:
        counted = await count_overdue(session)
    for priority, number in counted.items():
        TASKS_OVERDUE.labels(priority).set(number)
    for gone in before - counted.keys():
        TASKS_OVERDUE.remove(gone)
    return counted.keys()


async def watch_overdue(database: Database, seconds: float) -> None:
    """Count the overdue tasks again and again; while the database is gone, keep the numbers."""
    priorities: Set[str] = frozenset()
    failed = False
    while True:
        try:
            priorities = await measure_overdue(database, priorities)
            failed = False
        except Exception as error:
            if not failed:  # the probes log the rest of an outage
                logger.warning("overdue tasks were not counted", error=repr(error))
            failed = True
        await asyncio.sleep(seconds)
