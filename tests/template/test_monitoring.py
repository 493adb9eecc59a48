"""The files in `monitoring/`, checked with promtool and amtool."""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.renders import run

Bake = Callable[..., Path]

# Values for Grafana's variables.
VARIABLES = {"$__rate_interval": "1m", "$job": "service", "$route": ".*"}


def need(*tools: str) -> None:
    """Skip the test if a tool is missing."""
    for tool in tools:
        if not shutil.which(tool):
            pytest.skip(f"{tool} is not installed")


def test_make_monitoring_test(bake: Bake) -> None:
    """Configuration and rules are valid, and every alert fires only when it should."""
    need("promtool", "amtool")
    done = run("make", "monitoring-test", cwd=bake(use_prometheus=True))
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert "FAILED" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("path", "text", "instead"),
    [
        ("monitoring/alerts.yml", "expr: up == 0", "expr: up == 2"),
        ("monitoring/rules.yml", 'status=~"5.."', 'status=~"4.."'),
        ("monitoring/alerts.yml", "for: 2m", "for: 3h"),
        ("monitoring/rules.yml", "expr: vector(1)", "expr: vector(2)"),
        ("monitoring/alertmanager.yml", "receiver: email", "receiver: missing"),
        ("monitoring/prometheus.yml", "rule_files:", "rules_files:"),
    ],
)
def test_make_monitoring_test_finds_mistakes(
    path: str, text: str, instead: str, bake: Bake
) -> None:
    """A rule that never fires or a missing receiver is an error."""
    need("promtool", "amtool")
    file = bake(use_prometheus=True) / path
    assert text in file.read_text("utf-8")
    file.write_text(file.read_text("utf-8").replace(text, instead))
    assert run("make", "monitoring-test", cwd=file.parents[1]).returncode != 0


def expressions(node: Any) -> Iterator[str]:
    """Yield every expression of a dashboard."""
    if isinstance(node, dict):
        if isinstance(node.get("expr"), str):
            yield node["expr"]
        for value in node.values():
            yield from expressions(value)
    elif isinstance(node, list):
        for value in node:
            yield from expressions(value)


def test_prometheus_reads_every_expression_of_the_dashboard(bake: Bake, tmp_path: Path) -> None:
    """Each expression is valid PromQL once its variables have values."""
    need("promtool")
    dashboard = bake(use_prometheus=True) / "monitoring/grafana/dashboards/service.json"
    found = [*expressions(json.loads(dashboard.read_text("utf-8")))]
    rules = []
    for number, expression in enumerate(found):
        for variable, value in VARIABLES.items():
            expression = expression.replace(variable, value)  # noqa: PLW2901
        assert not re.search(r"\$\w", expression)
        rules.append({"record": f"panel:{number}", "expr": expression})
    groups = {"groups": [{"name": "dashboard", "rules": rules}]}
    (tmp_path / "rules.yml").write_text(json.dumps(groups))
    done = run("promtool", "check", "rules", "rules.yml", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(found) > 20
