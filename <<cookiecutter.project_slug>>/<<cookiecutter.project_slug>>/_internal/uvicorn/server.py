"""uvicorn: HTTP/1.1."""

import asyncio
import logging
import socket
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import uvicorn
from loguru import logger
from starlette.types import ASGIApp
from uvicorn.lifespan.on import LifespanOn
from uvicorn.loops.auto import auto_loop_factory

from ..server import process
from ..server.listener import Listener
from ..server.settings import IDLE_TIMEOUT, ServerSettings
from .http import HttpConnection, State
from .websocket import WebSocketConnection

_BACKLOG = 1024  # connections that wait to be accepted
_POLL = 0.02  # seconds


def run(path: str, settings: ServerSettings) -> int:
    """Serve the application at `package.module:name` and return the exit code of the process."""
    return process.run(path, settings, UvicornServer)


class UvicornServer:
    """uvicorn, with the graceful shutdown and the log of this package.

    Args:
        settings: where to serve.
        listener: the listening socket.
    """

    def __init__(self, settings: ServerSettings, listener: Listener) -> None:
        # Its lines repeat what the log has: requests, failures, the steps of the lifespan.
        logging.getLogger("uvicorn").setLevel(logging.CRITICAL + 1)
        self._root_path = settings.root_path
        self._listener = listener
        self._state = State()
        self._server: _Server | None = None
        self.loop_factory = auto_loop_factory()

    async def serve(self, app: ASGIApp, wait_for_stop: Callable[[], Awaitable[None]]) -> None:
        """Serve until `wait_for_stop` returns and the requests in flight have ended.

        Raises:
            LifespanError: the lifespan has failed.
        """
        server = self._server = _Server(self._config(app), self._state)
        stopping = asyncio.ensure_future(self._stop_after(wait_for_stop, server))
        try:
            await server.serve([self._listener.port])
        finally:
            stopping.cancel()
        server.check_lifespan()

    def _config(self, app: ASGIApp) -> uvicorn.Config:
        config = uvicorn.Config(
            app,
            access_log=False,
            http=HttpConnection,
            interface="asgi3",
            lifespan="on",
            log_config=None,
            proxy_headers=False,
            # A pipelined request would inherit the context of the one before it.
            reset_contextvars=True,
            root_path=self._root_path,
            server_header=False,
            # Longer than a proxy keeps idle connections, so that the proxy closes them first.
            timeout_keep_alive=IDLE_TIMEOUT,
            ws=WebSocketConnection,
        )
        config.load()
        config.lifespan_class = Lifespan
        return config

    async def _stop_after(
        self, wait_for_stop: Callable[[], Awaitable[None]], server: uvicorn.Server
    ) -> None:
        await wait_for_stop()
        server.should_exit = True

    async def close_port(self) -> None:
        """Accept the connections that wait, and refuse new ones."""
        await self._listener.drain()
        for server in self._server.servers if self._server else ():
            server.close()
        self._listener.close()

    def announce_end(self) -> None:
        """Ask every client to send no more requests on its connection."""
        self._state.is_stopping = True
        for connection in self._state.connections:
            if isinstance(connection, HttpConnection):
                connection.announce_end()

    async def wait_closed(self) -> None:
        """Return when no connection is open."""
        while self._state.connections:
            await asyncio.sleep(_POLL)


class Lifespan(LifespanOn):
    """The lifespan, which keeps what has failed in it."""

    error: BaseException | None = None

    async def send(self, message: Any) -> None:
        """Handle a message of the application.

        Raises:
            LifespanError: the message says that a step has failed.
        """
        await super().send(message)
        if self.startup_failed or self.shutdown_failed:
            self.error = sys.exception()
            raise process.LifespanError


class _Server(uvicorn.Server):
    """uvicorn's server, without its signal handlers."""

    lifespan: Lifespan

    def __init__(self, config: uvicorn.Config, state: State) -> None:
        super().__init__(config)
        self.server_state = state
        self.servers = []

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to the process."""
        yield

    def check_lifespan(self) -> None:
        """Raise LifespanError if the lifespan has failed."""
        if self.lifespan.should_exit:
            raise process.LifespanError from self.lifespan.error

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Run the start-up, then accept connections unless the service stops already."""
        await self.lifespan.startup()
        self.check_lifespan()
        self.started = True
        if not self.should_exit:
            await self._accept(sockets or [])

    async def _accept(self, sockets: list[socket.socket]) -> None:
        make_connection = partial(
            HttpConnection,
            config=self.config,
            server_state=self.server_state,
            app_state=self.lifespan.state,
        )
        loop = asyncio.get_running_loop()
        for port in sockets:
            server = await loop.create_server(make_connection, sock=port, backlog=_BACKLOG)
            self.servers.append(server)
            host, number = port.getsockname()[:2]
            address = f"[{host}]" if ":" in host else host
            logger.info(f"Running on http://{address}:{number} (CTRL + C to quit)")
