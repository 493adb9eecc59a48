"""Run by Alembic: connect to the database in the settings, and run migrations."""

import asyncio

from todo._internal import begin  # noqa: F401 - first, so that every line is JSON

# isort: split
from alembic import context
from sqlalchemy import Connection

from todo.config import settings
from todo.database import Database
from todo.database_url import with_password
from todo.models import Base


def migrate(connection: Connection) -> None:
    """Run the wanted migrations on a connection."""
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=True,  # SQLite changes a column by copying its table
    )
    with context.begin_transaction():
        context.run_migrations()


async def connect_and_migrate() -> None:
    """Run the wanted migrations on the database in the settings."""
    database = Database(with_password(settings.database_url, settings.database_password))
    async with database.engine.connect() as connection:
        await connection.run_sync(migrate)
    await database.close()


if connection := context.config.attributes.get("connection"):
    migrate(connection)
else:
    asyncio.run(connect_and_migrate())
