"""Whatever clients send, the service answers others, logs correct lines and leaks nothing."""

import asyncio
import itertools
import os
import socket
import struct
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random

import pytest

from checks.fuzzing import KINDS, request_ids
from checks.served import SECONDS, Service, serve
from checks.server.test_flood import MEGABYTE, resident

SEED = os.environ.get("FUZZ_SEED", "plinth")
CONNECTIONS = int(os.environ.get("FUZZ_CONNECTIONS", "300"))
CLIENTS = 16
PARTS = 4
PATIENCE = 0.3  # seconds that a client waits for a response
# Asks every 50 ms until its input ends, and prints how long each response took.
# It is a separate process, because the clients here would slow it down.
PROBE = """
import http.client, sys, threading, time
connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=30)
ended = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), ended.set())).start()
while not ended.wait(0.05):
    begin = time.perf_counter()
    connection.request("GET", "/health/live")
    response = connection.getresponse()
    response.read()
    print(response.status, time.perf_counter() - begin)
"""


class Health:
    """How the service answers other clients."""

    def __init__(self) -> None:
        self.statuses: Counter[str] = Counter()
        self.slowest = 0.0


@contextmanager
def probe_health(service: Service) -> Iterator[Health]:
    """Request the health of the service continuously, on another connection."""
    health = Health()
    probe = subprocess.Popen(
        [sys.executable, "-c", PROBE, str(service.port)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"COVERAGE_PROCESS_CONFIG": ""},
    )
    try:
        yield health
    finally:
        out, _ = probe.communicate()
    assert probe.returncode == 0
    for line in out.splitlines():
        status, seconds = line.split()
        health.statuses[status] += 1
        health.slowest = max(health.slowest, float(seconds))


class Client:
    """One connection that sends what the seed determines, and keeps what it receives.

    Args:
        number: the number of the connection, which is a part of the seed.
    """

    def __init__(self, number: int) -> None:
        self.kind = list(KINDS)[number % len(KINDS)]
        self._rng = Random(f"{SEED}/{number}")
        self._received: list[bytes] = []

    async def run(self, port: int) -> list[str]:
        """Return the ids of the responses."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        reading = asyncio.create_task(self._read(reader))
        with suppress(OSError):  # the service may close the connection or not read it
            await asyncio.wait_for(self._send(writer), PATIENCE)
        await self._leave(writer, reading)
        return request_ids(self.kind, b"".join(self._received))

    async def _send(self, writer: asyncio.StreamWriter) -> None:
        for piece in KINDS[self.kind](self._rng):
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(self._rng.choice((0, 0, 0.01)))

    async def _read(self, reader: asyncio.StreamReader) -> None:
        with suppress(OSError):
            while data := await reader.read(65_536):
                self._received.append(data)

    async def _leave(self, writer: asyncio.StreamWriter, reading: asyncio.Task[None]) -> None:
        """Close the connection: at once, with a reset, or after the service has closed it."""
        how = self._rng.choice(("close", "reset", "half", "wait"))
        if how == "reset":
            linger = struct.pack("ii", 1, 0)
            with suppress(OSError):
                writer.get_extra_info("socket").setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, linger
                )
            writer.transport.abort()
        elif how == "half":
            with suppress(OSError):
                writer.write_eof()
        if how in ("half", "wait"):
            await asyncio.wait({reading}, timeout=PATIENCE)
        reading.cancel()
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def fuzz(port: int, numbers: Iterator[int]) -> list[str]:
    """Open connections from all clients at once, and return the ids of all responses."""
    ids: list[str] = []

    async def work() -> None:
        for number in numbers:
            ids.extend(await Client(number).run(port))

    await asyncio.gather(*(work() for _ in range(CLIENTS)))
    return ids


def descriptors(service: Service) -> int:
    """Return the number of open files and connections of the service."""
    return len([*Path(f"/proc/{service.process.pid}/fd").iterdir()])


def wait_for_closed_connections(service: Service, limit: int) -> None:
    """Wait until the service has closed what its clients have closed."""
    end = time.monotonic() + SECONDS
    while descriptors(service) > limit and time.monotonic() < end:
        time.sleep(0.05)
    assert descriptors(service) <= limit


@pytest.mark.skipif(not Path("/proc").exists(), reason="needs /proc")
def test_arbitrary_input(tmp_path: Path) -> None:
    """Others are answered, each response has one line, and there are no errors and no leaks."""
    numbers = iter(range(CONNECTIONS))
    ids: list[str] = []
    memory: list[float] = []
    with serve(tmp_path, COVERAGE_PROCESS_CONFIG="") as service:
        service.get("/hello")
        before = descriptors(service)
        with probe_health(service) as health:
            for _ in range(PARTS):
                part = itertools.islice(numbers, CONNECTIONS // PARTS)
                ids += asyncio.run(fuzz(service.port, part))
                memory.append(resident(service) / MEGABYTE)
        wait_for_closed_connections(service, before)
        assert service.stop() == 0
    # A leak grows with every part; the memory of a peak is kept, but only once.
    grown = min(later - earlier for earlier, later in itertools.pairwise(memory))
    told = Counter(line["request_id"] for line in service.lines if "status_code" in line)
    print(f"{CONNECTIONS} connections, {len(ids)} answers, {told.total()} lines;",
          f"{health.statuses}, the slowest after {health.slowest * 1000:.0f} ms;",
          f"{grown:+.1f} MB")  # fmt: skip
    assert set(health.statuses) == {"200"}
    assert {
        line["message"] for line in service.lines if line["level"] in ("ERROR", "WARNING")
    } == set()
    assert len(set(ids)) == len(ids) > CONNECTIONS / 5
    assert {request_id: told[request_id] for request_id in ids if told[request_id] != 1} == {}
    assert set(told.values()) == {1}
    assert grown < 5
