"""uvicorn: HTTP/1.1."""

import asyncio
import logging
import socket
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

from loguru import logger
from starlette.types import ASGIApp, Receive, Scope, Send
from typing_extensions import override

from .. import upstream
from ..overrides import check_overrides, replace
from ..server import process
from ..server.listener import Listener, PortError
from ..server.settings import IDLE_TIMEOUT, ServerSettings

REQUIREMENT = "uvicorn>=0.54,<0.55"

with upstream.required(REQUIREMENT):
    import uvicorn
    from uvicorn.lifespan.on import LifespanOn
    from uvicorn.loops.auto import auto_loop_factory
    from uvicorn.protocols.http import httptools_impl

    from .accepting import accept_on
    from .http import Cycle, HttpConnection, State
    from .websocket import WebSocketConnection

_BACKLOG = 1024  # connections that wait to be accepted
_POLL = 0.02  # seconds
_RETRY = 1.0  # seconds until the next attempt to accept, without file descriptors


def run(path: str, settings: ServerSettings) -> int:
    """Serve the application at `package.module:name` and return the exit code of the process."""
    with upstream.required(REQUIREMENT):
        check_overrides(__package__, "uvicorn")
        replace(httptools_impl, "RequestResponseCycle", Cycle)
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
        config: uvicorn.Config = uvicorn.Config(
            _with_root_path(app, self._root_path),
            access_log=False,
            http=HttpConnection,
            interface="asgi3",
            lifespan="on",
            log_config=None,
            proxy_headers=False,
            # A pipelined request would inherit the context of the one before it.
            reset_contextvars=True,
            server_header=False,
            # Longer than a proxy keeps idle connections, so that the proxy closes them first.
            timeout_keep_alive=IDLE_TIMEOUT,
            workers=1,  # or it reads WEB_CONCURRENCY
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
        self._server.stop_accepting()
        self._listener.close()
        self._listener.port.close()

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


def _with_root_path(app: ASGIApp, root_path: str) -> ASGIApp:
    """Set the root path, which uvicorn would also put before every path."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        scope["root_path"] = root_path
        await app(scope, receive, send)

    return serve if root_path else app


class Lifespan(LifespanOn):
    """The lifespan, which keeps what has failed in it."""

    error: BaseException | None = None

    @override
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
    server_state: State
    stop_accepting: Callable[[], object] = staticmethod(lambda: None)

    def __init__(self, config: uvicorn.Config, state: State) -> None:
        super().__init__(config)
        self.server_state = state
        self.servers = []

    @override
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to the process."""
        yield

    def check_lifespan(self) -> None:
        """Raise LifespanError if the lifespan has failed."""
        if self.lifespan.should_exit:
            raise process.LifespanError from self.lifespan.error

    @override
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Run the start-up, then accept connections unless the service stops already."""
        await self.lifespan.startup()
        self.check_lifespan()
        self.started = True
        if not self.server_state.is_stopping:
            await self._accept(sockets or [])

    async def _accept(self, sockets: list[socket.socket]) -> None:
        self._make_connection = partial(
            HttpConnection,
            config=self.config,
            server_state=self.server_state,
            app_state=self.lifespan.state,
        )
        for port in sockets:
            port.listen(_BACKLOG)
            self.stop_accepting = accept_on(port, partial(self._accept_waiting, port), self._begin)
            host, number = port.getsockname()[:2]
            address = f"[{host}]" if ":" in host else host
            logger.info(f"Running on http://{address}:{number} (CTRL + C to quit)")

    def _accept_waiting(self, port: socket.socket) -> None:
        """Accept connections; without file descriptors, uvloop itself would reset them silently."""
        loop = asyncio.get_running_loop()
        try:
            for _ in range(_BACKLOG):
                self._begin(*port.accept())
        except (BlockingIOError, ConnectionAbortedError):
            pass
        except PortError:
            loop.remove_reader(port)
            loop.call_later(_RETRY, loop.add_reader, port, self._accept_waiting, port)

    def _begin(self, connection: socket.socket, _client: object) -> None:
        task = asyncio.get_running_loop().create_task(self._open(connection))
        self.server_state.tasks.add(task)
        task.add_done_callback(self.server_state.tasks.discard)

    async def _open(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        with suppress(OSError):  # the client may have left
            loop = asyncio.get_running_loop()
            await loop.connect_accepted_socket(self._make_connection, connection)
