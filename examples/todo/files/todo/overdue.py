"""The metric `tasks_overdue`, which monitoring/tasks.yml turns into an alert."""

import asyncio

from loguru import logger
from prometheus_client import Gauge

from .database import Database
from .tasks import count_overdue

TASKS_OVERDUE = Gauge("tasks_overdue", "Open tasks whose due date has passed.", ["priority"])


async def measure_overdue(database: Database) -> None:
    """Count the overdue tasks."""
    async with database.sessions() as session:
        for priority, number in (await count_overdue(session)).items():
            TASKS_OVERDUE.labels(priority).set(number)


async def watch_overdue(database: Database, seconds: float) -> None:
    """Count the overdue tasks again and again; while the database is gone, keep the numbers."""
    failed = False
    while True:
        try:
            await measure_overdue(database)
            failed = False
        except Exception as error:
            if not failed:  # the probes log the rest of an outage
                logger.warning("overdue tasks were not counted", error=repr(error))
            failed = True
        await asyncio.sleep(seconds)
