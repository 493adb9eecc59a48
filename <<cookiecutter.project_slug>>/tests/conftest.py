"""What tests share: the application, clients, and the lines that were logged."""

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

# Neither the developer's variables nor a `.env` may decide what a test finds.
for name in re.findall(r"^#([A-Z_]+)=", (PROJECT / "sample.env").read_text(), re.MULTILINE):
    os.environ.pop(name, None)
os.environ["ENV"] = "testing"
# <% if cookiecutter.use_prometheus %>
os.environ["METRICS_PORT"] = ""  # the service itself may run beside its tests
# <% endif %>
with contextlib.chdir(Path(__file__).parent):
    from << cookiecutter.project_slug >>.main import app

# What the client of the tests logs is not the service's.
logging.getLogger("httpx").setLevel(logging.WARNING)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def log(capsys: pytest.CaptureFixture[str]) -> Log:
    """Return a function that gives the lines written since its last call, or those of one message."""

    def read(message: str | None = None) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in capsys.readouterr().err.split("\n")[:-1]]
        return [line for line in lines if message in (None, line["message"])]

    return read


def connect(application: FastAPI) -> AsyncClient:
    """Return a client that calls an application in this process."""
    return AsyncClient(transport=ASGITransport(app=application), base_url="http://test")


@pytest.fixture
async def client() -> AsyncIterator[AsyncClient]:
    """A client of the service, started as a server would start it."""
    async with app.router.lifespan_context(app), connect(app) as connected:
        yield connected
