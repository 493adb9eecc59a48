"""routers/health.py"""

import pytest
from httpx import AsyncClient

from << cookiecutter.project_slug >> import resources

from .conftest import Log


@pytest.mark.parametrize("path", ["/health/live", "/health/ready"])
async def test_a_success_is_logged_at_debug(path: str, client: AsyncClient, log: Log) -> None:
    """Probes come every few seconds; they must not fill the log."""
    assert (await client.get(path)).status_code == 200
    assert [line["level"] for line in log("log request")] == ["DEBUG"]


async def test_not_ready_while_a_check_fails(
    client: AsyncClient, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A resource that is gone makes the service unavailable, and the log names it."""

    async def check_database() -> None:
        raise ConnectionError("refused")

    monkeypatch.setitem(resources.checks, "database", check_database)
    assert (await client.get("/health/ready")).status_code == 503
    assert log("log request")[0]["unavailable"] == {"database": "ConnectionError: refused"}


async def test_not_ready_while_stopping(client: AsyncClient) -> None:
    """From the first signal on requests are to go elsewhere, but the process lives."""
    resources.stop_accepting()
    assert (await client.get("/health/ready")).status_code == 503
    assert (await client.get("/health/live")).status_code == 200
