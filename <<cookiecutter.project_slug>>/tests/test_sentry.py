"""sentry.py: which failures become events. The tests send nothing."""

import json
from pathlib import Path
from typing import Any

import pytest
import sentry_sdk
from fastapi import FastAPI
from loguru import logger

from << cookiecutter.project_slug >>._internal.log import loguru_patch
from << cookiecutter.project_slug >>.middleware import add_request_log
from << cookiecutter.project_slug >>.sentry import SentrySettings, add_sentry

from .conftest import connect


def test_off_without_a_dsn() -> None:
    """Importing the service does not start the SDK."""
    assert not sentry_sdk.is_initialized()


async def test_a_failure_is_one_event(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The event has the id, the route and the values, but no secrets; a 422 has no event."""
    monkeypatch.chdir(tmp_path)  # without a `.env`
    monkeypatch.setattr(loguru_patch, "listeners", [])
    monkeypatch.setattr(sentry_sdk.get_global_scope(), "client", sentry_sdk.get_client())
    app = FastAPI()
    add_request_log(app)
    add_sentry(app, SentrySettings(sentry_dsn="http://public@127.0.0.1:9/1"))
    sent: list[Any] = []
    monkeypatch.setattr(sentry_sdk.get_client().transport, "capture_envelope", sent.append)

    @app.get("/orders/{number}")
    def order(number: int, db_password: str = "hunter2") -> None:
        with logger.catch(reraise=True):
            raise LookupError(f"{db_password} finds no order")

    async with connect(app) as client:
        await client.get("/orders/x")
        response = await client.get("/orders/7?token=hunter2", headers={"cookie": "a=hunter2"})
    [event] = [json.loads(item.payload.get_bytes()) for envelope in sent for item in envelope.items]
    assert event["tags"] == {"request_id": response.headers["x-request-id"]}
    assert event["transaction"] == "/orders/{number}"
    [error] = event["exception"]["values"]
    assert (error["type"], error["value"]) == ("LookupError", "*** finds no order")
    assert error["stacktrace"]["frames"][-1]["vars"]["number"] == "7"
    assert "hunter2" not in json.dumps(event)
