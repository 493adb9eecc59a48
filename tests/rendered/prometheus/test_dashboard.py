"""monitoring/: rules and dashboard use only metrics that the service exports."""

import json
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from fastapi import FastAPI, WebSocket
from fastapi.responses import StreamingResponse
from prometheus_client.parser import text_string_to_metric_families

from checks.apps import make_app
from my_service.main import app as service
from my_service.metrics import MetricsSettings, add_metrics
from tests.conftest import Log

from .samples import request, websocket

FOLDER = Path(__file__).parents[2] / "monitoring"
DASHBOARD = json.loads((FOLDER / "grafana/dashboards/service.json").read_text("utf-8"))

# Prometheus adds these to every target.
TARGET_LABELS = {"job", "instance"}
OF_PROMETHEUS = {"up": TARGET_LABELS, "ALERTS": {*TARGET_LABELS, "alertname", "alertstate"}}

OPERATORS = {"and", "or", "unless", "by", "without", "on", "ignoring", "offset", "bool"}
LABEL_LISTS = re.compile(r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)")
SELECTOR = re.compile(
    r"(?<!\w)([a-zA-Z_:][\w:]*)\s*(?:\{([^}]*)\})?(?=\s*[\[)\-+*/<>=]|\s+[a-z]|\s*$)"
)
MATCHER = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)\s*(\"(?:[^\"\\]|\\.)*\")")

app = make_app()


@app.get("/broken")
async def broken() -> StreamingResponse:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"1"
        raise ConnectionError

    return StreamingResponse(chunks())


@app.websocket("/talk")
async def talk(websocket: WebSocket) -> None:
    await websocket.close()


def rules() -> Iterator[dict[str, Any]]:
    """Yield every rule."""
    for name in ("rules.yml", "alerts.yml"):
        for group in yaml.safe_load((FOLDER / name).read_text("utf-8"))["groups"]:
            yield from group["rules"]


def expressions(node: Any) -> Iterator[str]:
    """Yield every expression of the dashboard, including the queries of its variables."""
    if isinstance(node, dict):
        if isinstance(node.get("expr"), str):
            yield node["expr"]
        if isinstance(node.get("query"), str) and node.get("qryType"):
            yield re.sub(r"label_values\((.*), (\w+)\)", r"sum by (\2) (\1)", node["query"])
        for value in node.values():
            yield from expressions(value)
    elif isinstance(node, list):
        for value in node:
            yield from expressions(value)


def asked(expression: str) -> Iterator[tuple[str, set[str]]]:
    """Yield each metric in an expression, with the labels that it uses."""
    grouped = {label.strip() for labels in LABEL_LISTS.findall(expression)
               for label in labels.split(",")}  # fmt: skip
    for name, selector in SELECTOR.findall(LABEL_LISTS.sub(" ", expression)):
        if name not in OPERATORS and not re.search(rf"\b{name}\s*\(", expression):
            yield name, grouped | {label for label, _ in MATCHER.findall(selector)}


RECORDED = {
    rule["record"]: set(re.split(":", rule["record"])[0].split("_")) for rule in rules()
    if "record" in rule
}  # fmt: skip
# A number is no question: the wanted instances.
RULES = [rule["expr"] for rule in rules() if rule["expr"] != "vector(1)"]
EXPRESSIONS = [*RULES, *expressions(DASHBOARD)]


@pytest.fixture
async def live(log: Log) -> dict[str, set[str]]:
    """Every metric that the running service exports, with its labels."""
    for query in (b"a=1&b=2", b"a=1&b=0"):
        await request(service, "GET", "/divide", query_string=query)
    await request(app, "GET", "/broken")
    await websocket(app, "/talk")
    served = FastAPI()
    add_metrics(served, MetricsSettings(metrics_port=0))
    async with served.router.lifespan_context(served), httpx.AsyncClient() as scraper:
        text = (await scraper.get(log("serving metrics")[0]["url"])).text
    found: dict[str, set[str]] = {**OF_PROMETHEUS, **RECORDED}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, set(TARGET_LABELS)).update(sample.labels)
    return found


@pytest.mark.parametrize("expression", EXPRESSIONS)
async def test_every_metric_and_label_exists(expression: str, live: dict[str, set[str]]) -> None:
    """Every expression uses exported metrics and labels; another would never fire or draw."""
    metrics_asked = [*asked(expression)]
    assert metrics_asked
    for name, labels in metrics_asked:
        assert name in live
        assert labels <= live[name], name


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("up == 0", {"up": set()}),
        ('sum by (j) (a{x=~"5.."}[5m] or b{y!="z"})', {"a": {"x", "j"}, "b": {"y", "j"}}),
        ("a:b > 14.4 * 0.001 and c:d * 3600 > 5", {"a:b": set(), "c:d": set()}),
        ("rate(a[5m]) / b unless c offset 15m", {"a": set(), "b": set(), "c": set()}),
    ],
)  # fmt: skip
def test_asked_finds_every_metric_and_label(expression: str, found: dict[str, set[str]]) -> None:
    """`asked` finds every metric and every label of an expression."""
    assert dict(asked(expression)) == found


def test_every_alert_has_a_runbook() -> None:
    """Every alert has a severity, a summary, a description and a runbook of a few lines."""
    alerts = [rule for rule in rules() if "alert" in rule]
    assert len(alerts) == 8
    for alert in alerts:
        assert alert["labels"]["severity"] in {"critical", "warning"}
        assert alert["annotations"].keys() == {"summary", "description", "runbook"}
        assert len(alert["annotations"]["runbook"].splitlines()) >= 2


def test_every_alert_is_tested() -> None:
    """The promtool tests have a time at which each alert fires and one at which it does not."""
    tests = yaml.safe_load((FOLDER / "alerts_test.yml").read_text("utf-8"))["tests"]
    checks = [check for test in tests for check in test.get("alert_rule_test", [])]
    for alert in (rule["alert"] for rule in rules() if "alert" in rule):
        outcomes = {bool(check["exp_alerts"]) for check in checks if check["alertname"] == alert}
        assert outcomes == {True, False}, alert


def test_the_dashboard_is_valid() -> None:
    """Panels have an id, a title and a provisioned data source, and do not overlap."""
    provisioned = FOLDER / "grafana/provisioning/datasources/prometheus.yml"
    source = yaml.safe_load(provisioned.read_text("utf-8"))
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        assert panel["title"]
        x, y, w, h = (panel["gridPos"][side] for side in "xywh")
        cells = {(column, line) for column in range(x, x + w) for line in range(y, y + h)}
        assert x + w <= 24
        assert taken.isdisjoint(cells), panel["title"]
        taken |= cells
        for target in panel.get("targets", []):
            assert target["datasource"]["uid"] == source["datasources"][0]["uid"]


def test_monitoring_files_contain_no_answers() -> None:
    """Dashboards and alerts can be edited in their own tools and exported back."""
    for path in FOLDER.rglob("*"):
        if path.is_file():
            assert "my_service" not in path.read_text("utf-8"), path
