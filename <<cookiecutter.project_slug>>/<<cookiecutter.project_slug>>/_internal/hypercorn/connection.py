"""Hypercorn 0.18 connections, with bugs around their end corrected."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from hypercorn.asyncio.task_group import TaskGroup
from hypercorn.asyncio.tcp_server import TCPServer
from hypercorn.asyncio.worker_context import AsyncioSingleTask, WorkerContext
from hypercorn.config import Config
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.protocol import ProtocolWrapper
from hypercorn.protocol.h2 import H2Protocol
from hyperframe.frame import GoAwayFrame
from loguru import logger
from typing_extensions import override

# Announces the shutdown but still accepts every stream.
GOAWAY = GoAwayFrame(0, last_stream_id=2**31 - 1).serialize()


class PipelineClosed(Exception):
    """The connection ended before a pipelined request got its turn."""


class Connection(TCPServer):
    """A connection that ends when its client closes it; it is registered while it is open.

    Hypercorn keeps it and its file descriptor for another `keep_alive_timeout` seconds. It does not
    handle every network error when it closes it (pgjones/hypercorn #361). It also cancels and
    restarts the timeout task for each request. Here one task serves the whole connection, which
    saves a tenth of the cost of a small request.

    When a connection fails in Hypercorn, its requests wait forever. Here they receive a disconnect.
    """

    config: Config
    context: WorkerContext
    idle_task: AsyncioSingleTask
    protocol: ProtocolWrapper

    @override
    async def run(self) -> None:
        self._idle, self._idle_since = True, self.loop.time()
        task = asyncio.current_task()
        assert task is not None
        open_connections[task] = self
        task.add_done_callback(open_connections.pop)
        await super().run()

    def send_goaway(self) -> None:
        """Send GOAWAY to a client (RFC 9113, 6.8), but still answer its requests (HTTP/2 only).

        Hypercorn's own GOAWAY would cut off all streams in flight.
        """
        if not self.writer.transport.is_closing() and isinstance(
            self.protocol.protocol, H2Protocol
        ):
            self.writer.write(GOAWAY)

    async def guard(self, work: Callable[..., Awaitable[None]], *args: Any) -> None:
        """Run `work` for this connection; if it fails, log the error and close the connection."""
        try:
            await work(*args)
        except PipelineClosed:
            pass  # the request in flight may go on
        except Exception as error:
            logger.opt(exception=error).error("connection failed")
            self.writer.close()
            await self.protocol.handle(Closed())

    @override
    async def protocol_send(self, event: Event) -> None:
        if isinstance(event, RawData):
            await self._write(event.data)
        elif isinstance(event, Updated):
            self._note_idle(event.idle)
        else:
            # Closing the connection can block for as long as the client is slow to read.
            await self.protocol.handle(event)
            await super().protocol_send(event)

    async def _write(self, data: bytes) -> None:
        async with self.send_lock:
            # asyncio logs a warning for each write to a lost connection.
            if not self.writer.transport.is_closing():
                with suppress(OSError, RuntimeError):
                    self.writer.write(data)
                    await self.writer.drain()
                    return
        await asyncio.sleep(0)  # a sender may await nothing else
        await self.protocol.handle(Closed())

    def _note_idle(self, idle: bool) -> None:
        self._idle = idle
        if idle:
            self._idle_since = self.loop.time()
            if self.context.terminated.is_set():
                self._task_group.spawn(self._initiate_server_close)

    @override
    async def _read_data(self) -> None:
        await self.guard(super()._read_data)
        await self.idle_task.stop()

    @override
    async def _close(self) -> None:
        with suppress(OSError):
            await super()._close()

    @override
    async def _idle_timeout(self) -> None:
        limit = self.config.keep_alive_timeout
        left = limit
        while left > 0 and not self.context.terminated.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self.context.terminated.wait(), left)
            left = self._idle_since + limit - self.loop.time() if self._idle else limit
        if self._idle:
            await asyncio.shield(self._initiate_server_close())


# Open connections of this process, by their tasks.
open_connections: dict[asyncio.Task[None], Connection] = {}


class ConnectionTasks(TaskGroup):
    """The tasks of a connection.

    In Hypercorn, a task that fails cancels all others (pgjones/hypercorn #329).
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        task = asyncio.current_task()
        assert task is not None
        self._connection = open_connections[task]

    @override
    def spawn(self, func: Callable[..., Awaitable[None]], *args: Any) -> None:
        super().spawn(self._connection.guard, func, *args)
