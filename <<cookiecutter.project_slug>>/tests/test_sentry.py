"""sentry.py: what becomes an event, and what is in it. Nothing is sent anywhere."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import sentry_sdk
from fastapi import HTTPException
from loguru import logger
from sentry_sdk.envelope import Envelope
from sentry_sdk.transport import Transport

from << cookiecutter.project_slug >> import safe_calls
from << cookiecutter.project_slug >>.middleware import Service
from << cookiecutter.project_slug >>.sentry import SentrySettings, add_sentry

from .conftest import Log, connect

DSN = "http://public@127.0.0.1:9/1"
Event = dict[str, Any]


class Recorder(Transport):
    """Keeps what would be sent."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[Event] = []

    def capture_envelope(self, envelope: Envelope) -> None:
        self.events += [json.loads(item.payload.get_bytes()) for item in envelope.items]


def failing(**settings: Any) -> tuple[Service, list[Event]]:
    """Return an application that fails, and the list of what it reports."""
    app = Service()
    add_sentry(app, SentrySettings(sentry_dsn=DSN, **settings))
    recorder = sentry_sdk.get_client().transport = Recorder()

    @app.get("/orders/{number}")
    def order(number: int) -> None:
        db_password = "hunter2"
        logger.info("looking", number=number)
        raise LookupError(f"{db_password} finds no order")

    @app.get("/logged-and-raised")
    async def log_and_raise() -> None:
        try:
            raise ValueError("wrong")
        except ValueError:
            logging.getLogger("library").exception("it failed")
            raise

    @app.get("/answers/{status}")
    async def answers(status: int) -> None:
        raise HTTPException(status)

    return app, recorder.events


@pytest.fixture(autouse=True)
def _unconnected(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(safe_calls, "listeners", [])
    yield
    sentry_sdk.get_global_scope().set_client(None)


def test_off_without_a_dsn() -> None:
    """Importing the service has started nothing."""
    assert not sentry_sdk.is_initialized()


async def test_a_failure_is_one_event() -> None:
    """It is found by the id of the response, and has the line before it and the values, masked."""
    app, events = failing(sentry_environment="staging", sentry_release="1a2b3c4")
    async with connect(app) as client:
        response = await client.get("/orders/7?token=hunter2", headers={"cookie": "a=hunter2"})
    [event] = events
    assert event["tags"] == {"request_id": response.headers["x-request-id"]}
    assert event["transaction"] == "/orders/{number}"
    assert (event["environment"], event["release"]) == ("staging", "1a2b3c4")
    assert [line["message"] for line in event["breadcrumbs"]["values"]] == ["looking"]
    [error] = event["exception"]["values"]
    assert (error["type"], error["value"]) == ("LookupError", "*** finds no order")
    assert error["stacktrace"]["frames"][-1]["vars"]["number"] == "7"
    assert "hunter2" not in json.dumps(event)


@pytest.mark.parametrize(
    ("path", "count"),
    [("/logged-and-raised", 1), ("/answers/503", 1), ("/answers/404", 0), ("/orders/x", 0)],
)
async def test_what_is_reported(path: str, count: int) -> None:
    """Failures of the service, once each; what clients do wrong is none."""
    app, events = failing()
    async with connect(app) as client:
        await client.get(path)
    assert len(events) == count


async def test_traces() -> None:
    """With a rate, a request is one transaction under the name of its route."""
    app, events = failing(sentry_traces_sample_rate=1)
    async with connect(app) as client:
        response = await client.get("/answers/404")
    [trace] = events
    assert (trace["type"], trace["transaction"]) == ("transaction", "/answers/{status}")
    assert trace["tags"]["request_id"] == response.headers["x-request-id"]


def test_a_malformed_dsn_stops_the_start(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line says so, without the key."""
    monkeypatch.setenv("SENTRY_DSN", "https://hunter2@sentry.example.com/project")
    with pytest.raises(SystemExit):
        SentrySettings.load()
    [line] = log()
    assert "SENTRY_DSN is ***; it must be a DSN" in line["message"]
    assert "hunter2" not in json.dumps(line)
