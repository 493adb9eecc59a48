"""downloads.py"""

import csv
import re
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime

import pytest
from httpx import AsyncClient

from todo.downloads import COLUMNS, TASKS_A_CHUNK, csv_chunks, defuse
from todo.models import Priority, Task

from .browsing import create


async def test_a_download_is_a_csv_file(client: AsyncClient) -> None:
    """Its name has the date, its first line the columns, and its lines end as RFC 4180 says."""
    await create(client, description='said "no",\nthen left')
    response = await client.get("/tasks/download/todo")
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
    named = r'attachment; filename="tasks-todo-\d{4}-\d\d-\d\d\.csv"'
    assert re.fullmatch(named, response.headers["Content-Disposition"])
    header, task = csv.reader(response.text.splitlines(keepends=True), strict=True)
    assert tuple(header) == COLUMNS
    assert task[1:5] == ["Buy milk", 'said "no",\nthen left', "High", "2030-01-02"]
    assert response.text.count("\r\n") == 2


async def test_completed_tasks_are_another_download(client: AsyncClient) -> None:
    """It has the time of their completion, with its zone."""
    task_id = await create(client)
    await client.put(f"/api/v1/tasks/{task_id}/completed")
    assert (await client.get("/tasks/download/todo")).text.count("\r\n") == 1
    completed = (await client.get("/tasks/download/completed")).text
    assert re.search(r'"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00"\r\n$', completed)


@pytest.mark.parametrize(
    ("typed", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("＝1", "'＝1"),
        ("\t=1", "'\t'=1"),
        ("\r=1", "'\r'=1"),
        (" \u00a0=1", "' \u00a0=1"),
        ("a,=1", "a,'=1"),
        ("a;＠b", "a;'＠b"),
        ('a"=1', "a\"'=1"),
        ("- a\n- b", "'- a\n'- b"),
        ("a - b = c@d.e", "a - b = c@d.e"),
    ],
)
def test_formulas_are_text(typed: str, cell: str) -> None:
    """An apostrophe stands before what a spreadsheet would take for a formula, and nowhere else."""
    assert defuse(typed) == cell


async def test_memory_does_not_grow_with_the_file() -> None:
    """The first part of a file is ready when a part of the tasks is read."""
    read = 0

    async def tasks() -> AsyncIterator[Task]:
        nonlocal read
        time = datetime(2030, 1, 2, tzinfo=UTC)
        for read in range(1, 10 * TASKS_A_CHUNK):
            yield Task(
                id=read, title="x", description="", priority=Priority(priority="High"),
                due_date=date(2030, 1, 2), created_at=time, updated_at=time,
            )  # fmt: skip

    assert (await anext(csv_chunks(tasks()))).count("\r\n") == read + 1
    assert read == TASKS_A_CHUNK
