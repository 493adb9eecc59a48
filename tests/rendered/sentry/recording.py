"""Events of applications, recorded instead of sent."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sentry_sdk
from fastapi import FastAPI
from loguru import logger
from sentry_sdk.envelope import Envelope
from sentry_sdk.transport import Transport

from my_service._internal.log import loguru_patch, sink
from my_service._internal.sentry import flushing
from my_service.logging import init
from my_service.sentry import SentrySettings, add_sentry

Events = list[dict[str, Any]]
DSN = "http://public@127.0.0.1:9/1"


class Recorder(Transport):
    """A transport that keeps the envelopes as bytes instead of sending them."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[bytes] = []
        self.events: Events = []
        self.timeouts: list[float] = []

    def capture_envelope(self, envelope: Envelope) -> None:
        self.sent.append(envelope.serialize())
        self.events += [json.loads(item.payload.get_bytes()) for item in envelope.items]

    def flush(self, timeout: float, callback: Any = None) -> None:
        self.timeouts.append(timeout)


Report = Callable[..., Recorder]


@pytest.fixture(name="report")
def report_fixture(monkeypatch: pytest.MonkeyPatch) -> Iterator[Report]:
    """Return a function that adds Sentry to an application and returns its recorder."""
    monkeypatch.setattr(loguru_patch, "listeners", [])
    monkeypatch.setattr(sink, "line_listeners", [])
    monkeypatch.setattr(flushing, "_seconds_left", flushing.FLUSH_SECONDS)
    monkeypatch.setattr(flushing, "_has_stopped", False)

    def start(app: FastAPI | None = None, **settings: Any) -> Recorder:
        add_sentry(app or FastAPI(), SentrySettings(sentry_dsn=DSN, **settings))
        recorder = sentry_sdk.get_client().transport = Recorder()
        return recorder

    with sentry_sdk.isolation_scope():
        yield start
    sentry_sdk.get_global_scope().set_client(None)
    logger.remove()
    logger.configure(patcher=lambda _: None)
    init(level="DEBUG")
