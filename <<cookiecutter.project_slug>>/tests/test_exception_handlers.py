"""exception_handlers.py"""

import pytest
from pydantic import BaseModel, field_validator

from << cookiecutter.project_slug >> import exception_handlers
from << cookiecutter.project_slug >>.config import Settings
from << cookiecutter.project_slug >>.middleware import Service

from .conftest import Log, connect

app = Service()
exception_handlers.add_exception_handlers(app)


class Login(BaseModel):
    user: str
    password: str

    @field_validator("password")
    @classmethod
    def _refuse(cls, value: str) -> str:
        raise ValueError(f"{value} is too short")


@app.post("/login")
async def login(login: Login) -> None: ...


async def test_secrets_are_not_logged(log: Log) -> None:
    """Neither as an input nor inside the message of a validator."""
    async with connect(app) as client:
        response = await client.post("/login", json={"user": 1, "password": "hunter2"})
    assert "hunter2" in response.text
    lines = log()
    assert "hunter2" not in str(lines)
    assert lines[0]["detail"][1]["loc"] == ["body", "password"]


async def test_production_logs_no_input(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """What people sent stays out of the log of production."""
    monkeypatch.setattr(exception_handlers, "settings", Settings(env="production"))
    async with connect(app) as client:
        await client.post("/login", json={"user": 1, "password": "a"})
    assert all("input" not in error for error in log("request validation exception")[0]["detail"])
