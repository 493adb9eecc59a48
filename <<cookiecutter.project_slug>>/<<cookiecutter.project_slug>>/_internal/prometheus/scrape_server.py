"""Serve the metrics on a separate port.

It accepts connections on the event loop: when the loop hangs, scrapes fail and the service counts
as down. A thread answers each scrape, so that scrapes do not delay requests.
"""

import asyncio
import errno
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from socketserver import ThreadingTCPServer
from threading import Thread
from typing import Any

from fastapi import FastAPI
from loguru import logger
from prometheus_client import MetricsHandler

_POLL = 0.05  # seconds


class ScrapeHandler(MetricsHandler):
    """Answers one scrape; drops a client that stalls for `timeout` seconds."""

    timeout = 10


class MetricsServer(ThreadingTCPServer):
    """Serves the metrics on a port; 0 picks a free one."""

    # On Windows, several processes could share the port.
    allow_reuse_address = not hasattr(socket, "SO_EXCLUSIVEADDRUSE")
    daemon_threads = True
    request_queue_size = 64
    timeout = 0  # `handle_request` never waits for a connection

    def __init__(self, host: str, port: int) -> None:
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        self.address_family = family
        super().__init__(address, ScrapeHandler)  # type: ignore[arg-type]
        self.socket.setblocking(False)

    @property
    def url(self) -> str:
        """The URL of the metrics."""
        host, port = self.socket.getsockname()[:2]
        return f"http://{f'[{host}]' if ':' in host else host}:{port}/metrics"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log what the base class would print."""
        if isinstance(sys.exception(), OSError):
            logger.debug("scrape given up", remote_ip=client_address[0])
        else:
            logger.exception("scrape failed", remote_ip=client_address[0])


@asynccontextmanager
async def serve_metrics(host: str, port: int | None) -> AsyncIterator[str]:
    """Serve the metrics and yield their URL; without a port, yield an empty string.

    Raises:
        OSError: the port is in use; the error is logged.
    """
    if port is None:
        yield ""
        return
    try:
        server = MetricsServer(host, port)
    except OSError as error:
        remedy = "check METRICS_HOST and METRICS_PORT"
        if error.errno == errno.EADDRINUSE:
            remedy = "set METRICS_PORT to a free port, or leave it empty; workers cannot share it"
        logger.error(f"cannot serve metrics on {host} port {port}: {error}; {remedy}")
        raise
    loop = asyncio.get_running_loop()
    try:
        loop.add_reader(server, server.handle_request)
        stop: Callable[[], object] = partial(loop.remove_reader, server)
    except NotImplementedError:  # Windows: a thread accepts, whether the loop hangs or not
        Thread(target=server.serve_forever, args=[_POLL], daemon=True).start()
        stop = server.shutdown
    try:
        yield server.url
    finally:
        stop()
        server.server_close()


def serve_during_lifespan(app: FastAPI, host: str, port: int | None) -> None:
    """Serve the metrics while `app` runs; without a port, do not."""
    inner = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[Any]:
        async with serve_metrics(host, port) as url, inner(app) as state:
            if url:
                logger.info("serving metrics", url=url)
            yield state

    app.router.lifespan_context = lifespan
