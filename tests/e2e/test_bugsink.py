"""The service with `use_sentry` as a process, and a real server that receives its events."""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosedError
from websockets.sync.client import connect

from tests.e2e import bugsink
from tests.e2e.bugsink import Bugsink
from tests.renders import CHECKS
from tests.serving import SETTINGS

CANARY = "canary-7f3a"
AGENT = "Netscape"

# Written beside `failing.py` of the heavy tests.
SERVICE = """
import sys
from failing import fail, router
from fastapi import Request
from loguru import logger
from my_service import resources
from my_service.config import settings
from my_service.main import app
from my_service._internal.hypercorn.server import run

@app.post("/secrets/{number}")
def secrets(request: Request, token: str) -> None:
    db_password = token
    pairs = [("Authorization", request.headers["authorization"])]
    logger.info("before", url=f"postgres://ann:{db_password}@db", pairs=pairs)
    fail(f"password={db_password}, {token}")

async def startup() -> None:
    fail("the start-up")

app.include_router(router)
if "fail" in sys.argv:
    resources.startup = startup
sys.exit(run("my_service.main:app", settings))
"""
FAILURES = [
    "answered", "async", "background", "logged-then-answered", "logged-then-raised", "logger-error",
    "logger-exception", "logging-error", "logging-exception", "lost-task", "stream", "sync",
    "teardown", "thread", "told-then-raised",
]  # fmt: skip


class Service:
    """A running service."""

    def __init__(self, project: Path, *arguments: str, **variables: str) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(SETTINGS)}
        self.process = subprocess.Popen(
            [project / ".venv/bin/python", "checks/sentry/service.py", *arguments],
            cwd=project,
            env=kept | {"PORT": "0", "PYTHONPATH": str(project)} | variables,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.lines: list[dict[str, Any]] = []
        self.url = ""
        assert self.process.stderr
        for text in self.process.stderr:
            self.lines.append(json.loads(text))
            if "Running on" in text:
                self.url = self.lines[-1]["message"].split()[2]
                break

    def __enter__(self) -> "Service":
        return self

    def __exit__(self, *error: object) -> None:
        self.process.kill()
        self.process.communicate()

    def stop(self) -> float:
        """Stop it with SIGTERM, assert exit code 0 and return how many seconds it took."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        _, rest = self.process.communicate(timeout=30)
        self.lines += map(json.loads, rest.splitlines())
        assert self.process.returncode == 0
        return time.monotonic() - began


@pytest.fixture(scope="module")
def project(install: Callable[[str], Path]) -> Path:
    """A project with only this option."""
    project = install("sentry")
    (project / "checks/sentry/service.py").write_text(SERVICE)
    return project


@pytest.fixture(scope="module")
def receiver() -> Generator[Bugsink]:
    """A server for the events."""
    with bugsink.serve() as server:
        yield server


def ask_for_failures(service: Service) -> dict[str, str]:
    """Request each failure once, and some client errors; return the ids of the failures."""
    ids = {}
    with httpx.Client(base_url=service.url, timeout=30) as client:
        for name in FAILURES:
            with client.stream("GET", f"/shop/{name}/7") as response:
                ids[f"/shop/{name}/{{number}}"] = response.headers["x-request-id"]
                if name != "stream":
                    response.read()
        for path in ("/shop/missing/7", "/shop/typed/x", "/nowhere"):
            assert client.get(path).status_code in (404, 422)
        response = client.post(
            "/secrets/7", params={"token": CANARY}, json={"password": CANARY},
            headers={"authorization": f"Bearer {CANARY}", "cookie": CANARY, "user-agent": AGENT},
        )  # fmt: skip
        ids["/secrets/{number}"] = response.headers["x-request-id"]
    with connect(f"{service.url.replace('http', 'ws')}/shop/websocket/7") as websocket:
        ids["/shop/websocket/{number}"] = websocket.response.headers["x-request-id"]  # type: ignore[union-attr]
        with pytest.raises(ConnectionClosedError):
            websocket.recv()
    return ids


def test_events(project: Path, receiver: Bugsink) -> None:
    """Each failure is one event with the id of its response and without secrets."""
    with Service(project, SENTRY_DSN=receiver.dsn, SENTRY_ENVIRONMENT="staging") as service:
        ids = ask_for_failures(service)
        # A busy receiver may need more than the second that a shutdown waits.
        receiver.wait_for(len(ids) - 1)
        service.stop()
    events = receiver.events()
    # A thread has no request, and before Python 3.12 neither does a lost task.
    told = {event["transaction"]: event["tags"]["request_id"]
            for event in events if "request_id" in event.get("tags", {})}  # fmt: skip
    outside = {name for name in ids if name.startswith(("/shop/thread", "/shop/lost-task"))}
    assert {**told, **{name: ids[name] for name in outside}} == ids
    assert len(events) == len(ids)
    # One issue for each kind of failure: the message separates `fail` of two routes.
    assert len({event["issue"] for event in events}) == len(events)
    assert {(event["environment"], event["release"]) for event in events} == {("staging", "0.1.0")}
    text = json.dumps(events)
    assert CANARY not in text
    assert AGENT not in text
    [event] = [event for event in events if event.get("transaction") == "/secrets/{number}"]
    *_, frame, last = event["exception"]["values"][-1]["stacktrace"]["frames"]
    assert (frame["function"], frame["vars"]["db_password"]) == ("secrets", "***")
    assert last["context_line"].strip() == 'raise RuntimeError(f"failed in {where}")'
    assert [line["message"] for line in event["breadcrumbs"]["values"]] == ["before"]


def test_failed_start(project: Path, receiver: Bugsink) -> None:
    """A failed start is reported before the process exits."""
    before = len(receiver.events())
    with Service(project, "fail", SENTRY_DSN=receiver.dsn) as service:
        assert service.process.wait(timeout=30) == 1
    *_, event = sorted(receiver.events(), key=lambda event: str(event["timestamp"]))
    assert len(receiver.events()) == before + 1
    assert event["logentry"]["message"] == "startup failed"


@pytest.mark.parametrize("answers", [False, True], ids=["refused", "unanswered"])
def test_unreachable_server(answers: bool, project: Path) -> None:
    """An unreachable server delays no request, and the shutdown by at most one second."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        if answers:
            listener.listen()
        dsn = f"http://public@127.0.0.1:{listener.getsockname()[1]}/1"
        with Service(project, SENTRY_DSN=dsn) as service:
            began = time.monotonic()
            for _ in range(20):
                assert httpx.get(f"{service.url}/shop/async/7").status_code == 500
            assert time.monotonic() - began < 5
            assert service.stop() < 2.5
        assert not [line for line in service.lines if "_flush" in line["source"]]


def test_failures_match_the_routes() -> None:
    """Every name in `FAILURES` has a route in `failing.py`."""
    assert all(f'"/{name}/{{number}}"' in (CHECKS / "sentry/failing.py").read_text()
               for name in FAILURES)  # fmt: skip
