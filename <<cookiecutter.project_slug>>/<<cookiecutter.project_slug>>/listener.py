"""The port: taken before anything is started, given up without losing a connection."""

import asyncio
import select
import socket
from contextlib import suppress

_ACCEPT = 0.2  # seconds; without descriptors nothing can be accepted


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
        self.descriptor = self._socket.dup().detach()

    async def close(self) -> None:
        """Refuse new connections, but accept those that the system has taken: it would reset them."""
        loop = asyncio.get_running_loop()
        end = loop.time() + _ACCEPT
        while select.select([self._socket], [], [], 0)[0] and loop.time() < end:
            await asyncio.sleep(0.001)  # the loop accepts what waits
        with suppress(OSError):  # some systems refuse this; there Hypercorn closes the port
            self._socket.shutdown(socket.SHUT_RDWR)
        loop.remove_reader(self.descriptor)
        self._socket.close()
