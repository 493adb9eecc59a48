"""resources.py"""

import pytest

from << cookiecutter.project_slug >> import resources
from << cookiecutter.project_slug >>.main import app

from .conftest import Log


async def test_lifespan_tells_its_steps(log: Log) -> None:
    """The log begins with the settings and `started`, and ends with `shutdown`."""
    async with resources.lifespan(app):
        pass
    messages = [line["message"] for line in log()]
    assert messages == ["settings", "started", "shutdown"]


@pytest.mark.parametrize("step", ["startup", "shutdown"])
async def test_a_failure_is_logged_and_raised(
    step: str, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What fails at the start or at the end is an ERROR line, and the server hears of it."""

    async def fail() -> None:
        raise ConnectionError("database")

    monkeypatch.setattr(resources, step, fail)
    with pytest.raises(ConnectionError):
        async with resources.lifespan(app):
            pass
    [line] = log(f"{step} failed")
    assert line["level"] == "ERROR"
    assert "ConnectionError: database" in line["exception"]
