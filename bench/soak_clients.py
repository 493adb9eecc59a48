"""Clients of `make soak`: a few connections, each with one request at a time."""

import selectors
import socket
from collections.abc import Callable, Iterator

from bench.soak_requests import Kind, Leaves, kind_of

TIMEOUT = 60.0  # seconds without any response or line of the log


class Client:
    """A client that sends the next requests, on a new connection where it left the last one.

    Args:
        numbers: those of the requests, shared by all clients.
        selector: calls back when something can be read.
        on_problem: called with a response that is not the expected one.
    """

    def __init__(
        self,
        port: int,
        numbers: Iterator[int],
        selector: selectors.BaseSelector,
        on_problem: Callable[[str], None],
    ) -> None:
        self._port = port
        self._numbers = numbers
        self._selector = selector
        self._on_problem = on_problem
        self._socket: socket.socket | None = None
        self._left: list[socket.socket] = []
        self._kind: Kind = kind_of(0)
        self._response = b""
        self.is_done = False

    def send_next(self) -> None:
        """Send requests up to the first that has a response to wait for."""
        for number in self._numbers:
            self._kind, self._response = kind_of(number), b""
            self._connected().sendall(self._kind.request(number))
            if self._kind.leaves is not Leaves.WITHOUT_READING:
                return
            self._leave_later()
        self.close()
        self.is_done = True

    def on_readable(self) -> None:
        """Read a part of the response; when it has ended, send the next request."""
        assert self._socket
        data = self._socket.recv(65_536)
        self._response += data
        head, _, body = self._response.partition(b"\r\n\r\n")
        if not data:
            self._on_problem(f"{self._kind.name}: closed by the server after {self._response!r}")
            self._disconnect()
        elif self._kind.leaves is Leaves.AFTER_FIRST_PIECE:
            if not body:
                return
            self._disconnect()
        elif not _is_complete(head, body):
            return
        elif int(head[9:12]) not in self._kind.statuses:
            self._on_problem(f"{self._kind.name}: response {self._response[:300]!r}")
        self._close_left()
        self.send_next()

    def close(self) -> None:
        """Close all connections."""
        self._close_left()
        self._disconnect()

    def _connected(self) -> socket.socket:
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self._port), TIMEOUT)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._selector.register(self._socket, selectors.EVENT_READ, self.on_readable)
        return self._socket

    def _leave_later(self) -> None:
        """Close the connection after the next response on another one."""
        assert self._socket
        self._selector.unregister(self._socket)
        self._left.append(self._socket)
        self._socket = None

    def _close_left(self) -> None:
        for left in self._left:
            left.close()
        self._left.clear()

    def _disconnect(self) -> None:
        if self._socket:
            self._selector.unregister(self._socket)
            self._socket.close()
            self._socket = None


def _is_complete(head: bytes, body: bytes) -> bool:
    length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
    if length:
        return len(body) >= int(length)
    return body.endswith(b"0\r\n\r\n")  # the last chunk
