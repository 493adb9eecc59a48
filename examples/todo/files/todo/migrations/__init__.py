"""The versions of the tables: Alembic changes one into the next.

`python -m todo.migrations` runs what is missing, before the service starts. The command `alembic` does
the rest, such as `alembic revision --autogenerate --message "…"`.
"""

from pathlib import Path

from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from ..database import Database


class OutdatedSchema(Exception):
    """The tables are older than the code."""


def alembic_config(connection: Connection | None = None) -> Config:
    """Return Alembic's configuration, for the database in the settings or for a connection."""
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    return config


async def check_schema(database: Database) -> None:
    """Raise `OutdatedSchema` if a migration is missing.

    Tables that are newer are no error: while a new version is deployed, the old one still runs.
    """
    async with database.session() as session:
        found = await (await session.connection()).run_sync(_revision)
    script = ScriptDirectory.from_config(alembic_config())
    known = [revision.revision for revision in script.walk_revisions()]  # the newest first
    if found is None or found in known[1:]:
        raise OutdatedSchema(
            f"the database is at revision {found}, the code needs {known[0]}: run `make migrate`"
        )


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()
