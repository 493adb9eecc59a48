"""What Hypercorn 0.18 gets wrong about the ends of connections, put right.

It has no setting for any of it, so `install` replaces its classes where it looks them up.
`pyproject.toml` pins its minor version: with a new one, see what is still needed.
"""

import asyncio
import sys
from contextlib import suppress
from typing import Any

import h2.events
import hypercorn.asyncio.run
import hypercorn.protocol
import hypercorn.protocol.h2
import hypercorn.protocol.h11
from h2.errors import ErrorCodes
from h2.events import DataReceived, RequestReceived, StreamReset
from h2.exceptions import ProtocolError
from hypercorn.asyncio.tcp_server import TCPServer
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.protocol.events import Event as StreamEvent
from hypercorn.protocol.events import StreamClosed
from hypercorn.protocol.h2 import H2Protocol
from hypercorn.protocol.http_stream import ASGIHTTPState, HTTPStream
from hypercorn.protocol.ws_stream import ASGIWebsocketState, WSStream
from hyperframe.frame import GoAwayFrame
from wsproto.events import CloseConnection
from wsproto.frame_protocol import CloseReason

from .exchange import CLIENT_LEFT, CLIENT_LOST

_GOING_AWAY = int(CloseReason.GOING_AWAY)
_GOODBYE = GoAwayFrame(0, last_stream_id=2**31 - 1).serialize()  # still takes any stream


class Connection(TCPServer):
    """A connection that ends when its client closes it, and that is known while it is open.

    Hypercorn keeps it, and its file descriptor, for `keep_alive_timeout` seconds more. And for each
    request it cancels the task that waits for this time to pass, and starts another; here one task
    waits as long as the connection is there, which saves a tenth of what a small request costs.
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

    async def protocol_send(self, event: Event) -> None:
        if not isinstance(event, Updated):
            await super().protocol_send(event)
            return
        self._idle = event.idle
        if event.idle:
            self._idle_since = self.loop.time()
            if self.context.terminated.is_set():
                self._task_group.spawn(self._initiate_server_close)

    async def _read_data(self) -> None:
        await super()._read_data()
        await self.idle_task.stop()

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


class Http2Connection(H2Protocol):
    """A connection that no single stream can break.

    Hypercorn fails, and all other requests of the connection with it, when a body arrives whose
    request has its answer already, or a path that is not ASCII; and responses that wait for a client
    to read them go on waiting when the client has gone. After `keep_alive_max_requests` it cuts off
    all streams in progress, and a request that comes too late seems to have been carried out.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.keep_alive_requests = -sys.maxsize

    async def initiate(self, *args: Any) -> None:
        await super().initiate(*args)
        if self.config.keep_alive_max_requests == 0:  # the service stops
            await self.send(RawData(_GOODBYE))

    async def handle(self, event: Event) -> None:
        await super().handle(event)
        if isinstance(event, Closed):
            for buffer in self.stream_buffers.values():
                await buffer.close()

    async def _handle_events(self, events: list[h2.events.Event]) -> None:
        for event in events:
            if isinstance(event, DataReceived) and event.stream_id not in self.streams:
                self.connection.acknowledge_received_data(
                    event.flow_controlled_length, event.stream_id
                )
            elif isinstance(event, RequestReceived) and self.context.terminated.is_set():
                # A client may send it again, to another instance (RFC 9113, 8.7).
                self._refuse(event, ErrorCodes.REFUSED_STREAM)
            elif isinstance(event, RequestReceived) and not _path(event).isascii():
                self._refuse(event, ErrorCodes.PROTOCOL_ERROR)
            else:
                await super()._handle_events([event])
            if isinstance(event, StreamReset):
                await self.send(Updated(idle=self.idle))
        await self._flush()

    def _refuse(self, request: RequestReceived, code: ErrorCodes) -> None:
        with suppress(ProtocolError):  # the client was faster
            self.connection.reset_stream(request.stream_id, code)


def _path(request: RequestReceived) -> bytes:
    target = next(value for name, value in request.headers if name == b":path")
    return target.partition(b"?")[0]


class HttpStream(HTTPStream):
    """A request whose end nobody has to wait for, and whose scope tells whether its client is there.

    Hypercorn waits for ever when it wants to tell an application of the end that has left more than
    `max_app_queue_size` pieces of the body unread.
    """

    async def handle(self, event: StreamEvent) -> None:
        if isinstance(event, StreamClosed) and not self.closed:
            if self.state is not ASGIHTTPState.CLOSED:
                self._note(CLIENT_LEFT)
            _make_room(self.app_put)
        await super().handle(event)

    async def app_send(self, message: Any) -> None:
        await super().app_send(message)
        if self.closed and self.state is not ASGIHTTPState.CLOSED and self._is_lost():
            self._note(CLIENT_LOST)

    def _is_lost(self) -> bool:
        """Tell whether nothing arrives any more; who has closed one direction may still read."""
        connection: Connection = self.send.__self__.send.__self__  # type: ignore[attr-defined]
        return connection.writer.transport.is_closing()

    def _note(self, name: str) -> None:
        self.scope[name] = True  # type: ignore[literal-required]


class Http2Stream(HttpStream):
    """A response that is reset when it breaks off; Hypercorn lets its client wait for the rest."""

    async def app_send(self, message: Any) -> None:
        if message is None and not self.closed and self.state is ASGIHTTPState.RESPONSE:
            await self._reset()
        await super().app_send(message)

    def _is_lost(self) -> bool:
        return True

    async def _reset(self) -> None:
        connection: Http2Connection = self.send.__self__  # type: ignore[attr-defined]
        buffer = connection.stream_buffers[self.stream_id]
        if buffer.buffer:
            await buffer.drain()
        with suppress(ProtocolError):  # the client was faster
            connection.connection.reset_stream(self.stream_id, ErrorCodes.INTERNAL_ERROR)
        await connection._flush()
        # The task that sends finds nothing to send, and forgets the stream.
        await buffer.close()
        connection.priority.unblock(self.stream_id)
        await connection.has_data.set()


def _make_room(put: Any) -> None:
    """Forget what the application has left unread, where that leaves no room for a message more."""
    queue: asyncio.Queue[object] = put.__self__
    if queue.full():
        while not queue.empty():
            queue.get_nowait()


async def _forget(message: object) -> None:
    """Take what comes for an application that has ended."""


class ConnectionGone(OSError):
    """Nobody is left to send to."""

    def __init__(self, close_code: int) -> None:
        super().__init__("the connection is closed")
        self.close_code = close_code


class WebSocketStream(WSStream):
    """A WebSocket that says with which code it was closed, and sends nothing into the void.

    Hypercorn's code is always 1006 (pgjones/hypercorn #127), and an endpoint that only sends would
    never hear that its client has gone.
    """

    _close_code = int(CloseReason.ABNORMAL_CLOSURE)
    _gone = False

    async def handle(self, event: StreamEvent) -> None:
        if isinstance(event, StreamClosed) and not self.closed and self.app_put:
            self.closed = True
            _make_room(self.app_put)
            await self._disconnect()
            self.app_put = _forget
        else:
            await super().handle(event)

    async def app_send(self, message: Any) -> None:
        """Pass a message to the client.

        Raises:
            ConnectionGone: the client or the service has closed the connection.
        """
        if message and (self.closed or self._gone):
            raise ConnectionGone(self._close_code)
        await super().app_send(message)

    async def go_away(self) -> None:
        """Close the connection because the service stops, and tell the application."""
        if self.closed:
            return
        self._gone = True
        self._close_code = _GOING_AWAY
        if self.state is ASGIWebsocketState.CONNECTED:
            close = {"type": "websocket.close", "code": _GOING_AWAY}
            # Neither waits for the other: the client may not read, or the application not listen.
            await asyncio.gather(super().app_send(close), self._disconnect())  # type: ignore[arg-type]

    async def _disconnect(self) -> None:
        assert self.app_put
        await self.app_put({"type": "websocket.disconnect", "code": self._close_code})

    async def _send_wsproto_event(self, event: Any) -> None:
        if isinstance(event, CloseConnection):  # our own, or the answer to the client's
            self._close_code = int(event.code)
        await super()._send_wsproto_event(event)


_REPLACED = (
    (hypercorn.asyncio.run, "TCPServer", Connection),
    (hypercorn.protocol, "H2Protocol", Http2Connection),
    (hypercorn.protocol.h11, "HTTPStream", HttpStream),
    (hypercorn.protocol.h2, "HTTPStream", Http2Stream),
    (hypercorn.protocol.h2, "WSStream", WebSocketStream),
    (hypercorn.protocol.h11, "WSStream", WebSocketStream),
)


def install() -> None:
    """Make every server of this process use the classes above."""
    for module, name, replacement in _REPLACED:
        setattr(module, name, replacement)
