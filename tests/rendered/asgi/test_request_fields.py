"""request_fields.py and request_ids.py: what the line of a request is made of."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from secrets import token_urlsafe
from typing import Any

import pytest

from checks.apps import make_app
from checks.served import PLAIN, serve
from my_service import middleware
from my_service._internal.asgi.request_ids import random_id
from my_service.logging import log_line
from tests.conftest import Log, connect

SECRET = "postgresql://user:hunter2@db/shop"
REDACTED = "postgresql://user:***@db/shop"


def added(fields: dict[str, Any]) -> None:
    fields["user_agent"] = SECRET


def updated(fields: dict[str, Any]) -> None:
    fields.update(user_agent=SECRET)


def merged(fields: dict[str, Any]) -> None:
    fields |= {"user_agent": SECRET}


@pytest.mark.parametrize("edit", [added, updated, merged])
async def test_edited_fields(
    edit: Callable[[dict[str, Any]], None], log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the owner puts into the fields of a request is redacted."""

    def log_request(fields: dict[str, Any], error: BaseException | None, quiet: bool) -> None:
        edit(fields)
        log_line("INFO", "log request", fields)

    monkeypatch.setattr(middleware, "log_request", log_request)
    app = make_app()
    async with connect(app) as client:
        await client.get("/")
    [line] = log()
    assert line["user_agent"] == REDACTED


def test_names_made_secret(tmp_path: Path) -> None:
    """REDACT masks fields of the request log too."""
    with serve(tmp_path, *PLAIN, REDACT="user_agent,remote_ip") as service:
        service.get("/hello")
        service.stop()
    lines = [line for line in service.lines if line["message"] == "log request"]
    assert {(line["user_agent"], line["remote_ip"]) for line in lines} == {("***", "***")}


@pytest.mark.parametrize("length", [4, 8, 9, 64])
def test_ids(length: int) -> None:
    """Ids are as long as those of `secrets.token_urlsafe`, and no two are equal in any thread."""
    with ThreadPoolExecutor(4) as threads:
        ids = list(threads.map(random_id, [length] * 2_000))
    assert len({*ids}) == 2_000
    assert {len(made) for made in ids} == {len(token_urlsafe(length))}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system cannot fork")
def test_ids_of_a_child() -> None:
    """A forked process does not use the ids of its parent."""
    random_id(8)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, random_id(8).encode())
        os._exit(0)
    os.waitpid(child, 0)
    made = os.read(reader, 100).decode()
    os.close(reader)
    os.close(writer)
    assert made not in {random_id(8) for _ in range(100)}
