"""Shared by the tests: the service, a client for it, and the lines of the log."""

import contextlib
import json
import logging
import os
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient

PROJECT = Path(__file__).parents[1]
Log = Callable[..., list[dict[str, Any]]]

# Your variables and `.env` do not change a test. Set required variables here.
for name in re.findall(r"^#([A-Z_]+)=", (PROJECT / "sample.env").read_text("utf-8"), re.MULTILINE):
    os.environ.pop(name, None)
    os.environ.pop(f"{name}_FILE", None)
# <% if cookiecutter.use_prometheus %>
os.environ["METRICS_PORT"] = ""  # a running service may use the port
# <% endif %>
os.environ["ENV"] = "testing"
with contextlib.chdir(Path(__file__).parent):
    from << cookiecutter.project_slug >>.main import app

logging.getLogger("httpx").setLevel(logging.WARNING)  # the client of the tests


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def log(capsys: pytest.CaptureFixture[str]) -> Log:
    """A function that returns the lines since its last call, or those with one message."""

    def read(message: str | None = None) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in capsys.readouterr().err.split("\n")[:-1]]
        return [line for line in lines if message in (None, line["message"])]

    return read


def connect(application: FastAPI) -> AsyncClient:
    """Return a client that calls an application in this process, without its lifespan."""
    return AsyncClient(transport=ASGITransport(app=application), base_url="http://test")


@pytest.fixture
async def client() -> AsyncIterator[AsyncClient]:
    """A client of the service, with its lifespan as under a server."""
    async with app.router.lifespan_context(app), connect(app) as connected:
        yield connected
