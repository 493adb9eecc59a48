"""Buffer received data for an application that reads at its own pace."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from hypercorn.protocol.events import Body, EndBody
from hypercorn.protocol.events import Event as StreamEvent
from hypercorn.protocol.h2 import H2Protocol
from hypercorn.protocol.http_stream import HTTPStream
from hypercorn.protocol.ws_stream import WSStream

_PIECE = 8 * 1024


async def in_chunks(data: bytes) -> AsyncIterator[bytes]:
    """Yield `data` in pieces and let other connections run between them.

    The smallest frames have six bytes: thousands of them can arrive at once.
    """
    for start in range(0, len(data), _PIECE):
        if start:
            await asyncio.sleep(0)
        yield data[start : start + _PIECE]


def discard_unread(put: Any) -> None:
    """Discard unread messages of the application if its queue has no room for two more.

    One is the disconnect; the other may already wait for room, and would wait forever.
    """
    queue: asyncio.Queue[object] = put.__self__
    if queue.qsize() > queue.maxsize - 2:
        while not queue.empty():
            queue.get_nowait()


class Inbox:
    """Data received on a stream, for an application that reads at its own pace (HTTP/2 only).

    Hypercorn stops reading a connection while one of its applications does not read. That blocks
    all other requests, and even the window updates that the response of this one needs. Here only
    this stream waits: its window opens as far as the application has read.

    Args:
        stream: the stream that receives the data.
        take: passes an event to the application and waits until there is room for it.
    """

    def __init__(
        self, stream: HTTPStream | WSStream, take: Callable[[StreamEvent], Awaitable[None]]
    ) -> None:
        self._stream: HTTPStream | WSStream = stream
        self._take = take
        self._data = bytearray()
        self._is_complete = False
        self._is_busy = False
        self.is_used = False

    def put(self, event: Body | EndBody) -> None:
        """Pass an event on after the application has taken the previous ones."""
        if isinstance(event, Body):
            self._data += event.data
        else:
            self._is_complete = True
        self.is_used = True
        if not self._is_busy:
            self._is_busy = True
            self._stream.task_group.spawn(self._empty)

    async def _empty(self) -> None:
        stream_id = self._stream.stream_id
        connection: H2Protocol = self._stream.send.__self__  # type: ignore[attr-defined]
        while self._data:
            data, self._data = bytes(self._data), bytearray()
            await self._take(Body(stream_id=stream_id, data=data))
            connection.connection.acknowledge_received_data(len(data), stream_id)
            await connection._flush()
        if self._is_complete:
            await self._take(EndBody(stream_id=stream_id))
        self._is_busy = False
