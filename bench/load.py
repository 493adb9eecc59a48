"""Load generator: HTTP/1.1 requests over persistent connections.

One thread waits for all sockets: a request costs the generator less than it costs any server.
"""

import select
import socket
import time
from collections.abc import Sequence

REQUEST = "GET {} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n"
TIMEOUT = 60.0  # seconds without any response


class Connection:
    """One connection that repeats the same request.

    Args:
        target: path and query.
        count: number of requests; without it, as many as fit beside the other connections.
    """

    def __init__(self, port: int, target: str, count: int | None = None) -> None:
        self.count = count
        self.latencies: list[float] = []  # seconds
        self._request = REQUEST.format(target).encode()
        self._response = b""
        self._began = 0.0
        self._socket = socket.create_connection(("127.0.0.1", port), TIMEOUT)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    @property
    def is_done(self) -> bool:
        """Whether the connection has sent its number of requests."""
        return len(self.latencies) == self.count

    def fileno(self) -> int:
        """Return the file descriptor."""
        return self._socket.fileno()

    def send(self) -> None:
        """Send a request."""
        self._began = time.perf_counter()
        self._socket.send(self._request)

    def receive(self) -> bool:
        """Read what has arrived, and return whether the response is complete.

        Raises:
            ConnectionError: the server has closed the connection.
        """
        data = self._socket.recv(65_536)
        if not data:
            raise ConnectionResetError("the server has closed the connection")
        self._response += data
        head, _, body = self._response.partition(b"\r\n\r\n")
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        if not length or len(body) < int(length):
            return False
        self.latencies.append(time.perf_counter() - self._began)
        self._response = b""
        return True

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()


def drive(connections: Sequence[Connection]) -> None:
    """Send requests until all connections that have a number of requests are done."""
    poll = select.poll()
    busy = {connection.fileno(): connection for connection in connections}
    for descriptor, connection in busy.items():
        poll.register(descriptor, select.POLLIN)
        connection.send()
    counted = sum(connection.count is not None for connection in connections)
    while busy:
        ready = poll.poll(TIMEOUT * 1e3)
        if not ready:
            raise TimeoutError(f"no response for {TIMEOUT:.0f} seconds")
        for descriptor, _ in ready:
            connection = busy[descriptor]
            if not connection.receive():
                continue
            counted -= connection.is_done
            if counted and not connection.is_done:
                connection.send()
            else:
                poll.unregister(descriptor)
                del busy[descriptor]
    for connection in connections:
        connection.close()


def percentile(latencies: list[float], percent: float) -> float:
    """Return a percentile in milliseconds."""
    ordered = sorted(latencies)
    return ordered[min(int(len(ordered) * percent / 100), len(ordered) - 1)] * 1e3
