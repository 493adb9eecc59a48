"""However Loguru is configured, the request line goes where every other line goes."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from loguru import logger

from checks.apps import make_app
from my_service import middleware
from my_service.logging import init, quiet_request
from tests.conftest import Log, connect

app = make_app()


@app.get("/")
async def root() -> None: ...


@app.get("/quiet")
async def quiet() -> None:
    quiet_request()


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Restore Loguru after each test."""
    yield
    logger.remove()
    logger.configure(extra={}, patcher=lambda _: None, activation=[("my_service", True)])
    logger._core.patcher = None  # type: ignore[attr-defined]
    logger._core.activation_list.clear()  # type: ignore[attr-defined]
    logger._core.enabled.clear()  # type: ignore[attr-defined]
    init(level="DEBUG")


async def ask() -> None:
    """Log a line, then send a request."""
    logger.info("beside")
    async with connect(app) as client:
        await client.get("/")


async def test_another_sink(log: Log) -> None:
    """After `logger.remove()` and `logger.add(…)`, both lines go to the new sink only."""
    written: list[str] = []
    logger.remove()
    logger.add(lambda message: written.append(message.record["message"]))
    await ask()
    assert written == ["beside", "log request"]
    assert log() == []


async def test_a_level_that_is_not_logged(log: Log) -> None:
    """A request that is logged at DEBUG has no line at INFO."""
    init(level="INFO")
    async with connect(app) as client:
        await client.get("/quiet")
    assert log() == []


@pytest.mark.parametrize(
    "change",
    [
        lambda: logger.configure(extra={"region": "eu"}),
        lambda: logger.configure(patcher=lambda record: record["extra"].update(region="eu")),
    ],
    ids=["extra", "patcher"],
)
async def test_configured_fields(change: Callable[[], object], log: Log) -> None:
    """Fields from `logger.configure` are in both lines."""
    change()
    await ask()
    assert [line["region"] for line in log()] == ["eu", "eu"]


async def test_contextualized_fields(log: Log) -> None:
    """Fields from `logger.contextualize` around the application are in both lines."""
    with logger.contextualize(region="eu"):
        await ask()
    assert [line["region"] for line in log()] == ["eu", "eu"]


async def test_disabled_packages(log: Log) -> None:
    """`logger.disable` of the package silences the request line too."""
    logger.disable("my_service")
    await ask()
    assert [line["message"] for line in log()] == ["beside"]


async def test_a_failing_log_request(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failing `log_request` in `middleware.py` loses neither the line nor the response."""

    def fail(fields: dict[str, Any], error: BaseException | None, quiet: bool) -> None:
        fields["no_such_field"]

    monkeypatch.setattr(middleware, "log_request", fail)
    broken = make_app()

    @broken.get("/{number}")
    async def divide(number: int) -> float:
        return 1 / number

    async with connect(broken) as client:
        assert (await client.get("/1")).status_code == 200
        assert (await client.get("/0")).status_code == 500
    good, bad = log("log line failed")
    assert (good["status_code"], bad["status_code"]) == (200, 500)
    assert "KeyError" in good["exception"]
    assert "ZeroDivisionError" in bad["exception"]
    assert log() == []
