"""Correct what Hypercorn 0.18 gets wrong when connections end.

It has neither settings nor hooks for this, so `patch_hypercorn` replaces its classes where it looks
them up. `pyproject.toml` pins the minor version: before raising it, check which patches are still
needed. The start ends with one line if the version does not fit (`overrides`).
"""

import hypercorn.asyncio.run
import hypercorn.asyncio.tcp_server
import hypercorn.protocol
import hypercorn.protocol.h2
import hypercorn.protocol.h11

from ..overrides import replace
from .connection import Connection, ConnectionTasks
from .http1 import Http1Connection
from .http2 import Http2Connection
from .http_streams import Http2Stream, HttpStream
from .websocket_streams import Http2WebSocketStream, WebSocketStream

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


def patch_hypercorn() -> None:
    """Make every Hypercorn server in this process use the classes above.

    Raises:
        Missing: this version of Hypercorn looks them up elsewhere.
    """
    for module, name, replacement in _REPLACED:
        replace(module, name, replacement)
