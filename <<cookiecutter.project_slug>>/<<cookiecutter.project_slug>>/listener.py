"""The port: taken before anything is started, given up without losing a connection."""

import asyncio
import errno
import select
import socket
from contextlib import suppress
from typing import Any

from loguru import logger

from .capture import AlreadyLogged

_ACCEPT = 0.2  # seconds; without descriptors nothing can be accepted
# What asyncio answers with another attempt, a second later.
_NO_RESOURCES = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
_RETRY = 0.5  # seconds, less than asyncio's
# Seconds without a failure after which a shortage is over.
CALM = 10.0


class Listener:
    """A socket for Hypercorn to listen on; connections are accepted after the start-up.

    Args:
        host: an address of this machine, or a name of one.
        port: 0 takes a free one.

    Raises:
        OSError: the address is not this machine's, or the port is taken.
        UnicodeError: `host` cannot be the name of a host.
    """

    def __init__(self, host: str, port: int) -> None:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        self._socket = socket.socket(family, kind, protocol)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind(address)
        except OSError:
            self._socket.close()
            raise
        # Hypercorn's own, which it closes.
        self.port = Port(fileno=self._socket.dup().detach())
        self.port.setblocking(False)

    async def close(self) -> None:
        """Refuse new connections, but accept those that the system has taken: it would reset them."""
        loop = asyncio.get_running_loop()
        end = loop.time() + _ACCEPT
        while select.select([self._socket], [], [], 0)[0] and loop.time() < end:
            await asyncio.sleep(0.001)  # the loop accepts what waits
        with suppress(OSError):  # some systems refuse this; there Hypercorn closes the port
            self._socket.shutdown(socket.SHUT_RDWR)
        loop.remove_reader(self.port)
        self._socket.close()


class PortError(AlreadyLogged, OSError):
    """No connection can be accepted now, or any more; the log has it where it matters."""


class Port(socket.socket):
    """A socket that says once that there are no descriptors left, and how often that was.

    asyncio tries as often in a row as its backlog is long, with a line for each failure, and each of
    them begins as many new attempts a second later.
    """

    _failures = 0
    _failed_at = -_RETRY

    def accept(self) -> tuple[socket.socket, Any]:
        """Accept a connection.

        Raises:
            BlockingIOError: no connection waits, or it is too early to try again.
            PortError: there are no descriptors left.
        """
        now = asyncio.get_running_loop().time()
        if now < self._failed_at + _RETRY:
            raise BlockingIOError
        try:
            return super().accept()
        except OSError as error:
            if error.errno not in _NO_RESOURCES:
                raise
            self._failed_at = now
            self._note(error)
            raise PortError(error.errno, error.strerror) from error

    def _note(self, error: OSError) -> None:
        self._failures += 1
        if self._failures == 1:
            logger.error("cannot accept connections", reason=str(error))
            self._wait_for_calm()

    def _wait_for_calm(self) -> None:
        loop = asyncio.get_running_loop()
        if loop.time() < self._failed_at + CALM:
            loop.call_at(self._failed_at + CALM, self._wait_for_calm)
        else:
            logger.warning("connections are accepted again", failures=self._failures)
            self._failures = 0

    def fileno(self) -> int:
        """Return the descriptor.

        Raises:
            PortError: the socket is closed; asyncio may still want to try again.
        """
        descriptor = super().fileno()
        if descriptor < 0:
            raise PortError(errno.EBADF, "the port is closed")
        return descriptor
