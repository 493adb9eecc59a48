"""From a request to an alert message, with the real Prometheus and Alertmanager."""

import json
import os
import re
import shlex
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.ports import free_port
from tests.e2e.receivers import HOOK, PASSWORD, Mail, Receiver, Slack
from tests.renders import run
from tests.serving import SETTINGS

# Every duration in the configuration, and its value in the tested copy.
SHORTER = {
    "prometheus.yml": {"15s": "500ms"},
    "rules.yml": {"[5m]": "[10s]", "[30m]": "[20s]", "[1h]": "[20s]", "[6h]": "[30s]"},
    "alerts.yml": {"for: 2m": "for: 1s", "for: 15m": "for: 1s", "for: 10m": "for: 1m"},
    "alertmanager.yml": {"30s": "1s", "5m": "1s"},
}

REQUESTS = {
    ("GET", "/hello"): 600,
    ("GET", "/divide?a=1&b=2"): 200,
    ("GET", "/divide?a=1&b=x"): 80,
    ("POST", "/hello"): 60,
    ("GET", "/nowhere"): 40,
    ("GET", "/health/ready"): 20,
}
COUNTED = {
    ("GET", "/hello", "200"): 600,
    ("GET", "/divide", "200"): 200,
    ("GET", "/divide", "422"): 80,
    ("POST", "/hello", "405"): 60,
    ("GET", "unmatched", "404"): 40,
    ("GET", "/health/ready", "200"): 20,
}


def tool(*names: str) -> str:
    """Return the first program that is installed, or skip the test."""
    for name in names:
        if found := shutil.which(name):
            return found
    pytest.skip(f"{names[0]} is not installed")


def until(happened: Callable[[], Any], seconds: float = 60) -> Any:
    """Poll an HTTP API and return the first true result."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if answer := happened():
                return answer
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise TimeoutError(happened)


@contextmanager
def process(words: list[str | Path], folder: Path, log: Path) -> Iterator[None]:
    """Run a program while the context is open, with its output in a file."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(SETTINGS)}
    with log.open("w") as output:
        started = subprocess.Popen(
            words, cwd=folder, stdout=output, stderr=output,
            env=kept | {"PORT": "0", "METRICS_PORT": "0"},
        )  # fmt: skip
        try:
            yield
        finally:
            started.terminate()
            assert started.wait(timeout=30) == 0


@dataclass
class Watch:
    """A service and the programs that monitor it."""

    folder: Path
    service: httpx.Client
    prometheus: httpx.Client
    alertmanager: httpx.Client
    slack: Receiver
    mail: Receiver

    @property
    def log(self) -> list[dict[str, Any]]:
        """The lines that the service has logged."""
        text = (self.folder / "service.log").read_text("utf-8")
        return [json.loads(line) for line in text.splitlines()]

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return the result of a query to Prometheus."""
        answer = self.prometheus.get("/api/v1/query", params={"query": expression})
        found: list[dict[str, Any]] = answer.json()["data"]["result"]
        return found


def commands(project: Path, ports: dict[str, int], folder: Path) -> list[list[str]]:
    """Return the commands of docs/prometheus.md, with the test's ports and folder."""
    text = (project / "docs/prometheus.md").read_text("utf-8").replace("\\\n", " ")
    for port, ours in ports.items():
        text = text.replace(f"127.0.0.1:{port}", f"127.0.0.1:{ours}")
    text = text.replace("=/tmp/", f"={folder}/")
    lines = re.findall(r"^(?:prometheus|alertmanager|curl -X POST) .*$", text, re.MULTILINE)
    return [shlex.split(line, comments=True) for line in lines]


def shorten(monitoring: Path) -> None:
    """Shorten every duration in a copy of the configuration."""
    for name, times in SHORTER.items():
        text = (monitoring / name).read_text("utf-8")
        for long, short in times.items():
            assert long in text, f"{name} has no {long}"
            text = text.replace(long, short)
        (monitoring / name).write_text(text)


def redirect(monitoring: Path, metrics: str, ports: dict[str, int]) -> None:
    """Put the test's ports and secrets into a copy of the configuration."""
    for name in ("prometheus.yml", "alertmanager.yml"):
        text = (monitoring / name).read_text("utf-8")
        text = text.replace("127.0.0.1:9464", metrics).replace(":9093", f":{ports['9093']}")
        text = text.replace("localhost:587", f"127.0.0.1:{ports['mail']}")
        text = text.replace("global:\n  slack", "global:\n  smtp_require_tls: false\n  slack")
        (monitoring / name).write_text(text)
    (monitoring / "secrets").mkdir()
    (monitoring / "secrets/slack_url").write_text(f"http://127.0.0.1:{ports['slack']}{HOOK}")
    (monitoring / "secrets/smtp_password").write_text(PASSWORD)


@pytest.fixture(scope="module")
def watch(
    install: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Generator[Watch]:
    """A rendered service, Prometheus and Alertmanager, started as docs/prometheus.md shows."""
    programs = [tool("prometheus"), tool("alertmanager", "prometheus-alertmanager")]
    # With Docker the configuration names containers; `test_stack.py` tests that.
    folder, project = tmp_path_factory.mktemp("watch"), install("prometheus")
    shutil.copytree(project / "monitoring", folder / "monitoring")
    shutil.copytree(project / "docs", folder / "docs")
    with ExitStack() as stack:
        slack, mail = (stack.enter_context(Receiver(handler)) for handler in (Slack, Mail))
        python = project / ".venv/bin/python"
        stack.enter_context(process([python, "-m", "my_service"], folder, folder / "service.log"))
        ports = {"9090": free_port(), "9093": free_port(), "slack": slack.port, "mail": mail.port}
        prometheus, alertmanager = (
            stack.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{ports[port]}"))
            for port in ("9090", "9093")
        )
        address = until(lambda: re.search(r'"Running on (\S+)', read(folder / "service.log")))
        service = stack.enter_context(httpx.Client(base_url=address[1]))
        watch = Watch(folder, service, prometheus, alertmanager, slack, mail)
        metrics = next(line["url"] for line in watch.log if line["message"] == "serving metrics")
        shorten(folder / "monitoring")
        redirect(folder / "monitoring", metrics.split("/")[2], ports)
        for program, words in zip(programs, commands(folder, ports, folder), strict=False):
            log = folder / f"{words[0]}.log"
            stack.enter_context(process([program, *words[1:]], folder, log))
        until(lambda: prometheus.get("/-/ready").is_success)
        until(lambda: alertmanager.get("/-/ready").is_success)
        until(lambda: watch.query("up == 1"))
        yield watch


def read(path: Path) -> str:
    """Return the current text of a file."""
    return path.read_text("utf-8")


def test_exactly_a_thousand_requests(watch: Watch) -> None:
    """Prometheus counts each request by method, route and status, and the log agrees."""
    for (method, path), times in REQUESTS.items():
        for _ in range(times):
            watch.service.request(method, path)
    until(lambda: watch.query("sum(http_requests_total) == 1000"))
    counted = {
        tuple(found["metric"][label] for label in ("method", "route", "status")): int(
            found["value"][1]
        )
        for found in watch.query("http_requests_total > 0")
    }
    assert counted == COUNTED
    assert watch.query("sum(http_request_duration_seconds_count)")[0]["value"][1] == "1000"
    told = Counter(line["status_code"] for line in watch.log if "status_code" in line)
    assert told == {200: 800, 422: 80, 405: 60, 404: 40}  # successful probes are not logged at INFO


def test_exemplars_have_ids_of_log_lines(watch: Watch) -> None:
    """Prometheus scrapes OpenMetrics and stores request ids that are in the log."""
    watch.service.get("/hello")
    now = time.time()
    asked: dict[str, str | float] = {
        "query": "http_request_duration_seconds_bucket",
        "start": now - 600,
        "end": now + 60,
    }
    found = until(
        lambda: watch.prometheus.get("/api/v1/query_exemplars", params=asked).json()["data"]
    )
    ids = {exemplar["labels"]["request_id"] for one in found for exemplar in one["exemplars"]}
    assert ids <= {line["request_id"] for line in watch.log if "status_code" in line}


def test_alert_fires_and_resolves(watch: Watch) -> None:
    """Slack and e-mail get a message when requests fail and when the alert resolves."""

    def keep_asking(path: str, receiver: Receiver) -> None:
        until(lambda: watch.service.get(path) and not receiver.inbox.empty())

    keep_asking("/divide?a=1&b=0", watch.mail)
    firing = watch.mail.wait_for("FIRING", "ErrorBudgetBurnsFast")
    message = watch.slack.wait_for("FIRING: ErrorBudgetBurnsFast (critical)")
    for text in (firing, message):
        assert re.search(r"[1-9]\S*% of the requests to service fail", text)
        assert "roll back first" in text
    assert "alertname = ErrorBudgetBurnsFast\njob = service\nseverity = critical" in firing
    assert "alertname=`ErrorBudgetBurnsFast` job=`service` severity=`critical`" in message
    # The fast alert inhibits the slow one.
    assert until(lambda: inhibited(watch)) == {"ErrorBudgetBurnsSlowly"}

    keep_asking("/hello", watch.mail)
    assert "service fail" in watch.mail.wait_for("RESOLVED", "ErrorBudgetBurnsFast")
    assert "service fail" in watch.slack.wait_for("RESOLVED: ErrorBudgetBurnsFast (critical)")


def inhibited(watch: Watch) -> set[str]:
    """Return the names of the alerts that Alertmanager inhibits."""
    alerts = watch.alertmanager.get("/api/v2/alerts").json()
    return {alert["labels"]["alertname"] for alert in alerts if alert["status"]["inhibitedBy"]}


def test_an_edit_needs_no_restart(watch: Watch) -> None:
    """The documented `POST /-/reload` applies an edit of each configuration."""
    monitoring = watch.folder / "monitoring"
    with (monitoring / "rules.yml").open("a") as rules:
        rules.write("  - name: added\n    rules: [{record: added, expr: vector(1)}]\n")
    alerting = (monitoring / "alertmanager.yml").read_text("utf-8")
    (monitoring / "alertmanager.yml").write_text(alerting.replace("#alerts", "#added"))
    ports = {
        "9090": watch.prometheus.base_url.port or 0,
        "9093": watch.alertmanager.base_url.port or 0,
    }
    reloads = [words for words in commands(watch.folder, ports, watch.folder) if "curl" in words]
    assert len(reloads) == 2
    for words in reloads:
        done = run(*words, "--fail", cwd=watch.folder)
        assert done.returncode == 0, done.stderr
    until(lambda: watch.query("added"))
    until(lambda: "#added" in watch.alertmanager.get("/api/v2/status").text)
