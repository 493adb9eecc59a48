"""The listening socket: bound before start-up, closed without losing a connection."""

import asyncio
import errno
import os
import select
import socket
from contextlib import suppress
from typing import Any

from loguru import logger

from ..log.capture import AlreadyLogged

# With SO_REUSEADDR, Windows would let several processes share the port.
_PORT_OPTION = getattr(socket, "SO_EXCLUSIVEADDRUSE", socket.SO_REUSEADDR)
_DRAIN_TIMEOUT = 0.2  # seconds; without file descriptors nothing can be accepted
# Errors after which asyncio retries, a second later.
_NO_RESOURCES = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
_RETRY = 0.5  # seconds, less than asyncio's
# Seconds without a failure that end a shortage.
CALM = 10.0


class Listener:
    """The socket that the server listens on; it accepts connections after start-up.

    Args:
        host: an IP address of this machine, or its name.
        port: a port; 0 picks a free one.

    Raises:
        OSError: the address is not on this machine, or the port is in use.
        UnicodeError: `host` is not a valid host name.
    """

    def __init__(self, host: str, port: int) -> None:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        self._socket = socket.socket(family, kind, protocol)
        self._socket.setsockopt(socket.SOL_SOCKET, _PORT_OPTION, 1)
        try:
            self._socket.bind(address)
        except OSError:
            self._socket.close()
            raise
        # The server's copy, which it closes.
        self.port = Port(fileno=self._socket.dup().detach())
        self.port.setblocking(False)

    async def drain(self) -> None:
        """Let the event loop accept the connections that wait; closing the port resets them."""
        loop = asyncio.get_running_loop()
        end = loop.time() + _DRAIN_TIMEOUT
        while select.select([self._socket], [], [], 0)[0] and loop.time() < end:
            await asyncio.sleep(0.001)

    def close(self) -> None:
        """Refuse new connections."""
        # The server may have closed its copy; asyncio's loop for Windows has no readers.
        with suppress(OSError, NotImplementedError):
            asyncio.get_running_loop().remove_reader(self.port)
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            self._replace_port()
        self._socket.close()

    def _replace_port(self) -> None:
        """Make the server's copy another socket, where a listening one has no shutdown (macOS).

        The server can still close it. On Windows, where sockets are not files, it stays open until
        then.
        """
        with suppress(OSError), socket.socket() as unused:
            os.dup2(unused.fileno(), self.port.fileno(), inheritable=False)


def remedy(error: OSError | UnicodeError) -> str:
    """Return what to do after a Listener has failed."""
    if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
        return "set PORT to a free port"
    return "check HOST and PORT"


class PortError(AlreadyLogged, OSError):
    """The port is closed or cannot accept connections now; already logged if it matters."""


class Port(socket.socket):
    """A socket that logs a shortage of file descriptors once, and the number of failures after it.

    asyncio accepts up to its backlog in a row and logs each failure. Each of them starts as many
    new attempts a second later.
    """

    _failures = 0
    _failed_at = -_RETRY

    def accept(self) -> tuple[socket.socket, Any]:
        """Accept a connection.

        Raises:
            BlockingIOError: no connection is pending, or it is too early to retry.
            PortError: file descriptors or memory ran out.
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
        """Return the file descriptor.

        Raises:
            PortError: the socket is closed; asyncio may still retry.
        """
        descriptor = super().fileno()
        if descriptor < 0:
            raise PortError(errno.EBADF, "the port is closed")
        return descriptor
