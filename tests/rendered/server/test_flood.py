"""Ten thousand requests of every kind at once: each has exactly one correct line."""

import asyncio
import itertools
import os
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from checks.served import Service, serve

REQUESTS = 10_000
FIRST = 4_000  # until then memory grows to what this many clients need
CLIENTS = 32
MEGABYTE = 1024 * 1024
HANDSHAKE = (
    b"connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n"
    b"sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
)


class Client:
    """A client on raw connections that collects the request ids it receives."""

    def __init__(self, port: int, ids: list[str]) -> None:
        self.port = port
        self.ids = ids
        self.reader: asyncio.StreamReader
        self.writer: asyncio.StreamWriter | None = None

    async def request(self, path: str, headers: bytes = b"") -> bytes:
        """Send a GET, on the open connection if there is one, and return the response head."""
        if not self.writer:
            self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.writer.write(b"GET %s HTTP/1.1\r\nhost: a\r\n%s\r\n" % (path.encode(), headers))
        head = await self.reader.readuntil(b"\r\n\r\n")
        [request_id] = [
            line.partition(b": ")[2]
            for line in head.split(b"\r\n")
            if line.startswith(b"x-request-id: ")
        ]
        self.ids.append(request_id.decode())
        return head

    def leave(self) -> None:
        """Close the connection, even if more data is to come."""
        assert self.writer
        self.writer.close()
        self.writer = None

    async def ask(self, path: str) -> None:
        """Read a response to its end."""
        head = await self.request(path)
        length = head.partition(b"content-length: ")[2].partition(b"\r\n")[0]
        await self.reader.readexactly(int(length))

    async def stream(self, path: str) -> None:
        """Read a stream until it breaks."""
        await self.request(path)
        assert not (await self.reader.read()).endswith(b"0\r\n\r\n")
        self.leave()

    async def start_reading(self, path: str) -> None:
        """Read the beginning of a stream, then disconnect."""
        await self.request(path)
        await self.reader.read(1_000)
        self.leave()

    async def talk(self, path: str) -> None:
        """Exchange one message, then close the WebSocket."""
        if self.writer:
            self.leave()
        await self.request(path, HANDSHAKE)
        assert self.writer
        self.writer.write(b"\x81\x81\x00\x00\x00\x00x")
        assert await self.reader.readexactly(3) == b"\x81\x01x"
        self.writer.write(b"\x88\x82\x00\x00\x00\x00\x03\xe8")
        await self.reader.read()
        self.leave()


# What a client does, and the resulting line: its message, level, status and mark.
Kind = tuple[Callable[[Client, str], Awaitable[None]], str, tuple[object, ...]]
KINDS: list[Kind] = [
    (Client.ask, "/hello", ("log request", "INFO", 200, None)),
    (Client.ask, "/nowhere", ("log request", "INFO", 404, None)),
    (Client.ask, "/divide?a=1&b=x", ("log request", "INFO", 422, None)),
    (Client.ask, "/divide?a=1&b=0", ("unhandled exception", "ERROR", 500, None)),
    (Client.ask, "/status/503", ("log request", "ERROR", 503, None)),
    (Client.ask, "/stream/broken?chunks=0", ("unhandled exception", "ERROR", 500, None)),
    (Client.stream, "/stream/broken?chunks=2", ("unhandled exception", "ERROR", 200, "completed")),
    (Client.start_reading, "/stream/silent", ("log request", "INFO", 200, "disconnected")),
    (Client.start_reading, "/stream/endless", ("log request", "INFO", 200, "disconnected")),
    (Client.talk, "/echo", ("log websocket", "INFO", 101, None)),
]
# Successful requests are the majority.
MIX = [*KINDS, *KINDS[:2] * 5]


async def flood(service: Service, count: int, ids: list[str]) -> Counter[tuple[object, ...]]:
    """Send `count` requests from all clients at once, and return the lines to expect."""
    kinds = iter([*itertools.islice(itertools.cycle(MIX), count)])
    expected: Counter[tuple[object, ...]] = Counter()

    async def work() -> None:
        client = Client(service.port, ids)
        for act, path, line in kinds:
            await act(client, path)
            expected[path, *line] += 1
        if client.writer:
            client.leave()

    await asyncio.gather(*(work() for _ in range(CLIENTS)))
    return expected


def resident(service: Service) -> int:
    """Return the resident memory of the service in bytes."""
    pages = Path(f"/proc/{service.process.pid}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not Path("/proc").exists(), reason="needs /proc")
def test_ten_thousand_requests(tmp_path: Path) -> None:
    """Each request has one line that matches what the client saw, and memory does not grow."""
    ids: list[str] = []
    # Coverage data must not count as memory of the service.
    with serve(tmp_path, COVERAGE_PROCESS_CONFIG="") as service:

        def count_request_lines() -> int:
            return sum("status_code" in line for line in service.lines)

        expected = asyncio.run(flood(service, FIRST, ids))
        service.wait_until(lambda: count_request_lines() >= FIRST)
        before = resident(service)
        expected += asyncio.run(flood(service, REQUESTS - FIRST, ids))
        service.wait_until(lambda: count_request_lines() >= REQUESTS)
        assert resident(service) - before < 3 * MEGABYTE
        assert service.stop() == 0
    found: Counter[tuple[object, ...]] = Counter()
    for line in service.lines:
        if "status_code" in line:
            mark = next((name for name in ("completed", "disconnected") if name in line), None)
            found[
                line["path_with_query"], line["message"], line["level"], line["status_code"], mark
            ] += 1
    assert found == expected
    assert len(set(ids)) == len(ids) == REQUESTS
    assert {line["request_id"] for line in service.lines if "status_code" in line} == set(ids)
