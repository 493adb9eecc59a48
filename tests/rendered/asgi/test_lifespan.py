"""lifespan.py and readiness.py: when the service is ready, and why not."""

import asyncio

import pytest
from fastapi import FastAPI

from my_service import resources
from my_service._internal.asgi import readiness
from my_service._internal.asgi.readiness import failing_checks
from my_service.resources import lifespan
from tests.conftest import Log


@pytest.fixture(scope="session")
async def shared() -> asyncio.AbstractEventLoop:
    """What all tests share, such as a database."""
    return asyncio.get_running_loop()


async def test_fixtures_of_the_session(shared: asyncio.AbstractEventLoop) -> None:
    """An asynchronous fixture can last for all tests; they run in its event loop."""
    assert asyncio.get_running_loop() is shared


async def test_the_service_is_ready_from_startup_to_the_first_signal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The service is ready from the end of `startup` until the first signal, on every start."""
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


async def test_a_signal_during_startup_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that receives a signal during `startup` is never ready."""

    async def startup() -> None:
        readiness.set_state("stopping")

    monkeypatch.setattr(resources, "startup", startup)
    async with lifespan(FastAPI()):
        assert await failing_checks(resources.checks) == {"service": "stopping"}


async def test_failing_checks_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only checks that fail or time out are reported, by name."""

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


async def test_a_cancelled_startup(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """A startup cancelled at the limit is logged as failed, and the log ends with `shutdown`."""

    async def startup() -> None:
        raise asyncio.CancelledError

    monkeypatch.setattr(resources, "startup", startup)
    with pytest.raises(asyncio.CancelledError):
        async with lifespan(FastAPI()):
            pass
    messages = [line["message"] for line in log()]
    assert messages == ["settings", "startup failed", "shutdown"]
