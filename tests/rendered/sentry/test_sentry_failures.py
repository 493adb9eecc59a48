"""reporting.py: one event for each failure, whatever is around it."""

import logging
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
import sentry_sdk
from fastapi import FastAPI
from loguru import logger

from checks.apps import make_app
from checks.sentry.failing import FAILURES, NO_FAILURES, fail, router
from checks.sentry.recording import DSN, Report, report_fixture  # noqa: F401
from my_service import resources
from my_service._internal.sentry import before_send, flushing, reporting
from my_service.logging import init
from tests.conftest import connect

Step = Callable[[], Any]


def nothing() -> None:
    """Leave it as it is."""


def other_handlers() -> None:
    """Log the way that Loguru's own documents begin with."""
    logger.remove()
    logger.add(sys.stderr, format="{message}")
    logger.configure(patcher=lambda record: record["extra"].update(patched=True))


# What user code may do before the service reports to Sentry, and after.
AROUND: dict[str, tuple[Step, Step]] = {
    "as-it-is": (nothing, nothing),
    "log-set-up-again": (nothing, init),
    "other-handlers-later": (nothing, other_handlers),
    "other-handlers-before": (other_handlers, nothing),
    "sdk-before": (lambda: sentry_sdk.init(DSN, default_integrations=False), nothing),
}


def failing_app(*, debug: bool = False) -> FastAPI:
    """Return an application that fails."""
    app = make_app(debug=debug, lifespan=resources.lifespan)
    app.include_router(router)
    return app


async def get(app: FastAPI, path: str) -> None:
    """Ask for a path; a response that breaks off is an AssertionError of the client."""
    with suppress(AssertionError):
        async with resources.lifespan(app), connect(app) as client:
            await client.get(path)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("debug", [False, True], ids=["", "debug"])
@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("failure", FAILURES)
async def test_one_event(failure: str, around: str, debug: bool, report: Report) -> None:
    """A failure is one event that tells what and where, in whatever order things are set up."""
    before, after = AROUND[around]
    before()
    app = failing_app(debug=debug)
    recorder = report(app)
    after()
    await get(app, f"/shop/{failure}/7")
    [event] = recorder.events
    assert event["level"] == "error"
    assert "exception" in event or "error" in failure or "answered" in failure
    # A thread begins with a context of its own, and before Python 3.12 so does a lost task.
    if failure not in ("lost-task", "thread"):
        assert event["transaction"] == f"/shop/{failure}/{{number}}"
        assert event["tags"]["request_id"]


async def test_websocket(report: Report) -> None:
    """A WebSocket that fails is one event, under the name of its route."""
    recorder = report(app := failing_app())

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        pass

    scope = {"type": "websocket", "path": "/shop/websocket/7", "query_string": b"", "headers": []}
    await app({**scope, "scheme": "ws", "http_version": "1.1"}, receive, send)
    [event] = recorder.events
    assert event["transaction"] == "/shop/websocket/{number}"
    assert event["exception"]["values"][0]["value"] == "failed in a WebSocket"


async def test_start_up(report: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    """A start that fails is one event."""
    recorder = report(app := failing_app())
    monkeypatch.setattr(resources, "startup", startup)
    with pytest.raises(RuntimeError):
        await lifespan(app)
    [event] = recorder.events
    assert event["logentry"]["message"] == "startup failed"


async def startup() -> None:
    fail("the start-up")


async def lifespan(app: FastAPI) -> None:
    """Start and stop an application as a server does."""
    messages = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])

    async def receive() -> dict[str, str]:
        return next(messages)

    async def send(message: Any) -> None:
        pass

    await app({"type": "lifespan", "state": {}}, receive, send)


@pytest.mark.parametrize("path", NO_FAILURES)
async def test_no_event(path: str, report: Report) -> None:
    """What clients do wrong is not reported."""
    recorder = report(app := failing_app())
    await get(app, path)
    assert recorder.events == []


async def test_set_up_twice(report: Report) -> None:
    """It is still one event, to where the last one says."""
    app = failing_app()
    report(app)
    recorder = report(app)
    await get(app, "/shop/async/7")
    assert len(recorder.events) == 1


async def test_the_same_object_again(report: Report) -> None:
    """An exception that is raised in two requests is two failures."""
    app = make_app()
    recorder = report(app)
    reused = ValueError("made once")

    @app.get("/")
    async def fail() -> None:
        raise reused

    async with connect(app) as client:
        for _ in range(2):
            await client.get("/")
    assert len(recorder.events) == 2


def test_two_errors_in_one_handler(report: Report) -> None:
    """What is logged beside an exception is reported too; only the exception is not told again."""
    recorder = report()
    try:
        raise ValueError("wrong")
    except ValueError as error:
        logger.error("first")
        logger.error("second")
        sentry_sdk.capture_exception(error)
    first, second = recorder.events
    assert first["exception"]["values"][0]["type"] == "ValueError"
    assert (second["logentry"]["message"], "exception" in second) == ("second", False)


@pytest.mark.parametrize(
    ("level", "reported"),
    [("WARNING", None), ("ERROR", "error"), ("CRITICAL", "fatal"), ("UNKNOWN", "error")],
)
def test_levels(level: str, reported: str | None, report: Report) -> None:
    """From ERROR on; a level that nobody knows makes an ERROR line, and so an event."""
    recorder = report()
    logger.log(level, "something")
    assert [event["level"] for event in recorder.events] == ([reported] if reported else [])


@pytest.mark.parametrize(("rate", "count"), [(0, 0), (1, 5)])
def test_sample_rate(rate: float, count: int, report: Report) -> None:
    """The part of failures that is asked for."""
    recorder = report(sentry_sample_rate=rate)
    for _ in range(5):
        logger.error("something")
    assert len(recorder.events) == count


def test_what_cannot_be_reported(report: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log call never raises, and the log says that an event is missing."""
    lines = []
    report()
    logger.add(lambda message: lines.append(message.record["message"]))
    monkeypatch.setattr(reporting, "_event_message", lambda _: 1 / 0)
    logger.error("something")
    assert lines == ["something", "no event could be made"]


def test_what_cannot_be_completed(report: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is reported with the little that is known."""
    recorder = report()
    monkeypatch.setattr(before_send, "complete", lambda *_, **__: 1 / 0)
    logger.error("something", password="hunter2")
    [event] = recorder.events
    assert event["logentry"] == {"message": "something"}
    assert "extra" not in event


class HostileError(Exception):
    """An exception that answers no question."""

    def __str__(self) -> str:
        raise self

    __repr__ = __str__


def test_hostile_exceptions(report: Report) -> None:
    """An exception that cannot be shown is an event all the same."""
    recorder = report()
    try:
        raise ValueError from HostileError()
    except ValueError:
        logger.exception("failed")
    [event] = recorder.events
    assert [value["type"] for value in event["exception"]["values"]] == [
        "HostileError",
        "ValueError",
    ]


# --- The SDK's own worker, and the end


@pytest.mark.parametrize(
    ("thread", "level", "left", "written"),
    [
        ("MainThread", "DEBUG", 2, True),
        ("sentry-sdk.BackgroundWorker", "DEBUG", 0, False),
        ("sentry-sdk.BackgroundWorker", "WARNING", 2, False),
        ("sentry-sdk.BackgroundWorker", "WARNING", 0, True),
    ],
)
def test_lines_of_the_connection(
    thread: str, level: str, left: int, written: bool, report: Report
) -> None:
    """A server that cannot be reached is one line for each event, and is no event itself."""
    recorder = report()
    lines = []
    logger.add(lambda message: lines.append(message.record["message"]))
    retry = type("Retry", (), {"total": left})()
    log = logging.getLogger("urllib3.connectionpool").log
    worker = threading.Thread(
        target=log, name=thread, args=[getattr(logging, level), "retrying %s", retry]
    )
    worker.start()
    worker.join()
    assert len(lines) == written
    assert recorder.events == []


async def test_the_end_waits_a_second_in_all(
    report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often it is tried; what fails after the end is sent at once."""
    app = make_app(lifespan=resources.lifespan)
    recorder = report(app)
    times = iter([0.0, 0.25, 1.0, 2.5, 3.0, 3.0])
    monkeypatch.setattr(flushing, "monotonic", lambda: next(times))
    await lifespan(app)
    logger.error("too late")
    flushing.flush()
    assert recorder.timeouts == [1.0, 0.75, 0.0]
    assert len(recorder.events) == 1
