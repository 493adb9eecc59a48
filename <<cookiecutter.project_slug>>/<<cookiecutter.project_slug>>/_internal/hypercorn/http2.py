"""HTTP/2 of Hypercorn 0.18, with bugs around the end of streams corrected."""

import asyncio
import sys
from contextlib import suppress
from itertools import takewhile
from typing import Any

import h2.events
from h2.errors import ErrorCodes
from h2.events import DataReceived, PriorityUpdated, RequestReceived, StreamReset
from h2.exceptions import ProtocolError
from hypercorn.asyncio.worker_context import WorkerContext
from hypercorn.config import Config
from hypercorn.events import Event, RawData, Updated
from hypercorn.protocol.events import Body
from hypercorn.protocol.h2 import H2Protocol, StreamBuffer
from priority.priority import MissingStreamError
from typing_extensions import override

from .connection import GOAWAY
from .inbox import in_chunks

_WINDOW = 2**16  # approximate limit of unread bytes on a stream


class Http2Connection(H2Protocol):
    """A connection that no single stream can break (HTTP/2 only).

    In Hypercorn, each of these ends all requests of the connection: a body whose request is already
    answered (pgjones/hypercorn #329), a request that it cannot parse, more than a thousand requests
    reset at once. Responses that wait for a client to read keep waiting after the client has gone.
    After `keep_alive_max_requests` Hypercorn cuts off all streams in flight, and a request that
    arrives too late looks as if it had been processed.
    """

    config: Config
    context: WorkerContext

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.keep_alive_requests = -sys.maxsize

    @override
    async def initiate(self, *args: Any) -> None:
        await super().initiate(*args)
        # So large that only the window of each stream limits it.
        self.connection.increment_flow_control_window(
            _WINDOW * self.config.h2_max_concurrent_streams
        )
        await self._flush()
        if self.config.keep_alive_max_requests == 0:  # the service stops
            await self.send(RawData(GOAWAY))

    @override
    async def handle(self, event: Event) -> None:
        if isinstance(event, RawData):
            async for piece in in_chunks(event.data):
                if not self.closed:
                    await super().handle(RawData(piece))
        else:
            await super().handle(event)
            for buffer in self.stream_buffers.values():
                await buffer.close()

    @override
    async def _handle_events(self, events: list[h2.events.Event]) -> None:
        for number, event in enumerate(takewhile(lambda _: not self.closed, events)):
            if isinstance(event, RequestReceived):
                if number:
                    await asyncio.sleep(0)  # requests can arrive by the hundred
                await self._begin(event)
            elif isinstance(event, DataReceived):
                await self._receive(event)
            # Clients can send unlimited priorities (RFC 9113, 5.3) for streams that do not exist.
            elif not isinstance(event, PriorityUpdated):
                await super()._handle_events([event])
            if isinstance(event, StreamReset):
                await self._forget(event.stream_id)
                await self.send(Updated(idle=self.idle))
        await self._flush()

    async def _begin(self, request: RequestReceived) -> None:
        if self.context.terminated.is_set():
            # The client may retry it on another instance (RFC 9113, 8.7).
            self._reset(request.stream_id, ErrorCodes.REFUSED_STREAM)
        elif not _is_readable(request):
            self._reset(request.stream_id, ErrorCodes.PROTOCOL_ERROR)
        else:
            await super()._handle_events([request])

    def _reset(self, stream_id: int, code: ErrorCodes) -> None:
        with suppress(ProtocolError):  # the stream is already closed
            self.connection.reset_stream(stream_id, code)

    async def _receive(self, event: DataReceived) -> None:
        handled = event.flow_controlled_length
        if event.data and event.stream_id in self.streams:
            handled -= len(event.data)  # the stream acknowledges it when it is read
            body = Body(stream_id=event.stream_id, data=event.data)
            await self.streams[event.stream_id].handle(body)
        self.connection.acknowledge_received_data(handled, event.stream_id)

    async def end_stream(self, stream_id: int) -> None:
        """End a WebSocket whose client ended the stream without a close frame."""
        await self._close_stream(stream_id)
        self._reset(stream_id, ErrorCodes.CANCEL)
        await self._forget(stream_id)
        await self._flush()
        await self.send(Updated(idle=self.idle))

    async def _forget(self, stream_id: int) -> None:
        """Discard unsent data of a stream; Hypercorn does so only when it sends again."""
        buffer: StreamBuffer | None = self.stream_buffers.pop(stream_id, None)
        if buffer:
            await buffer.close()
        with suppress(MissingStreamError):
            self.priority.remove_stream(stream_id)

    @override
    async def _send_data(self, stream_id: int) -> None:
        with suppress(KeyError):  # discarded in the meantime
            await super()._send_data(stream_id)


def _is_readable(request: RequestReceived) -> bool:
    """Return whether Hypercorn can parse the request.

    It supports CONNECT only for WebSockets, and does not reject others (pgjones/hypercorn #277).
    """
    head = {name: value for name, value in request.headers if name.startswith(b":")}
    path, _, _ = head.get(b":path", b"\xff").partition(b"?")
    is_websocket = head.get(b":protocol", b"websocket") == b"websocket"
    return path.isascii() and head[b":method"].isascii() and is_websocket
