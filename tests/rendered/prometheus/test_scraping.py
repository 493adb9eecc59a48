"""scrape_server.py: scrapers of every kind, and the lines about them."""

import gzip
import logging
import socket
import struct
from collections.abc import AsyncIterator

import anyio.to_thread
import httpx
import pytest
from prometheus_client import REGISTRY
from prometheus_client.registry import Collector

from my_service._internal.prometheus.scrape_server import serve_metrics
from tests.conftest import Log

# Leave out the lines of the test client.
logging.getLogger("httpcore").setLevel(logging.WARNING)


@pytest.fixture
async def url() -> AsyncIterator[str]:
    """The URL of the metrics."""
    async with serve_metrics("127.0.0.1", 0) as url:
        yield url


async def scrape(url: str, **headers: str) -> httpx.Response:
    """Scrape once."""
    async with httpx.AsyncClient() as scraper:
        return await scraper.get(url, headers=headers)


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("", "text/plain; version=0.0.4; charset=utf-8"),
        ("application/openmetrics-text; version=1.0.0", "application/openmetrics-text"),
        (";;;q=x,,", "text/plain; version=0.0.4; charset=utf-8"),
    ],
)
async def test_a_scrape(accept: str, content_type: str, url: str, log: Log) -> None:
    """The format is the one that the scraper accepts, and a scrape logs nothing."""
    response = await scrape(url, accept=accept)
    assert response.status_code == 200
    assert response.headers["content-type"].startswith(content_type)
    for metric in ("http_requests_in_progress", "process_cpu_seconds_total", "python_info"):
        assert f"\n{metric}" in response.text
    assert "_created" not in response.text.replace("python_gc", "")
    assert log() == []


async def ask(url: str, sent: bytes, *, reset: bool = False) -> bytes:
    """Send bytes on a new connection and return the response."""
    host, _, port = url.split("/")[2].partition(":")

    def talk() -> bytes:
        with socket.create_connection((host, int(port)), timeout=10) as connection:
            connection.sendall(sent)
            if reset:
                linger = struct.pack("ii", 1, 0)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                return b""
            connection.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: connection.recv(65536), b""))

    return await anyio.to_thread.run_sync(talk)


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"\x00\xff\r\n\r\n",
        b"GET",
        b"GET /metrics\r\n\r\n",
        b"GET /metrics HTTP/9.9\r\n\r\n",
        b"POST /metrics HTTP/1.1\r\nContent-Length: 99\r\n\r\n",
        b"GET http://[ HTTP/1.0\r\n\r\n",
        b"GET /" + b"a" * 70_000 + b" HTTP/1.0\r\n\r\n",
        b"GET / HTTP/1.0\r\n" + b"a: b\r\n" * 200 + b"\r\n",
        b"GET /?name[]=%FF%00 HTTP/1.0\r\nAccept: \xff\r\nAccept-Encoding: \x00\r\n\r\n",
    ],
)
async def test_arbitrary_bytes_from_a_scraper(sent: bytes, url: str, log: Log) -> None:
    """Every line is JSON, and the next scrape is answered."""
    await ask(url, sent)
    assert (await scrape(url)).status_code == 200
    log()  # raises if a line is not JSON


async def test_a_scraper_that_resets_the_connection(url: str, log: Log) -> None:
    """A connection reset is at most a line at DEBUG, without a traceback."""
    for _ in range(20):
        await ask(url, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", reset=True)
        await ask(url, b"GET /metrics HTTP/1.1\r\n", reset=True)
    assert (await scrape(url)).status_code == 200
    assert {line["level"] for line in log()} <= {"DEBUG"}


async def test_compression(url: str) -> None:
    """Metrics are compressed with gzip, which Prometheus accepts."""
    async with httpx.AsyncClient() as scraper, scraper.stream("GET", url) as response:
        assert response.headers["content-encoding"] == "gzip"
        body = b"".join([chunk async for chunk in response.aiter_raw()])
    assert b"python_info" in gzip.decompress(body)


class Broken(Collector):
    """A user's metric that cannot be collected."""

    def collect(self) -> list[None]:  # type: ignore[override]
        raise LookupError("no such queue")

    def describe(self) -> list[None]:
        return []


async def test_a_metric_that_cannot_be_collected(url: str, log: Log) -> None:
    """A failing metric is an ERROR line with a traceback, and the scrape fails."""
    broken = Broken()
    REGISTRY.register(broken)
    try:
        with pytest.raises(httpx.RemoteProtocolError):
            await scrape(url)
    finally:
        REGISTRY.unregister(broken)
    [line] = log()
    assert (line["level"], line["message"]) == ("ERROR", "scrape failed")
    assert "no such queue" in line["exception"]


async def test_the_port_is_free_again() -> None:
    """A port can be bound again at once after it is closed."""
    async with serve_metrics("127.0.0.1", 0) as url:
        await scrape(url)
    port = int(url.split("/")[2].rpartition(":")[2])
    async with serve_metrics("127.0.0.1", port) as again:
        assert again == url


async def test_ipv6() -> None:
    """Metrics can be served on an IPv6 address."""
    try:
        async with serve_metrics("::1", 0) as url:
            assert url.startswith("http://[::1]:")
            assert (await scrape(url)).status_code == 200
    except OSError:
        pytest.skip("IPv6 is not configured")


async def test_without_a_port_nothing_is_served() -> None:
    """An empty port disables metrics."""
    async with serve_metrics("127.0.0.1", None) as url:
        assert url == ""


async def test_a_port_in_use_stops_the_start(log: Log) -> None:
    """One ERROR line names port and variable; a service without metrics would look healthy."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match="in use"):
            async with serve_metrics("127.0.0.1", port):
                pass
    [line] = log()
    assert line["level"] == "ERROR"
    assert f"port {port}" in line["message"]
    assert line["message"].endswith(
        "; set METRICS_PORT to a free port, or leave it empty; workers cannot share it"
    )


async def test_an_address_of_another_machine(log: Log) -> None:
    """The line names the variables for other failures too."""
    with pytest.raises(OSError, match="assign"):
        async with serve_metrics("192.0.2.1", 0):
            pass
    [line] = log()
    assert line["message"].endswith("; check METRICS_HOST and METRICS_PORT")
