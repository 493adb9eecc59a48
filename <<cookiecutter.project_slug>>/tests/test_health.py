"""routers/health.py"""

from unittest.mock import AsyncMock

import pytest
from httpx import AsyncClient

from << cookiecutter.project_slug >>._internal.asgi.readiness import State, set_state
from << cookiecutter.project_slug >>.routers import health

from .conftest import Log


async def test_successes_are_logged_at_debug(
    client: AsyncClient, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Successful probes do not fill the log at INFO."""
    monkeypatch.setattr(health, "checks", {})
    assert (await client.get("/health/live")).status_code == 200
    assert (await client.get("/health/ready")).status_code == 200
    assert [line["level"] for line in log("log request")] == ["DEBUG", "DEBUG"]


async def test_not_ready_while_a_check_fails(
    client: AsyncClient, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ERROR line says which resource fails and why; the response does not."""
    monkeypatch.setattr(health, "checks", {"database": AsyncMock(side_effect=OSError("down"))})
    response = await client.get("/health/ready")
    assert (response.status_code, response.json()) == (503, {"status": "unavailable"})
    [line] = log("log request")
    assert (line["level"], line["unavailable"]["database"]) == ("ERROR", "OSError: down")


@pytest.mark.parametrize("state", ["starting", "stopping"])
async def test_alive_but_not_ready(state: State, client: AsyncClient) -> None:
    """The service is alive but not ready while it starts and while it stops."""
    set_state(state)
    assert (await client.get("/health/ready")).status_code == 503
    assert (await client.get("/health/live")).status_code == 200
