"""request_metrics.py: metrics of hostile, broken, aborted and slow requests."""

import asyncio
import random
from collections.abc import AsyncIterator
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import pytest
from fastapi import BackgroundTasks, FastAPI, WebSocket
from fastapi.responses import StreamingResponse
from prometheus_client import REGISTRY
from prometheus_client.exposition import choose_encoder
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_open
from prometheus_client.parser import text_string_to_metric_families as parse_text
from starlette.types import Message

from checks.apps import make_app
from my_service import metrics
from my_service._internal.prometheus.request_metrics import ID_LIMIT
from my_service.main import app as service
from my_service.metrics import MetricsSettings
from tests.conftest import Log

from .samples import request, sample, series, websocket

app = make_app()
begun: asyncio.Event
gate: asyncio.Event


@pytest.fixture(autouse=True)
def events() -> None:
    """Give each test events for its event loop."""
    global begun, gate
    begun, gate = asyncio.Event(), asyncio.Event()


@app.get("/two-parts")
async def stream() -> StreamingResponse:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"1"
        begun.set()
        await gate.wait()
        yield b"2"

    return StreamingResponse(chunks())


@app.get("/background")
async def background(tasks: BackgroundTasks) -> None:
    async def work() -> None:
        begun.set()
        await gate.wait()

    tasks.add_task(work)


@app.get("/fails-later")
async def fails_later(tasks: BackgroundTasks) -> None:
    async def fail() -> None:
        raise KeyError("later")

    tasks.add_task(fail)


@app.get("/plain")
async def plain() -> None: ...


@app.websocket("/talk/{room}")
async def talk(websocket: WebSocket, room: str) -> None:
    if room == "closed":
        await websocket.close()
        return
    await websocket.accept()
    await websocket.receive_text()
    raise LookupError(room)


def counted(route: str, **labels: str) -> float:
    """Return the number of GET requests of a route."""
    return sample("http_requests_total", method="GET", route=route, **labels)


def durations(route: str) -> float:
    """Return the number of durations of a route."""
    return sample("http_request_duration_seconds_count", method="GET", route=route)


def incomplete(route: str, reason: str) -> float:
    """Return the number of incomplete requests of a route."""
    return sample("http_requests_incomplete_total", method="GET", route=route, reason=reason)


def scrapes() -> list[list[Any]]:
    """Return the metrics in both formats."""
    families = []
    for accept, parse in (("", parse_text), ("application/openmetrics-text", parse_open)):
        encode, _ = choose_encoder(accept)
        families.append([*parse(encode(REGISTRY).decode("utf-8"))])
    return families


async def hostile(number: int, chance: random.Random) -> None:
    """Send a request with a random method, path, query and id."""
    noise = "".join(chr(chance.randrange(33, 0x2FFF)) for _ in range(chance.randrange(1, 40)))
    method = chance.choice(["GET", "POST", "DELETE", "get", f"M{number}", "\x7f", noise])
    path = chance.choice(["/", "/hello/", "/divide/", "/health/live/"]) + noise
    raw = chance.randbytes(chance.randrange(140))
    identifier = chance.choice([noise.encode(), raw, b"a" * 128, b'"} 1 #', b"%d" % number])
    await request(
        service, method, path, raw_path=raw, query_string=raw,
        headers=[(b"x-request-id", identifier), (b"x-forwarded-for", raw)],
    )  # fmt: skip


async def test_ten_thousand_hostile_requests_add_no_series() -> None:
    """Path, query, method and id create no series beyond those of the first hundred requests."""
    chance = random.Random(1)
    for number in range(100):
        await hostile(number, chance)
    before, total = series(), sum_of_requests()
    for number in range(10_000):
        await hostile(number, chance)
    assert series() == before
    assert sum_of_requests() == total + 10_000
    assert all(scrapes())


def sum_of_requests() -> float:
    """Return the number of all requests."""
    [metric] = [metric for metric in REGISTRY.collect() if metric.name == "http_requests"]
    return sum(found.value for found in metric.samples)


async def test_every_line_is_counted(log: Log) -> None:
    """The log and the metrics have the same requests, durations and sizes."""
    labels = {"method": "GET", "route": "/divide"}
    names = ("http_request_duration_seconds_sum", "http_response_size_bytes_sum")
    before = [sample(name, **labels) for name in names]
    statuses = {status: counted("/divide", status=status) for status in ("200", "500", "422")}
    for query in (b"a=1&b=2", b"a=1&b=0", b"a=1&b=x"):
        await request(service, "GET", "/divide", query_string=query)
    lines = [line for line in log() if "status_code" in line]
    assert [str(line["status_code"]) for line in lines] == [*statuses]
    for status, start in statuses.items():
        assert counted("/divide", status=status) == start + 1
    risen = [sample(name, **labels) - start for name, start in zip(names, before, strict=True)]
    assert risen[0] == pytest.approx(sum(line["elapsed"] for line in lines))
    assert risen[1] == sum(line["response_length"] for line in lines)


async def test_latency_ends_at_the_last_byte() -> None:
    """A stream is in progress, without a duration, until its last byte is sent."""
    task = asyncio.create_task(request(app, "GET", "/two-parts"))
    await begun.wait()
    assert (durations("/two-parts"), sample("http_requests_in_progress")) == (0, 1)
    gate.set()
    await task
    assert (durations("/two-parts"), sample("http_requests_in_progress")) == (1, 0)
    assert sample("http_response_size_bytes_sum", method="GET", route="/two-parts") == 2


async def test_latency_excludes_background_tasks() -> None:
    """A request ends with its response, while its background task continues."""
    task = asyncio.create_task(request(app, "GET", "/background"))
    await begun.wait()
    assert (durations("/background"), sample("http_requests_in_progress")) == (1, 0)
    assert not task.done()
    gate.set()
    await task
    assert durations("/background") == 1


async def test_a_failure_after_the_response_is_an_exception_and_not_a_500() -> None:
    """A failure after the response counts as a 200 and as an exception."""
    await request(app, "GET", "/fails-later")
    assert counted("/fails-later", status="200") == 1
    assert sample("http_exceptions_total", exception="KeyError", route="/fails-later") == 1


async def test_a_disconnect_before_the_response() -> None:
    """A disconnect before the response is a 499 with a duration, not an error of the service."""

    async def send(_: Message) -> None:
        raise BrokenPipeError

    await request(app, "GET", "/plain", send=send)
    assert counted("/plain", status="499") == 1
    assert (incomplete("/plain", "client"), durations("/plain")) == (1, 1)
    assert incomplete("/plain", "error") == 0


async def test_a_disconnect_during_the_response() -> None:
    """A disconnect during the response counts with the sent status, and as incomplete."""
    gate.set()
    before = counted("/two-parts", status="200")

    async def send(message: Message) -> None:
        if message.get("body") == b"2":
            raise BrokenPipeError

    await request(app, "GET", "/two-parts", send=send)
    assert counted("/two-parts", status="200") == before + 1
    assert incomplete("/two-parts", "client") == 1


def connections(route: str, status: str, code: str) -> float:
    """Return the number of WebSockets with this status and close code."""
    return sample("websocket_connections_total", route=route, status=status, close_code=code)


async def test_websockets_are_counted_separately() -> None:
    """WebSockets are counted by status and close code, never as the latency of a request."""
    route, before = "/talk/{room}", durations("/talk/{room}")
    await websocket(app, "/talk/closed")
    await websocket(app, "/talk/a", [{"type": "websocket.receive", "text": "x"}])
    for code in (1001, 3123, 4999):
        await websocket(app, "/talk/b", [{"type": "websocket.disconnect", "code": code}])
    await websocket(app, "/nowhere")
    assert connections(route, "403", "1000") == 1
    assert connections(route, "101", "1011") == 1
    assert connections(route, "101", "1001") == 1
    assert connections(route, "101", "OTHER") == 2
    assert connections("unmatched", "403", "1000") == 1
    assert sample("http_exceptions_total", exception="LookupError", route=route) == 1
    assert (durations(route), sample("websocket_connections_open")) == (before, 0)


def test_a_project_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without installation and without pyproject.toml the version is `unknown`."""

    def version(name: str) -> str:
        raise PackageNotFoundError(name)

    versions: list[str] = []
    monkeypatch.setattr("my_service._internal.version.version", version)
    monkeypatch.setattr("my_service._internal.version._PYPROJECT", Path("nowhere"))
    monkeypatch.setattr(metrics, "count_requests", lambda **told: versions.append(told["version"]))
    metrics.add_metrics(FastAPI())
    assert versions == ["unknown"]


async def test_adding_metrics_twice_counts_once() -> None:
    """Applications in one process share the metrics, and a request counts once."""
    metrics.add_metrics(app)
    before = counted("/plain", status="200")
    await request(app, "GET", "/plain")
    assert counted("/plain", status="200") == before + 1


@pytest.mark.parametrize("length", [1, ID_LIMIT, ID_LIMIT + 1, 128])
async def test_an_exemplar_leads_to_the_log(length: int) -> None:
    """An exemplar has the logged id, or is omitted if the id is too long for OpenMetrics."""
    identifier = "i" * length
    await request(service, "GET", "/hello", headers=[(b"x-request-id", identifier.encode())])
    _, families = scrapes()
    ids = {
        found.exemplar.labels["request_id"]
        for family in families
        for found in family.samples
        if found.exemplar
    }
    assert (identifier in ids) == (length <= ID_LIMIT)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("METRICS_PORT", "65536", "a whole number up to 65535"),
        ("METRICS_PORT", "http", "or empty for no metrics"),
        ("METRICS_BUCKETS", "1,0.5", "ascending"),
        ("METRICS_BUCKETS", "1,1", "ascending"),
        ("METRICS_BUCKETS", "0,1", "comma-separated"),
        ("METRICS_BUCKETS", "1,nan", "seconds"),
        ("METRICS_BUCKETS", "1,,2", "seconds"),
    ],
)
def test_bad_settings(
    name: str, value: str, message: str, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One ERROR line says which values are allowed."""
    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit):
        MetricsSettings.load()
    [line] = log()
    assert name in line["message"]
    assert message in line["message"]


def test_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Empty settings mean the default, never all interfaces; an empty port means no metrics."""
    monkeypatch.delenv("METRICS_PORT")
    defaults = MetricsSettings.load()
    for name in ("METRICS_HOST", "METRICS_PORT", "METRICS_BUCKETS"):
        monkeypatch.setenv(name, "")
    settings = MetricsSettings.load()
    assert (settings.metrics_host, defaults.metrics_host) == ("127.0.0.1", "127.0.0.1")
    assert (settings.metrics_port, defaults.metrics_port) == (None, 9464)
    assert settings.metrics_buckets == defaults.metrics_buckets
    monkeypatch.setenv("METRICS_BUCKETS", " 0.1, 1 ,10")
    assert MetricsSettings.load().metrics_buckets == (0.1, 1, 10)
