"""exception_handlers.py"""

import pytest
from fastapi import FastAPI

from << cookiecutter.project_slug >> import exception_handlers
from << cookiecutter.project_slug >>.config import settings
from << cookiecutter.project_slug >>.main import app as service
from << cookiecutter.project_slug >>.middleware import add_request_log

from .conftest import Log, connect

app = FastAPI()
add_request_log(app)
exception_handlers.add_exception_handlers(app)


@app.get("/login")
async def login(pin: int, password: int) -> None: ...


def test_the_service_has_the_handlers() -> None:
    """main.py registers all handlers of this module."""
    assert app.exception_handlers.items() <= service.exception_handlers.items()


async def test_a_422_is_two_lines(log: Log) -> None:
    """The first line has the response's errors with secrets masked, the second the request."""
    async with connect(app) as client:
        response = await client.get("/login?pin=x&password=hunter2")
    validation, request = log()
    assert (validation["message"], validation["level"]) == ("request validation exception", "INFO")
    assert validation["detail"][0] == response.json()["detail"][0]
    assert validation["detail"][1]["input"] == "***"
    assert validation["path_with_query"] == "/login?pin=x&password=***"
    assert (request["message"], request["status_code"]) == ("log request", 422)


async def test_production_logs_no_input(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """In production the log does not contain what users sent."""
    production = settings.model_copy(update={"env": "production"})
    monkeypatch.setattr(exception_handlers, "settings", production)
    async with connect(app) as client:
        await client.get("/login?pin=x&password=hunter2")
    assert all("input" not in error for error in log()[0]["detail"])
