"""The database: its engine and sessions, and what the log and the metrics say about them."""

from time import perf_counter
from typing import Any

from loguru import logger
from prometheus_client import Gauge
from sqlalchemy import URL, Connection, Engine, ExecutionContext, QueuePool, event, text
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

# For a database on a server, in seconds: to connect, to wait for a connection of the pool, and the age
# at which a connection is replaced.
SERVER = {"connect_args": {"connect_timeout": 3}, "pool_timeout": 5, "pool_recycle": 1800}
# Seconds to wait for another writer.
SQLITE = {"connect_args": {"timeout": 5}}
CONNECTIONS = Gauge("database_connections", "Connections in the pool.", ["state"])


class Database:
    """An engine with a pool of connections, and sessions on it.

    Args:
        url: with an asyncio driver.
        slow: seconds after which a statement is logged.
    """

    def __init__(self, url: URL, slow: float = 0.5) -> None:
        is_sqlite = url.get_backend_name() == "sqlite"
        options: dict[str, Any] = SQLITE if is_sqlite else SERVER
        self.engine = create_async_engine(
            url,
            hide_parameters=True,  # they are the users' data; errors and the log leave them out
            pool_pre_ping=True,  # replaces connections that broke while they were idle
            **options,
        )
        self.sessions = async_sessionmaker(self.engine, expire_on_commit=False)
        log_slow_statements(self.engine.sync_engine, slow)
        count_connections(self.engine.sync_engine)
        if is_sqlite:
            event.listen(self.engine.sync_engine, "connect", _prepare_sqlite)
            event.listen(self.engine.sync_engine, "begin", _begin_sqlite)

    async def check(self) -> None:
        """Raise if the database does not answer."""
        async with self.engine.connect() as connection:
            await connection.execute(text("SELECT 1"))

    async def close(self) -> None:
        """Close the connections."""
        await self.engine.dispose()


def log_slow_statements(engine: Engine, slow: float) -> None:
    """Log statements that take longer than `slow` seconds, without their parameters."""

    def before(
        connection: Connection, cursor: object, statement: str, parameters: object,
        context: ExecutionContext, many: bool,
    ) -> None:  # fmt: skip
        connection.info["started"] = perf_counter()

    def after(
        connection: Connection, cursor: object, statement: str, parameters: object,
        context: ExecutionContext, many: bool,
    ) -> None:  # fmt: skip
        elapsed = perf_counter() - connection.info["started"]
        if elapsed >= slow:
            logger.warning("slow statement", statement=statement, elapsed=round(elapsed, 6))

    event.listen(engine, "before_cursor_execute", before)
    event.listen(engine, "after_cursor_execute", after)


def count_connections(engine: Engine) -> None:
    """Let the metrics read the numbers of the pool."""
    if isinstance(engine.pool, QueuePool):
        CONNECTIONS.labels("in use").set_function(engine.pool.checkedout)
        CONNECTIONS.labels("idle").set_function(engine.pool.checkedin)


def _prepare_sqlite(connection: Any, record: object) -> None:
    """Turn on what SQLite leaves off: foreign keys, and readers beside a writer."""
    # Without this the driver begins transactions late, and ends them before some statements:
    # https://docs.sqlalchemy.org/en/latest/dialects/sqlite.html
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")
