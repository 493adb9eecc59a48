"""reporting.py: each failure is one event, in any setup."""

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
    """Change nothing."""


def other_handlers() -> None:
    """Set up Loguru as its documentation begins."""
    logger.remove()
    logger.add(sys.stderr, format="{message}")
    logger.configure(patcher=lambda record: record["extra"].update(patched=True))


# What user code does before and after Sentry is added.
AROUND: dict[str, tuple[Step, Step]] = {
    "as-it-is": (nothing, nothing),
    "log-set-up-again": (nothing, init),
    "other-handlers-later": (nothing, other_handlers),
    "other-handlers-before": (other_handlers, nothing),
    "sdk-before": (lambda: sentry_sdk.init(DSN, default_integrations=False), nothing),
}


def failing_app(*, debug: bool = False) -> FastAPI:
    """Return an application with failing routes."""
    app = make_app(debug=debug, lifespan=resources.lifespan)
    app.include_router(router)
    return app


async def get(app: FastAPI, path: str) -> None:
    """Send a GET; the client raises AssertionError if the response is incomplete."""
    with suppress(AssertionError):
        async with resources.lifespan(app), connect(app) as client:
            await client.get(path)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("debug", [False, True], ids=["", "debug"])
@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("failure", FAILURES)
async def test_one_event(failure: str, around: str, debug: bool, report: Report) -> None:
    """A failure is one event with its cause and route, in any order of setup."""
    before, after = AROUND[around]
    before()
    app = failing_app(debug=debug)
    recorder = report(app)
    after()
    await get(app, f"/shop/{failure}/7")
    [event] = recorder.events
    assert event["level"] == "error"
    assert "exception" in event or "error" in failure or "answered" in failure
    # A thread begins with a new context, and before Python 3.12 so does a lost task.
    if failure not in ("lost-task", "thread"):
        assert event["transaction"] == f"/shop/{failure}/{{number}}"
        assert event["tags"]["request_id"]


async def test_websocket(report: Report) -> None:
    """A WebSocket that fails is one event under its route."""
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


async def test_a_failing_startup(report: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    """A startup that fails is one event."""
    recorder = report(app := failing_app())
    monkeypatch.setattr(resources, "startup", startup)
    with pytest.raises(RuntimeError):
        await lifespan(app)
    [event] = recorder.events
    assert event["logentry"]["message"] == "startup failed"


async def startup() -> None:
    fail("the start-up")


async def lifespan(app: FastAPI) -> None:
    """Run the lifespan of an application as a server does."""
    messages = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])

    async def receive() -> dict[str, str]:
        return next(messages)

    async def send(message: Any) -> None:
        pass

    await app({"type": "lifespan", "state": {}}, receive, send)


@pytest.mark.parametrize("path", NO_FAILURES)
async def test_no_event(path: str, report: Report) -> None:
    """Errors of clients are not reported."""
    recorder = report(app := failing_app())
    await get(app, path)
    assert recorder.events == []


async def test_sentry_can_be_added_twice(report: Report) -> None:
    """A failure is one event, sent as the last call says."""
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
    """Messages beside an exception are reported, and the exception is reported once."""
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
    """Lines from ERROR on are reported; an unknown level is an ERROR."""
    recorder = report()
    logger.log(level, "something")
    assert [event["level"] for event in recorder.events] == ([reported] if reported else [])


@pytest.mark.parametrize(("rate", "count"), [(0, 0), (1, 5)])
def test_sample_rate(rate: float, count: int, report: Report) -> None:
    """The sample rate is the fraction of failures that are reported."""
    recorder = report(sentry_sample_rate=rate)
    for _ in range(5):
        logger.error("something")
    assert len(recorder.events) == count


def test_an_event_that_cannot_be_made(report: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log call never raises, and the log says that an event is missing."""
    lines = []
    report()
    logger.add(lambda message: lines.append(message.record["message"]))
    monkeypatch.setattr(reporting, "_event_message", lambda _: 1 / 0)
    logger.error("something")
    assert lines == ["something", "no event could be made"]


def test_an_event_that_cannot_be_completed(report: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    """An event that cannot be completed is sent with its message only."""
    recorder = report()
    monkeypatch.setattr(before_send, "complete", lambda *_, **__: 1 / 0)
    logger.error("something", password="hunter2")
    [event] = recorder.events
    assert event["logentry"] == {"message": "something"}
    assert "extra" not in event


class HostileError(Exception):
    """An exception whose text cannot be read."""

    def __str__(self) -> str:
        raise self

    __repr__ = __str__


def test_hostile_exceptions(report: Report) -> None:
    """An exception that cannot be shown is still an event."""
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


# --- The SDK's worker, and shutdown


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
    """An unreachable server is one line for each event, and not an event."""
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


async def test_shutdown_waits_one_second_in_total(
    report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All flushes of a shutdown share one second; a later failure is sent at once."""
    app = make_app(lifespan=resources.lifespan)
    recorder = report(app)
    times = iter([0.0, 0.25, 1.0, 2.5, 3.0, 3.0])
    monkeypatch.setattr(flushing, "monotonic", lambda: next(times))
    await lifespan(app)
    logger.error("too late")
    flushing.flush()
    assert recorder.timeouts == [1.0, 0.75, 0.0]
    assert len(recorder.events) == 1


def test_failures_of_the_sending_thread(report: Report) -> None:
    """What the SDK's own thread logs is no event: it would cause the next one."""
    recorder = report()
    thread = threading.Thread(target=logger.error, args=["not sent"], name=reporting._WORKER)
    thread.start()
    thread.join()
    assert recorder.events == []
