"""HTTP/1.1 of Hypercorn 0.18, with bugs around the end of connections corrected."""

import asyncio
import select
from collections.abc import Awaitable, Callable
from typing import Any, cast

import h11
from hypercorn.asyncio.worker_context import EventWrapper
from hypercorn.events import Closed, Event
from hypercorn.protocol.h11 import H11Protocol
from typing_extensions import override

from ..platforms import HAS_POLL
from .connection import Connection, PipelineClosed
from .http_streams import HttpStream

_CHECK_INTERVAL = 1.0  # seconds between checks that a silent client is still connected


class _PipelineEvent(EventWrapper):
    """Event that a pipelined HTTP/1.1 request waits for until the previous one is answered.

    Args:
        check_client: called every `_CHECK_INTERVAL` seconds while the request waits.
    """

    _will_not_come = False

    def __init__(self, check_client: Callable[[], Awaitable[None]]) -> None:
        super().__init__()
        self._check_client = check_client

    @override
    async def wait(self) -> None:
        while not self.is_set():
            try:
                await asyncio.wait_for(super().wait(), _CHECK_INTERVAL)
            except TimeoutError:
                await self._check_client()
        if self._will_not_come:
            raise PipelineClosed

    async def close(self) -> None:
        self._will_not_come = True
        await self.set()


class Http1Connection(H11Protocol):
    """A connection that ends even if a pipelined request waits for its turn.

    Hypercorn keeps waiting after the client has gone. It also lets an HTTP/1.1 request upgrade to
    HTTP/2, which lets requests bypass a filtering proxy. No client needs this upgrade, and RFC 9113
    has removed it: proxies speak HTTP/2 from the first byte.
    """

    can_read: _PipelineEvent

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.can_read = _PipelineEvent(self._check_client)

    @override
    async def handle(self, event: Event) -> None:
        await super().handle(event)
        if isinstance(event, Closed):
            await self.can_read.close()

    async def _check_client(self) -> None:
        connection: Connection = self.send.__self__  # type: ignore[attr-defined]
        transport = cast(asyncio.Transport, connection.writer.transport)
        # While reading is paused, the end of the client's data cannot be detected.
        if transport.is_closing() or not transport.is_reading():
            await self.handle(Closed())
        elif _is_half_closed(connection.writer.get_extra_info("socket").fileno()):
            cast(HttpStream, self.stream).client_left()

    @override
    async def _check_protocol(self, event: h11.Request) -> None:
        if event.method == b"PRI":
            await super()._check_protocol(event)


def _is_half_closed(descriptor: int) -> bool:
    """Return whether the client has closed its side, even with bytes left to read (on Linux)."""
    if not HAS_POLL:
        return False
    poll = select.poll()
    poll.register(descriptor, getattr(select, "POLLRDHUP", 0))
    return bool(poll.poll(0))
