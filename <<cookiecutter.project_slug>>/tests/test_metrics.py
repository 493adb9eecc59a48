"""metrics.py"""

import socket
from collections.abc import AsyncIterator

import pytest
from fastapi import APIRouter
from fastapi.responses import StreamingResponse
from httpx import AsyncClient
from prometheus_client import REGISTRY

from << cookiecutter.project_slug >> import metrics
from << cookiecutter.project_slug >>.main import app as service
from << cookiecutter.project_slug >>.metrics import MetricsSettings
from << cookiecutter.project_slug >>.middleware import Service

from .conftest import Log, connect

app = Service()
router = APIRouter(prefix="/{shop}")


@router.get("/items/{number}")
async def item(number: int) -> float:
    return 1 / number


@router.get("/broken")
async def broken() -> StreamingResponse:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"12345"
        raise ConnectionError("upstream")

    return StreamingResponse(chunks())


app.include_router(router, prefix="/shops")


def sample(name: str, **labels: str) -> float:
    """Return what a metric has counted so far."""
    return REGISTRY.get_sample_value(name, labels) or 0


async def test_a_request_is_counted_by_the_template_of_its_route() -> None:
    """The measurement is that of its line in the log: it is counted once, when that is written."""
    labels = {"method": "GET", "route": "/shops/{shop}/items/{number}"}
    async with connect(app) as client:
        for shop in ("a", "b"):
            response = await client.get(f"/shops/{shop}/items/4")
    assert sample("http_requests_total", **labels, status="200") == 2
    assert sample("http_request_duration_seconds_count", **labels) == 2
    assert sample("http_response_size_bytes_sum", **labels) == 2 * len(response.content)
    assert sample("http_requests_in_progress") == 0


async def test_what_clients_invent_adds_no_series() -> None:
    """Paths without a route and unknown methods are counted under one name each."""
    labels = {"method": "OTHER", "route": "unmatched", "status": "404"}
    counts, series = [], []
    async with connect(app) as client:
        for number in range(20):
            await client.request(f"HACK{number}", f"/{number}")
            counts.append(sample("http_requests_total", **labels))
            series.append(sum(len(metric.samples) for metric in REGISTRY.collect()))
    assert counts[-1] == counts[0] + 19
    assert series[-1] == series[0]


async def test_an_exception_is_a_500_and_counted_by_its_type() -> None:
    """Whoever only looks at the metrics sees what failed."""
    route = "/shops/{shop}/items/{number}"
    async with connect(app) as client:
        await client.get("/shops/a/items/0")
    assert sample("http_requests_total", method="GET", route=route, status="500") == 1
    assert sample("http_exceptions_total", exception="ZeroDivisionError", route=route) == 1


async def test_a_broken_response_is_counted_as_such() -> None:
    """Its status was sent before it broke; that it is incomplete is told beside it."""
    labels = {"method": "GET", "route": "/shops/{shop}/broken"}
    async with connect(app) as client:
        with pytest.raises(AssertionError):  # httpx noticed that it is not complete
            await client.get("/shops/a/broken")
    assert sample("http_requests_total", **labels, status="200") == 1
    assert sample("http_requests_incomplete_total", **labels, reason="error") == 1


async def test_metrics_have_a_port_of_their_own(
    log: Log, client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The public port does not know them; a bucket leads to the id of a request."""
    assert (await client.get("/metrics")).status_code == 404
    request = await client.get("/divide?a=1&b=2")
    monkeypatch.setattr(metrics, "settings", MetricsSettings(metrics_port=0))
    async with service.router.lifespan_context(service), AsyncClient() as scraper:
        [line] = log("serving metrics")
        accept = {"accept": "application/openmetrics-text"}
        scrape = await scraper.get(line["url"], headers=accept)
    assert f'# {{request_id="{request.headers["x-request-id"]}"}}' in scrape.text
    assert 'service_build_info{version="0.1.0"}' in scrape.text


async def test_a_taken_port_stops_the_start(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """Metrics that nobody can scrape would be missed when they are needed."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setattr(metrics, "settings", MetricsSettings(metrics_port=port))
        with pytest.raises(OSError, match="in use"):
            async with service.router.lifespan_context(service):
                pass
    [line] = log()
    assert line["level"] == "ERROR"
    assert f"port {port}" in line["message"]
