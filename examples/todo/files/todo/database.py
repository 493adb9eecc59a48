"""The database: its engine and sessions, and what the log and the metrics say about them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from time import perf_counter
from typing import Any

from loguru import logger
from prometheus_client import Gauge
from sqlalchemy import URL, Connection, Engine, ExecutionContext, event, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoAnswer
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.pool import QueuePool

POOL_SIZE = 10
# Seconds in which a session must have a connection that works.
CONNECT_TIMEOUT = 5
POOL = {
    "pool_size": POOL_SIZE,
    "max_overflow": 0,
    "pool_timeout": CONNECT_TIMEOUT,
    "pool_recycle": 1800,  # seconds; networks forget connections that are idle for hours
    "pool_pre_ping": True,  # replaces connections that broke while they were idle
    # Sessions roll back themselves; the pool would log an ERROR where a connection broke meanwhile.
    "pool_reset_on_return": None,
}
# For a connection to a server, and for SQLite, where it is the time to wait for another writer.
SERVER, SQLITE = {"connect_timeout": 3}, {"timeout": 5}

CONNECTIONS = Gauge("database_connections", "Connections in the pool by state.", ["state"])
CONNECTIONS_MAX = Gauge("database_connections_max", "Connections that the pool can have.")


class Database:
    """An engine with a pool of connections, and sessions on it.

    Args:
        url: with one of the drivers in database_url.py.
        slow: seconds after which a statement is logged.
    """

    def __init__(self, url: URL, slow: float = 0.5) -> None:
        is_sqlite = url.get_backend_name() == "sqlite"
        self.engine = create_async_engine(
            url,
            connect_args=SQLITE if is_sqlite else SERVER,
            hide_parameters=True,  # they are the users' data; errors and the log leave them out
            **({} if is_sqlite and url.database in (None, "", ":memory:") else POOL),
        )
        self.sessions = async_sessionmaker(self.engine, expire_on_commit=False)
        self._asking: asyncio.Task[None] | None = None
        log_slow_statements(self.engine.sync_engine, slow)
        count_connections(self.engine.sync_engine)
        if is_sqlite:
            event.listen(self.engine.sync_engine, "connect", _prepare_sqlite)
            event.listen(self.engine.sync_engine, "begin", _begin_sqlite)

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncSession]:
        """Open a session that has a connection; at the end, roll back what was not committed.

        Raises:
            sqlalchemy.exc.TimeoutError: there was none in time.
        """
        session = self.sessions()
        try:
            try:
                # The drivers themselves wait without end for a database that hangs.
                async with asyncio.timeout(CONNECT_TIMEOUT):
                    await session.connection()
            except TimeoutError:
                raise NoAnswer(f"no connection in {CONNECT_TIMEOUT} s") from None
            yield session
        finally:
            await asyncio.shield(_end(session))

    async def check(self) -> None:
        """Raise if the database does not answer.

        Checks at the same time share one question: a database that hangs must not take a
        connection for each. A check that is given up does not wait until the driver gives up too.
        """
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask())
            self._asking.add_done_callback(_retrieve)
        await asyncio.wait({self._asking})
        self._asking.result()

    async def _ask(self) -> None:
        async with self.session() as session, asyncio.timeout(CONNECT_TIMEOUT):
            await session.execute(text("SELECT 1"))

    async def close(self) -> None:
        """Close the connections."""
        if self._asking:
            self._asking.cancel()
        await self.engine.dispose()


async def _end(session: AsyncSession) -> None:
    """Give the connection back; if it was lost, the database has rolled back by itself."""
    with suppress(DBAPIError):
        await session.rollback()
    await session.close()


def _retrieve(task: asyncio.Task[None]) -> None:
    """Look at a task's exception, which asyncio reports as lost otherwise."""
    if not task.cancelled():
        task.exception()


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
    """Let the metrics read the numbers of the pool; SQLite in memory has none."""
    if isinstance(engine.pool, QueuePool):
        CONNECTIONS.labels("in use").set_function(engine.pool.checkedout)
        CONNECTIONS.labels("idle").set_function(engine.pool.checkedin)
        CONNECTIONS_MAX.set(POOL_SIZE)


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
