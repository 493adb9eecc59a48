"""levels.py: the levels of single loggers."""

import logging
import warnings
from collections.abc import Iterator
from types import FunctionType
from typing import Any

import pytest
from loguru import logger

from my_service._internal.log import capture, loguru_patch
from my_service.logging import init
from my_service.main import app as service
from tests.conftest import Log, connect


@pytest.fixture(autouse=True)
def defaults() -> Iterator[None]:
    """Restore the level of the tests."""
    yield
    init(level="DEBUG")


def log_as(module: str, level: str) -> None:
    """Log with Loguru as a module of this name does."""
    names: dict[str, Any] = {"logger": logger, "__name__": module}
    function: FunctionType = eval("lambda level: logger.log(level, 'hello')", names)
    function(level)


@pytest.mark.parametrize("name", ["aiosqlite", "asyncio", "hpack.hpack", "httpcore", "httpx"])
def test_noisy_libraries(name: str) -> None:
    """DEBUG of noisy libraries, and hpack's with all headers, is off unless it is asked for."""
    init(level="DEBUG")
    assert not logging.getLogger(name).isEnabledFor(logging.DEBUG)
    assert logging.getLogger("library").isEnabledFor(logging.DEBUG)
    init(level="DEBUG", levels={name: "DEBUG"})
    assert logging.getLogger(name).isEnabledFor(logging.DEBUG)


@pytest.mark.parametrize("given", ["alembic", "alembic.runtime.plugins"])
def test_alembic_s_plugins(given: str) -> None:
    """INFO of Alembic's plugins is off unless their logger, or one above it, is named."""
    plugins = logging.getLogger("alembic.runtime.plugins")
    init(level="INFO", levels={given: "INFO"})
    assert plugins.isEnabledFor(logging.INFO)
    init(level="DEBUG")
    assert not plugins.isEnabledFor(logging.INFO)
    assert plugins.isEnabledFor(logging.WARNING)
    assert logging.getLogger("alembic.runtime").isEnabledFor(logging.INFO)


@pytest.mark.parametrize(
    ("name", "level", "is_written"),
    [
        ("lib", "DEBUG", True),
        ("lib.part", "DEBUG", True),
        ("library", "DEBUG", False),
        ("library", "INFO", True),
        ("loud", "WARNING", False),
        ("loud.part", "ERROR", True),
    ],
)
@pytest.mark.parametrize("kind", ["logging", "loguru"])
def test_single_loggers(kind: str, name: str, level: str, is_written: bool, log: Log) -> None:
    """A level applies to its logger or module and to those below it, lower or higher than others."""
    init(level="INFO", levels={"lib": "DEBUG", "loud": "ERROR"})
    if kind == "logging":
        logging.getLogger(name).log(getattr(logging, level), "hello")
    else:
        log_as(name, level)
    assert len(log("hello")) == is_written


def test_levels_are_replaced(log: Log) -> None:
    """New levels replace the earlier ones; the level that a logger had before comes back."""
    logging.getLogger("lib").setLevel(logging.WARNING)
    init(level="INFO", levels={"lib": "DEBUG"})
    init(level="INFO")
    assert logging.getLogger("lib").level == logging.WARNING
    log_as("lib", "DEBUG")
    assert log("hello") == []
    logging.getLogger("lib").setLevel(logging.NOTSET)


def test_failures_are_never_silenced(log: Log) -> None:
    """Uncaught failures and warnings follow LOG_LEVEL, not the level of a logger."""
    init(level="INFO", levels={__name__: "CRITICAL", "my_service": "CRITICAL"})
    error = ValueError("broken")
    try:
        raise error
    except ValueError:
        capture._log_uncaught(ValueError, error, error.__traceback__)
    capture._raised_by(None).error("lost")
    warnings.showwarning("careful", UserWarning, __file__, 1)
    messages = [line["message"] for line in log()]
    assert messages == ["uncaught exception", "lost", "UserWarning: careful"]


def test_listeners_hear_what_is_written(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """A record that its logger's level leaves out reaches no listener."""
    heard: list[Any] = []
    monkeypatch.setattr(loguru_patch, "listeners", [heard.append])
    init(level="INFO", levels={"quiet": "CRITICAL"})
    log_as("quiet", "ERROR")
    log_as("other", "ERROR")
    assert len(heard) == len(log("hello")) == 1


async def test_the_request_log(log: Log) -> None:
    """The module of the request log has a level too."""
    for level, count in (("WARNING", 0), ("INFO", 1)):
        init(level="INFO", levels={"my_service.middleware": level})
        async with connect(service) as client:
            await client.get("/hello")
        assert len(log("log request")) == count
