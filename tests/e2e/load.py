"""Send many requests over persistent connections and compare each response."""

import asyncio
import itertools
import ssl
from collections import Counter
from dataclasses import dataclass
from threading import Event, Thread
from typing import Self

CONNECTIONS = 16


@dataclass(frozen=True)
class Request:
    """A request and its expected response."""

    path: str
    status: int
    body: bytes
    method: str = "GET"
    sent: bytes = b""

    def encoded(self, host: str) -> bytes:
        """Return the request as HTTP/1.1."""
        head = f"{self.method} /api{self.path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: load\r\n"
        return f"{head}Content-Length: {len(self.sent)}\r\n\r\n".encode() + self.sent


GETS = (
    Request("/hello", 200, b'{"message":"Hello World"}'),
    Request("/divide?a=1&b=4", 200, b"0.25"),
    Request("/trial/slow?seconds=0.05", 200, b"0.05"),
    Request("/nowhere", 404, b'{"detail":"Not Found"}'),
)
POST = Request("/trial/echo", 200, b"1000", "POST", b"x" * 1000)


@dataclass
class Answer:
    """A response."""

    status: int
    headers: dict[str, str]
    body: bytes


class Connection:
    """One connection, opened on demand."""

    def __init__(self, port: str, tls: ssl.SSLContext) -> None:
        self.host = f"localhost:{port}"
        self._port = port
        self._tls = tls
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def request(self, request: Request) -> Answer:
        """Send a request and return the response."""
        return await self.ask(request.encoded(self.host))

    async def ask(self, raw: bytes) -> Answer:
        """Send raw bytes and return the response; an error closes the connection."""
        try:
            if not self._streams:
                self._streams = await asyncio.open_connection(
                    "127.0.0.1", self._port, ssl=self._tls, server_hostname="localhost"
                )
            reader, writer = self._streams
            writer.write(raw)
            async with asyncio.timeout(30):
                return await _read(reader)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the connection."""
        if self._streams:
            self._streams[1].transport.abort()
            self._streams = None


async def _read(reader: asyncio.StreamReader) -> Answer:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head)}
    body = await reader.readexactly(int(headers["content-length"]))
    return Answer(int(head[0].split()[1]), headers, body)


class Load:
    """Requests in the background, until the context exits or `total` requests are answered."""

    def __init__(
        self, port: str, tls: ssl.SSLContext, *requests: Request, total: int = 10**9
    ) -> None:
        self.ids: set[str] = set()  # of all answered requests
        self.statuses: Counter[int] = Counter()
        self.wrong: list[str] = []
        self.broken: list[str] = []
        self._port = port
        self._tls = tls
        self._requests = itertools.islice(itertools.cycle(requests), total)
        self._stopped = Event()
        self._flowing = Event()
        self._thread = Thread(target=lambda: asyncio.run(self._run()))

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._flowing.wait(20)
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def finish(self) -> None:
        """Wait until all requests are answered."""
        self._thread.join()

    async def _run(self) -> None:
        await asyncio.gather(*(self._worker() for _ in range(CONNECTIONS)))

    async def _worker(self) -> None:
        connection = Connection(self._port, self._tls)
        for request in self._requests:
            if self._stopped.is_set():
                break
            try:
                self._compare(request, await connection.request(request))
            except (OSError, EOFError, TimeoutError) as error:
                self.broken.append(f"{request.path}: {error!r}")
                await asyncio.sleep(0.02)  # the service may be gone
        connection.close()

    def _compare(self, request: Request, answer: Answer) -> None:
        self._flowing.set()
        self.statuses[answer.status] += 1
        self.ids.add(answer.headers["x-request-id"])
        if (answer.status, answer.body) != (request.status, request.body):
            self.wrong.append(f"{request.method} {request.path}: {answer.status} {answer.body!r}")
