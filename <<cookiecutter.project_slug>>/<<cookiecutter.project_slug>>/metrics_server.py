"""A small server beside the service's own, which answers whoever scrapes the metrics.

It takes connections on the event loop: when the loop hangs, and with it the service, scrapes fail
too and the service counts as down. Each is answered in a thread, so that none holds up a request.
"""

import asyncio
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from socketserver import ThreadingTCPServer
from typing import Any

from loguru import logger
from prometheus_client import MetricsHandler


class ScrapeHandler(MetricsHandler):
    """Answers one scrape; who sends or reads nothing is left after a while."""

    timeout = 10


class MetricsServer(ThreadingTCPServer):
    """Listens on a port; a free one where the port is 0."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 64
    timeout = 0  # `handle_request` takes what is there and never waits

    def __init__(self, host: str, port: int) -> None:
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        self.address_family = family
        super().__init__(address, ScrapeHandler)  # type: ignore[arg-type]
        self.socket.setblocking(False)

    @property
    def url(self) -> str:
        """Where it answers."""
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
    """Serve the metrics at the URL that is given; without a port at none.

    Raises:
        OSError: the port is taken, which is logged.
    """
    if port is None:
        yield ""
        return
    try:
        server = MetricsServer(host, port)
    except OSError as error:
        logger.error(f"cannot serve metrics on {host} port {port}: {error}")
        raise
    loop = asyncio.get_running_loop()
    loop.add_reader(server, server.handle_request)
    try:
        yield server.url
    finally:
        loop.remove_reader(server)
        server.server_close()
