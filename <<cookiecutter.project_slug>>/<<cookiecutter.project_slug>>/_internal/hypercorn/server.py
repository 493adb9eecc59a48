"""Hypercorn: HTTP/1.1 and HTTP/2."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import cast

from starlette.types import ASGIApp
from typing_extensions import override

from .. import upstream
from ..overrides import check_overrides
from ..server import process
from ..server.listener import Listener
from ..server.settings import IDLE_TIMEOUT, ServerSettings

REQUIREMENT = "hypercorn>=0.18,<0.19"

with upstream.required(REQUIREMENT):
    from hypercorn.asyncio import serve
    from hypercorn.config import Config, Sockets
    from hypercorn.typing import ASGIFramework
    from hypercorn.utils import LifespanFailureError

    from .connection import open_connections
    from .patches import patch_hypercorn


def run(path: str, settings: ServerSettings) -> int:
    """Serve the application at `package.module:name` and return the exit code of the process."""
    with upstream.required(REQUIREMENT):
        check_overrides(__package__, "hypercorn")
        patch_hypercorn()
    return process.run(path, settings, HypercornServer)


class HypercornServer:
    """Hypercorn, with the classes that `patches` replaces.

    Args:
        settings: where to serve, and how long a stop may take.
        listener: the listening socket.
    """

    loop_factory = None
    _config: Config

    def __init__(self, settings: ServerSettings, listener: Listener) -> None:
        self._listener = listener
        self._config = _config(settings, listener)

    async def serve(self, app: ASGIApp, wait_for_stop: Callable[[], Awaitable[None]]) -> None:
        """Serve until `wait_for_stop` returns and the requests in flight have ended.

        Raises:
            LifespanError: the lifespan has failed.
        """
        # Hypercorn defines separate types for ASGI messages.
        application = cast(ASGIFramework, app)
        try:
            await serve(application, self._config, shutdown_trigger=wait_for_stop, mode="asgi")
        except LifespanFailureError as error:
            raise process.LifespanError from error.__context__

    async def close_port(self) -> None:
        """Accept the connections that wait, and refuse new ones."""
        await self._listener.drain()
        self._listener.close()

    def announce_end(self) -> None:
        """Ask every client to send no more requests on its connection."""
        # From now on every HTTP/1.1 response has `Connection: close`.
        self._config.keep_alive_max_requests = 0
        for connection in open_connections.values():
            connection.send_goaway()

    async def wait_closed(self) -> None:
        """Return when no connection is open."""
        if open_connections:
            await asyncio.wait(open_connections)


class ServerConfig(Config):
    """Hypercorn's settings, with a port that is already bound."""

    def __init__(self, listener: Listener) -> None:
        super().__init__()
        self._listener = listener

    @override
    def create_sockets(self) -> Sockets:
        """Return the sockets that Hypercorn listens on."""
        return Sockets([], [self._listener.port], [])


def _config(settings: ServerSettings, listener: Listener) -> Config:
    config: Config = ServerConfig(listener)
    config.root_path = settings.root_path
    config.include_server_header = False
    config.errorlog = HypercornLogger("hypercorn.error")
    # Longer than a proxy keeps idle connections, so that the proxy closes them first.
    config.keep_alive_timeout = IDLE_TIMEOUT
    config.keep_alive_max_requests = 1_000_000_000
    # `GracefulShutdown` has its own limits, which work on every version of Python.
    config.graceful_timeout = 2 * (settings.shutdown_delay + settings.shutdown_timeout) + 60
    config.shutdown_timeout = config.graceful_timeout
    config.backlog = 1024
    return config


class HypercornLogger(logging.Logger):
    """Logger that records the caller of Hypercorn's wrapper instead of the wrapper.

    Hypercorn uses a given logger unchanged; a logger that it creates writes a different format.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.parent = logging.getLogger()

    def findCaller(  # noqa: N802
        self, stack_info: bool = False, stacklevel: int = 1
    ) -> tuple[str, int, str, str | None]:
        # Skip two more frames: this one and the wrapper.
        return super().findCaller(stack_info, stacklevel + 2)
