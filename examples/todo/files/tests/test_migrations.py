"""migrations/"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from subprocess import PIPE, run

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, make_url, text

from todo import config, resources
from todo.config import Settings
from todo.database import Database
from todo.migrations import OutdatedSchema, alembic_config, check_schema
from todo.migrations.__main__ import main

from .conftest import PROJECT, Log, migrate


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """DATABASE_URL: an empty file."""
    url = f"sqlite+aiosqlite:///{tmp_path}/todo.db"
    set_url(url, monkeypatch)
    return url


@pytest.fixture
async def empty(url: str) -> AsyncIterator[Database]:
    """A database without tables."""
    database = Database(make_url(url))
    yield database
    await database.close()


def set_url(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings.model_validate({"database_url": url})
    for module in (config, resources):
        monkeypatch.setattr(module, "settings", settings)


async def change(database: Database, revision: str) -> None:
    async with database.engine.begin() as connection:
        await connection.run_sync(migrate, revision)


async def test_the_tables_are_those_of_the_models(database: Database) -> None:
    """`alembic check` finds nothing that a migration has forgotten."""

    def check(connection: Connection) -> None:
        command.check(alembic_config(connection))

    async with database.engine.connect() as connection:
        await connection.run_sync(check)


async def test_down_and_up_again(empty: Database) -> None:
    """The tables of the first migrations can be removed and made again."""
    for revision in ("head", "base", "head"):
        await change(empty, revision)
    await check_schema(empty)


@pytest.mark.parametrize("revision", ["base", "0001"])
async def test_old_tables_stop_the_start(revision: str, empty: Database) -> None:
    """The error names what is there, what the code needs, and what to do."""
    await change(empty, revision)
    with pytest.raises(OutdatedSchema, match=r"the code needs \w+: run `make migrate`"):
        await resources.startup()


async def test_newer_tables_are_no_error(empty: Database, log: Log) -> None:
    """An older version of the service runs on them, and its migrations leave them as they are."""
    await change(empty, "head")
    async with empty.session() as session:
        await session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        await session.commit()
    await check_schema(empty)
    assert await asyncio.to_thread(main) == 0
    [line] = log("the tables are newer than the code; they stay as they are")
    assert line["level"] == "WARNING"


def test_the_command_makes_the_tables(url: str, log: Log) -> None:
    """Each migration is a line, and a second run changes nothing."""
    assert main() == 0
    steps = list(ScriptDirectory.from_config(alembic_config()).walk_revisions())
    assert len([line for line in log() if "Running upgrade" in line["message"]]) == len(steps)
    assert main() == 0
    assert not [line for line in log() if "Running upgrade" in line["message"]]


def test_a_failure_is_one_line(monkeypatch: pytest.MonkeyPatch, log: Log) -> None:
    """The exit code is 1, and the password is not in the line."""
    set_url("mysql+aiomysql://todo:canary@127.0.0.1:1/todo", monkeypatch)
    assert main() == 1
    lines = log()
    assert [line["message"] for line in lines if line["level"] == "ERROR"] == ["migrations failed"]
    assert "canary" not in str(lines)


async def test_the_tests_leave_tables_alone(empty: Database, url: str) -> None:
    """They stop at a TEST_DATABASE_URL that has tables: at their end they would remove them."""
    await change(empty, "head")
    words = [sys.executable, "-m", "pytest", "tests/test_tasks_api.py"]
    env = os.environ | {"TEST_DATABASE_URL": url}
    done = await asyncio.to_thread(run, words, cwd=PROJECT, env=env, stdout=PIPE)
    assert done.returncode == 1
    assert b"TEST_DATABASE_URL has tables" in done.stdout
    await check_schema(empty)
