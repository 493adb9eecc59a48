"""resources.py"""

from unittest.mock import AsyncMock

import pytest
from fastapi import FastAPI
from loguru import logger

from << cookiecutter.project_slug >> import resources

from .conftest import Log


async def work() -> None:
    logger.info("work")


async def test_the_lifespan_is_logged(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """`started` follows `startup()`, `shutdown` follows `shutdown()`."""
    monkeypatch.setattr(resources, "startup", work)
    monkeypatch.setattr(resources, "shutdown", work)
    async with resources.lifespan(FastAPI()):
        pass
    expected = ["settings", "work", "started", "work", "shutdown"]
    assert [line["message"] for line in log() if line["message"] in expected] == expected


@pytest.mark.parametrize("step", ["startup", "shutdown"])
async def test_failures(step: str, log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failed step is one ERROR line with the exception, and the server gets the exception."""
    monkeypatch.setattr(resources, "startup", work)
    monkeypatch.setattr(resources, step, AsyncMock(side_effect=ConnectionError("database")))
    with pytest.raises(ConnectionError):
        async with resources.lifespan(FastAPI()):
            pass
    [line] = log(f"{step} failed")
    assert line["level"] == "ERROR"
    assert "ConnectionError: database" in line["exception"]
