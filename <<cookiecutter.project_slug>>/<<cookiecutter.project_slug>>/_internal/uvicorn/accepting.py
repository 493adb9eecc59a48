"""Accept connections on any event loop."""

import asyncio
import socket
from collections.abc import Callable
from functools import partial
from typing import Any

_RETRY = 0.01  # seconds, after a client that has already left, or without resources


def accept_on(
    port: socket.socket,
    on_waiting: Callable[[], object],
    on_accepted: Callable[[socket.socket, Any], object],
) -> Callable[[], object]:
    """Call `on_waiting` when a connection can be accepted; return what ends this.

    asyncio's loop for Windows cannot watch a port. It accepts each connection itself, and
    `on_accepted` receives the connection and the client's address.
    """
    loop = asyncio.get_running_loop()
    try:
        loop.add_reader(port, on_waiting)
    except NotImplementedError:
        return loop.create_task(_accept_each(port, on_accepted)).cancel
    return partial(loop.remove_reader, port)


async def _accept_each(
    port: socket.socket, on_accepted: Callable[[socket.socket, Any], object]
) -> None:
    loop = asyncio.get_running_loop()
    while True:
        try:
            accepted = await loop.sock_accept(port)
        except OSError:
            await asyncio.sleep(_RETRY)
        else:
            loop.call_soon(on_accepted, *accepted)  # its failure must not end this task
