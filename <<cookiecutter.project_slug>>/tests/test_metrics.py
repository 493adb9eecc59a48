"""metrics.py"""

from fastapi import FastAPI
from httpx import AsyncClient
from prometheus_client import REGISTRY

from << cookiecutter.project_slug >>.metrics import MetricsSettings, add_metrics
from << cookiecutter.project_slug >>.middleware import add_request_log

from .conftest import Log, connect

ROUTE = "/items/{number}"
app = FastAPI()
add_request_log(app)


@app.get(ROUTE)
async def item(number: int) -> float:
    return 1 / number


async def test_requests_are_counted_by_route() -> None:
    """The label is the path template; an unhandled exception is a 500 and counted by its type."""
    async with connect(app) as client:
        for number in (0, 1, 2):
            await client.get(f"/items/{number}")
    value = REGISTRY.get_sample_value
    labels = {"method": "GET", "route": ROUTE}
    assert value("http_requests_total", {**labels, "status": "200"}) == 2
    assert value("http_requests_total", {**labels, "status": "500"}) == 1
    assert value("http_exceptions_total", {"exception": "ZeroDivisionError", "route": ROUTE}) == 1
    assert value("http_requests_in_progress") == 0


async def test_metrics_have_a_separate_port(log: Log) -> None:
    """The metrics are on their port while the application runs, and not on its public port."""
    add_metrics(app, MetricsSettings(metrics_port=0))
    async with app.router.lifespan_context(app), connect(app) as client:
        public = await client.get("/metrics")
        [line] = log("serving metrics")
        async with AsyncClient(trust_env=False) as scraper:
            scrape = await scraper.get(line["url"])
    assert public.status_code == 404
    assert 'http_requests_total{method="GET",route="unmatched",status="404"}' in scrape.text
    assert "service_build_info{version=" in scrape.text
