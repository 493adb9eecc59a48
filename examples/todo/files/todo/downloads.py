"""Tasks as a CSV file (RFC 4180), which a spreadsheet can open without running what users typed."""

import csv
import re
from collections.abc import AsyncIterator
from datetime import date, datetime

from fastapi.responses import StreamingResponse

from .models import Task

COLUMNS = (
    "id", "title", "description", "priority", "due_date", "created_at", "updated_at", "completed_at",
)  # fmt: skip
TASKS_A_CHUNK = 200
# Where a cell, or what a spreadsheet with another separator takes for one, would begin a formula:
# https://owasp.org/www-community/attacks/CSV_Injection
FORMULA = re.compile(
    r"""^(?=\s*[=+\-@＝＋－＠])|^(?=[\t\r\n])|(?<=[,;|\t\r\n"'])(?=[=+\-@＝＋－＠])"""
)


class Line:
    """A file for `csv.writer`, whose `writerow` then returns the line."""

    def write(self, text: str) -> str:
        """Return the text."""
        return text


def defuse(text: str) -> str:
    """Return the text with an apostrophe before everything that would begin a formula."""
    return FORMULA.sub("'", text)


def row(task: Task) -> tuple[object, ...]:
    """Return the cells of a task."""
    return (
        task.id,
        defuse(task.title),
        defuse(task.description),
        defuse(task.priority.priority),
        task.due_date,
        iso(task.created_at),
        iso(task.updated_at),
        iso(task.completed_at),
    )


def iso(time: datetime | None) -> str:
    """Return a time in seconds, with its zone."""
    return time.isoformat(timespec="seconds") if time else ""


async def csv_chunks(tasks: AsyncIterator[Task]) -> AsyncIterator[str]:
    """Yield the file's lines, some at a time."""
    writer = csv.writer(Line(), quoting=csv.QUOTE_ALL)
    lines = [writer.writerow(COLUMNS)]
    async for task in tasks:
        lines.append(writer.writerow(row(task)))
        if len(lines) > TASKS_A_CHUNK:
            yield "".join(lines)
            lines = []
    yield "".join(lines)


async def csv_response(tasks: AsyncIterator[Task], name: str) -> StreamingResponse:
    """Return a download; the first tasks are read at once, so that a failure is no broken file."""
    chunks = csv_chunks(tasks)
    first = await anext(chunks)

    async def body() -> AsyncIterator[str]:
        yield first
        async for chunk in chunks:
            yield chunk

    headers = {
        "Content-Disposition": f'attachment; filename="{name}-{date.today()}.csv"',
        "Cache-Control": "private, no-cache",
        "X-Content-Type-Options": "nosniff",
    }
    return StreamingResponse(body(), headers=headers, media_type="text/csv; charset=utf-8")
