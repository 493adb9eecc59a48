"""Run by Alembic: connect to the database in the settings, and run migrations."""

import asyncio
from typing import Any, Literal

from todo._internal import begin  # noqa: F401 - first, so that every line is JSON

# isort: split
from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy import Connection

from todo.config import settings
from todo.database import Database
from todo.database_url import with_password
from todo.models import Base, UtcDateTime


def render_item(kind: str, item: Any, autogen: AutogenContext) -> str | Literal[False]:
    """Return how a new migration names our own type; Alembic names the others."""
    if kind == "type" and isinstance(item, UtcDateTime):
        autogen.imports.add("from todo.models import UtcDateTime")
        return "UtcDateTime()"
    return False


def migrate(connection: Connection) -> None:
    """Run the wanted migrations on a connection."""
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=True,  # SQLite changes a column by copying its table
        render_item=render_item,
    )
    with context.begin_transaction():
        context.run_migrations()


async def connect_and_migrate() -> None:
    """Run the wanted migrations on the database in the settings."""
    database = Database(with_password(settings.database_url, settings.database_password))
    try:
        await database.check()  # gives up in time
        async with database.engine.connect() as connection:
            await connection.run_sync(migrate)
    finally:
        await database.close()


if connection := context.config.attributes.get("connection"):
    migrate(connection)
else:
    asyncio.run(connect_and_migrate())
