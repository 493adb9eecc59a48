"""What Hypercorn 0.18 gets wrong about the ends of connections, put right.

It has no setting for any of it, so `install` replaces its classes where it looks them up.
`pyproject.toml` pins its minor version: with a new one, see what is still needed.
"""

import asyncio
import select
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import takewhile
from typing import Any, cast

import h2.events
import h11
import hypercorn.asyncio.run
import hypercorn.asyncio.tcp_server
import hypercorn.protocol
import hypercorn.protocol.h2
import hypercorn.protocol.h11
from h2.errors import ErrorCodes
from h2.events import DataReceived, PriorityUpdated, RequestReceived, StreamReset
from h2.exceptions import ProtocolError
from hypercorn.asyncio.task_group import TaskGroup
from hypercorn.asyncio.tcp_server import TCPServer
from hypercorn.asyncio.worker_context import EventWrapper
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.protocol.events import Body
from hypercorn.protocol.h2 import H2Protocol
from hypercorn.protocol.h11 import H11Protocol
from hyperframe.frame import GoAwayFrame
from loguru import logger
from priority.priority import MissingStreamError

from .hypercorn_streams import (
    Http2Stream,
    Http2WebSocketStream,
    HttpStream,
    WebSocketStream,
    in_pieces,
)

_GOODBYE = GoAwayFrame(0, last_stream_id=2**31 - 1).serialize()  # still takes any stream
_WINDOW = 2**16  # bytes that a client may send unread on a stream, about
_PATIENCE = 1.0  # seconds after which a client is looked for that is not heard


class Connection(TCPServer):
    """A connection that ends when its client closes it, and that is known while it is open.

    Hypercorn keeps it, and its file descriptor, for `keep_alive_timeout` seconds more. And for each
    request it cancels the task that waits for this time to pass, and starts another; here one task
    waits as long as the connection is there, which saves a tenth of what a small request costs.

    Where Hypercorn fails, its requests would wait for ever; here they hear that their client is gone.
    """

    async def run(self) -> None:
        self._idle, self._idle_since = True, self.loop.time()
        task = asyncio.current_task()
        assert task is not None
        open_connections[task] = self
        task.add_done_callback(open_connections.pop)
        await super().run()

    def announce_end(self) -> None:
        """Ask an HTTP/2 client to send no more requests (RFC 9113, 6.8), and answer those it sends.

        Hypercorn's own goodbye would cut off all streams in progress.
        """
        if not self.writer.transport.is_closing() and isinstance(
            self.protocol.protocol, H2Protocol
        ):
            self.writer.write(_GOODBYE)

    async def guard(self, work: Callable[..., Awaitable[None]], *args: Any) -> None:
        """Do a part of the work for this connection; when that fails, end the connection."""
        try:
            await work(*args)
        except _NoTurn:
            pass  # the request in progress may go on
        except Exception as error:
            logger.opt(exception=error).error("connection failed")
            self.writer.close()
            await self.protocol.handle(Closed())

    async def protocol_send(self, event: Event) -> None:
        if isinstance(event, RawData):
            await self._write(event.data)
        elif isinstance(event, Updated):
            self._note_idle(event.idle)
        else:
            # To close the connection can take as long as its client likes to read.
            await self.protocol.handle(event)
            await super().protocol_send(event)

    async def _write(self, data: bytes) -> None:
        async with self.send_lock:
            # What is written to a lost connection is a warning of asyncio's each time.
            if not self.writer.transport.is_closing():
                with suppress(OSError, RuntimeError):
                    self.writer.write(data)
                    await self.writer.drain()
                    return
        await asyncio.sleep(0)  # a sender may wait for nothing else
        await self.protocol.handle(Closed())

    def _note_idle(self, idle: bool) -> None:
        self._idle = idle
        if idle:
            self._idle_since = self.loop.time()
            if self.context.terminated.is_set():
                self._task_group.spawn(self._initiate_server_close)

    async def _read_data(self) -> None:
        await self.guard(super()._read_data)
        await self.idle_task.stop()

    async def _close(self) -> None:
        with suppress(OSError):  # Hypercorn does not expect all that a network can say
            await super()._close()

    async def _idle_timeout(self) -> None:
        limit = self.config.keep_alive_timeout
        left = limit
        while left > 0 and not self.context.terminated.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self.context.terminated.wait(), left)
            left = self._idle_since + limit - self.loop.time() if self._idle else limit
        if self._idle:
            await asyncio.shield(self._initiate_server_close())


# Those of this process, by their tasks.
open_connections: dict[asyncio.Task[None], Connection] = {}


class ConnectionTasks(TaskGroup):
    """The tasks of a connection, of which none that fails cancels the others."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        task = asyncio.current_task()
        assert task is not None
        self._connection = open_connections[task]

    def spawn(self, func: Callable[..., Awaitable[None]], *args: Any) -> None:
        super().spawn(self._connection.guard, func, *args)


class _NoTurn(Exception):
    """A request that waits for its turn will not have one."""


class _Turn(EventWrapper):
    """What a request of HTTP/1.1 waits for while the one before it is answered.

    Args:
        look: called from time to time, to see whether there is still a client.
    """

    _will_not_come = False

    def __init__(self, look: Callable[[], Awaitable[None]]) -> None:
        super().__init__()
        self._look = look

    async def wait(self) -> None:
        while not self.is_set():
            try:
                await asyncio.wait_for(super().wait(), _PATIENCE)
            except TimeoutError:
                await self._look()
        if self._will_not_come:
            raise _NoTurn

    async def close(self) -> None:
        self._will_not_come = True
        await self.set()


class Http1Connection(H11Protocol):
    """A connection that ends although a request on it waits for its turn.

    Hypercorn goes on waiting when the client has gone. And it changes to HTTP/2 when it is asked to by
    a request of HTTP/1.1, which no client needs and lets requests pass a proxy that filters them (RFC
    9113 has no such change any more); HTTP/2 from the first byte is all that proxies speak.
    """

    can_read: _Turn

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.can_read = _Turn(self._look)

    async def handle(self, event: Event) -> None:
        await super().handle(event)
        if isinstance(event, Closed):
            await self.can_read.close()

    async def _look(self) -> None:
        connection: Connection = self.send.__self__  # type: ignore[attr-defined]
        transport = cast(asyncio.Transport, connection.writer.transport)
        # Behind more bytes than are read, the end of what a client sends is not to be seen.
        if transport.is_closing() or not transport.is_reading():
            await self.handle(Closed())
        elif _has_said_all(connection.writer.get_extra_info("socket").fileno()):
            cast(HttpStream, self.stream).client_left()

    async def _check_protocol(self, event: h11.Request) -> None:
        if event.method == b"PRI":
            await super()._check_protocol(event)


def _has_said_all(descriptor: int) -> bool:
    """Return whether the client has closed its direction, even with bytes left to read (on Linux)."""
    poll = select.poll()
    poll.register(descriptor, getattr(select, "POLLRDHUP", 0))
    return bool(poll.poll(0))


class Http2Connection(H2Protocol):
    """A connection that no single stream can break.

    Hypercorn fails, and all other requests of the connection with it, when a body arrives whose
    request has its answer already, or a request that it cannot read, or more than a thousand that
    were taken back at once; and responses that wait for a client to read them go on waiting when the
    client has gone. After `keep_alive_max_requests` it cuts off all streams in progress, and a request
    that comes too late seems to have been carried out.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.keep_alive_requests = -sys.maxsize

    async def initiate(self, *args: Any) -> None:
        await super().initiate(*args)
        # So large that each stream is limited by its own window only.
        self.connection.increment_flow_control_window(
            _WINDOW * self.config.h2_max_concurrent_streams
        )
        await self._flush()
        if self.config.keep_alive_max_requests == 0:  # the service stops
            await self.send(RawData(_GOODBYE))

    async def handle(self, event: Event) -> None:
        if isinstance(event, RawData):
            async for piece in in_pieces(event.data):
                if not self.closed:
                    await super().handle(RawData(piece))
        else:
            await super().handle(event)
            for buffer in self.stream_buffers.values():
                await buffer.close()

    async def _handle_events(self, events: list[h2.events.Event]) -> None:
        for number, event in enumerate(takewhile(lambda _: not self.closed, events)):
            if isinstance(event, RequestReceived):
                if number:
                    await asyncio.sleep(0)  # they come by the hundred
                await self._begin(event)
            elif isinstance(event, DataReceived):
                await self._receive(event)
            # Priorities (RFC 9113, 5.3) can be had for streams that are not there, without end.
            elif not isinstance(event, PriorityUpdated):
                await super()._handle_events([event])
            if isinstance(event, StreamReset):
                await self._forget(event.stream_id)
                await self.send(Updated(idle=self.idle))
        await self._flush()

    async def _begin(self, request: RequestReceived) -> None:
        if self.context.terminated.is_set():
            # A client may send it again, to another instance (RFC 9113, 8.7).
            self._reset(request.stream_id, ErrorCodes.REFUSED_STREAM)
        elif not _is_readable(request):
            self._reset(request.stream_id, ErrorCodes.PROTOCOL_ERROR)
        else:
            await super()._handle_events([request])

    def _reset(self, stream_id: int, code: ErrorCodes) -> None:
        with suppress(ProtocolError):  # the client was faster
            self.connection.reset_stream(stream_id, code)

    async def _receive(self, event: DataReceived) -> None:
        handled = event.flow_controlled_length
        if event.data and event.stream_id in self.streams:
            handled -= len(event.data)  # the stream says when the rest is
            body = Body(stream_id=event.stream_id, data=event.data)
            await self.streams[event.stream_id].handle(body)
        self.connection.acknowledge_received_data(handled, event.stream_id)

    async def end_stream(self, stream_id: int) -> None:
        """End a WebSocket whose client has nothing more to say, not even goodbye."""
        await self._close_stream(stream_id)
        self._reset(stream_id, ErrorCodes.CANCEL)
        await self._forget(stream_id)
        await self._flush()
        await self.send(Updated(idle=self.idle))

    async def _forget(self, stream_id: int) -> None:
        """Forget what was to be sent on a stream; Hypercorn does so when it would send the next."""
        buffer = self.stream_buffers.pop(stream_id, None)
        if buffer:
            await buffer.close()
        with suppress(MissingStreamError):
            self.priority.remove_stream(stream_id)

    async def _send_data(self, stream_id: int) -> None:
        with suppress(KeyError):  # forgotten in the meantime
            await super()._send_data(stream_id)


def _is_readable(request: RequestReceived) -> bool:
    """Return whether Hypercorn can read the request; of CONNECT it knows only WebSockets."""
    head = {name: value for name, value in request.headers if name.startswith(b":")}
    path, _, _ = head.get(b":path", b"\xff").partition(b"?")
    is_websocket = head.get(b":protocol", b"websocket") == b"websocket"
    return path.isascii() and head[b":method"].isascii() and is_websocket


_REPLACED = (
    (hypercorn.asyncio.run, "TCPServer", Connection),
    (hypercorn.asyncio.tcp_server, "TaskGroup", ConnectionTasks),
    (hypercorn.protocol, "H11Protocol", Http1Connection),
    (hypercorn.protocol, "H2Protocol", Http2Connection),
    (hypercorn.protocol.h11, "HTTPStream", HttpStream),
    (hypercorn.protocol.h2, "HTTPStream", Http2Stream),
    (hypercorn.protocol.h2, "WSStream", Http2WebSocketStream),
    (hypercorn.protocol.h11, "WSStream", WebSocketStream),
)


def install() -> None:
    """Make every server of this process use the classes above."""
    for module, name, replacement in _REPLACED:
        setattr(module, name, replacement)
