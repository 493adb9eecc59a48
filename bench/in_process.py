"""CPU time of one request without a server: run as `python -m bench.in_process NAME`."""

import asyncio
import contextlib
import json
import statistics
import sys
import time
from typing import Any

from bench.apps import application

# Path and number of requests per round.
CASES = {
    "request": ("/plain", 500),
    "with one logger.info": ("/info", 500),
    "422": ("/divide?a=1&b=x", 200),
    "exception": ("/divide?a=1&b=0", 20),
}
ROUNDS = 9
HEADERS = [
    (b"host", b"service.example.com"),
    (b"user-agent", b"Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0"),
    (b"accept", b"application/json"),
    (b"accept-encoding", b"gzip, deflate, br"),
    (b"referer", b"https://www.example.com/shop/items"),
]


def scope(target: str) -> dict[str, Any]:
    """Return the ASGI scope of a GET request as Hypercorn makes it."""
    path, _, query = target.partition("?")
    return {
        "type": "http",
        "http_version": "1.1",
        "asgi": {"spec_version": "2.1", "version": "3.0"},
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": HEADERS,
        "client": ("203.0.113.9", 52444),
        "server": ("127.0.0.1", 8000),
        "state": {},
        "extensions": {},
    }


async def receive() -> dict[str, Any]:
    """Return an empty body."""
    return {"type": "http.request", "body": b"", "more_body": False}


async def send(message: Any) -> None:
    """Discard the response."""


async def measure(app: Any, target: str, requests: int) -> float:
    """Return the CPU time of one request in microseconds."""
    started = time.process_time()
    for _ in range(requests):
        with contextlib.suppress(ZeroDivisionError):
            await app(scope(target), receive, send)
    return (time.process_time() - started) / requests * 1e6


async def main() -> None:
    """Print the median of each case as JSON."""
    app = application(sys.argv[1])
    times: dict[str, list[float]] = {case: [] for case in CASES}
    for _ in range(ROUNDS + 1):
        for case, (target, requests) in CASES.items():
            times[case].append(await measure(app, target, requests))
    # The first round is the warm-up.
    print(json.dumps({case: statistics.median(rounds[1:]) for case, rounds in times.items()}))


if __name__ == "__main__":
    asyncio.run(main())
