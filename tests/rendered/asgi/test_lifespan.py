"""lifespan.py and readiness.py: when the service is ready, and why it is not."""

import asyncio

import pytest
from fastapi import FastAPI

from my_service import resources
from my_service._internal.asgi import readiness
from my_service._internal.asgi.readiness import failing_checks
from my_service.resources import lifespan
from tests.conftest import Log


async def test_ready_is_between_the_start_and_the_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not before `startup` has ended, not from the first signal on, and so again the next time."""
    seen = []

    async def look() -> None:
        seen.append(await failing_checks(resources.checks))

    monkeypatch.setattr(resources, "startup", look)
    monkeypatch.setattr(resources, "shutdown", look)
    for _ in range(2):
        async with lifespan(FastAPI()):
            await look()
            readiness.set_state("stopping")
            await look()
    starting, stopping = {"service": "starting"}, {"service": "stopping"}
    assert seen == [starting, {}, stopping, stopping] * 2
    assert await failing_checks(resources.checks) == starting


async def test_a_signal_while_starting_is_not_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is to stop is never ready."""

    async def startup() -> None:
        readiness.set_state("stopping")

    monkeypatch.setattr(resources, "startup", startup)
    async with lifespan(FastAPI()):
        assert await failing_checks(resources.checks) == {"service": "stopping"}


async def test_checks_tell_what_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """By name: one that works is not mentioned, one that fails or takes too long is."""

    async def work() -> None: ...

    async def fail() -> None:
        raise ConnectionError("refused")

    async def hang() -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(readiness, "CHECK_TIMEOUT", 0.01)
    for check in (work, fail, hang):
        monkeypatch.setitem(resources.checks, check.__name__, check)
    async with lifespan(FastAPI()):
        assert await failing_checks(resources.checks) == {
            "fail": "ConnectionError: refused",
            "hang": "TimeoutError: ",
        }


async def test_a_startup_that_is_cancelled(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the limit of a stop: the log says that it failed, and ends as it always does."""

    async def startup() -> None:
        raise asyncio.CancelledError

    monkeypatch.setattr(resources, "startup", startup)
    with pytest.raises(asyncio.CancelledError):
        async with lifespan(FastAPI()):
            pass
    messages = [line["message"] for line in log()]
    assert messages == ["settings", "startup failed", "shutdown"]
