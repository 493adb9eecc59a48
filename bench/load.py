"""Load generator: HTTP/1.1 requests over persistent connections."""

import asyncio
import time

REQUEST = "GET {} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n"


class Connection:
    """One connection that repeats the same request.

    Args:
        target: path and query.
        count: number of requests; without it, until `stop` is called.
    """

    def __init__(self, port: int, target: str, count: int | None = None) -> None:
        self.port = port
        self.request = REQUEST.format(target).encode()
        self.count = count
        self.latencies: list[float] = []  # seconds
        self.stopped = False

    async def run(self) -> None:
        """Send the requests and record their latencies."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        while not self.stopped and len(self.latencies) != self.count:
            began = time.perf_counter()
            writer.write(self.request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
            await reader.readexactly(int(length))
            self.latencies.append(time.perf_counter() - began)
        writer.close()

    def stop(self) -> None:
        """Stop after the current response."""
        self.stopped = True


def percentile(latencies: list[float], percent: float) -> float:
    """Return a percentile in milliseconds."""
    ordered = sorted(latencies)
    return ordered[min(int(len(ordered) * percent / 100), len(ordered) - 1)] * 1e3
