"""logging.py: what every line is like, and what a request leaves in the log."""

import asyncio
import io
import json
import logging
import re
import sys
import warnings
from datetime import datetime
from pathlib import Path

import pytest
from fastapi import BackgroundTasks
from httpx import AsyncClient
from loguru import logger

from << cookiecutter.project_slug >>.logging import bind_request, init
from << cookiecutter.project_slug >>.middleware import Service

from .conftest import Log, connect

LINE_FIELDS = {"timestamp", "level", "message", "source"}
ASKED = {"request_id", "remote_ip", "schema", "protocol", "method", "path_with_query"}
ANSWERED = {"status_code", "response_length", "elapsed", "referer", "user_agent"}
REQUEST_FIELDS = LINE_FIELDS | ASKED | ANSWERED


def test_a_record_is_one_json_object(log: Log) -> None:
    """Every line has a time with its offset, a level, a message and the caller as its source."""
    logger.info("hello", user="ann")
    [line] = log()
    assert line.keys() == {*LINE_FIELDS, "user"}
    assert datetime.fromisoformat(line["timestamp"]).tzinfo
    assert (line["level"], line["message"], line["user"]) == ("INFO", "hello", "ann")
    assert re.fullmatch(r"test_logging.py:test_a_record_is_one_json_object:\d+", line["source"])


def test_types_that_json_does_not_know(log: Log) -> None:
    """They become text or lists, and the line is not lost."""
    logger.info("types", path=Path("a"), when=datetime(2026, 1, 2), some={1}, big=2**70)
    [line] = log()
    assert (line["path"], line["when"], line["some"]) == ("a", "2026-01-02T00:00:00", [1])
    assert line["big"] == str(2**70)


def test_names_of_the_line_cannot_be_forged(log: Log) -> None:
    """An argument with such a name stands beside it."""
    logger.info("real", message="forged", level="CRITICAL")
    [line] = log()
    assert (line["message"], line["message_"]) == ("real", "forged")
    assert (line["level"], line["level_"]) == ("INFO", "CRITICAL")


def test_a_log_call_never_raises(log: Log) -> None:
    """Loguru's placeholders work; other braces stay. If this fails, see `safe_calls.py`."""
    logger.info("{user} sent {unknown} and {", user="ann")
    logger.log("NO SUCH LEVEL", "kept")
    first, second = log()
    assert first["message"] == "ann sent {unknown} and {"
    assert (second["level"], second["message"]) == ("ERROR", "kept")


def test_the_standard_library_logs_the_same_way(log: Log) -> None:
    """Its records and warnings are lines too, with their true caller."""
    logging.getLogger("library").warning("%s", "old", extra={"token": "hunter2", "n": 1})
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        init(level="DEBUG")  # pytest has put a hook of its own here
        warnings.warn("deprecated", stacklevel=1)
    first, second = log()
    assert (first["message"], first["token"], first["n"]) == ("old", "***", 1)
    assert second["message"] == "UserWarning: deprecated"
    for line in (first, second):
        assert line["level"] == "WARNING"
        assert "test_the_standard_library_logs_the_same_way" in line["source"]


async def test_a_request_is_one_line(client: AsyncClient, log: Log) -> None:
    """Measured, with the id that the client got."""
    response = await client.get("/hello?a=1&token=x", headers={"user-agent": "me"})
    [line] = log("log request")
    assert line.keys() == REQUEST_FIELDS
    assert line["request_id"] == response.headers["x-request-id"]
    assert float(response.headers["x-processed-time"]) <= line["elapsed"] < 5
    assert (line["status_code"], line["response_length"]) == (200, len(response.content))
    assert (line["path_with_query"], line["user_agent"]) == ("/hello?a=1&token=***", "me")


async def test_a_422_is_two_lines(client: AsyncClient, log: Log) -> None:
    """First what did not validate, as in the response; then the request."""
    response = await client.get("/divide", params={"a": "x", "b": 0})
    assert response.status_code == 422
    validation, request = [line for line in log() if "request_id" in line]
    assert validation["message"] == "request validation exception"
    assert validation["detail"] == response.json()["detail"]
    assert (request["message"], request["level"]) == ("log request", "INFO")
    assert "exception" not in request


async def test_an_unhandled_exception_is_one_line(client: AsyncClient, log: Log) -> None:
    """The client gets a plain 500 with the id, the log the traceback with the values."""
    response = await client.get("/divide", params={"a": 1, "b": 0})
    assert (response.status_code, response.text) == (500, "Internal Server Error")
    [line] = [line for line in log() if "request_id" in line]
    assert line.keys() == {*REQUEST_FIELDS, "exception"}
    assert (line["message"], line["level"]) == ("unhandled exception", "ERROR")
    assert line["request_id"] == response.headers["x-request-id"]
    assert "a = 1" in line["exception"]
    assert "ZeroDivisionError" in line["exception"]


async def test_the_id_is_in_every_line_of_its_request(log: Log) -> None:
    """In sync endpoints, tasks, threads and background tasks, under concurrent requests."""
    app = Service()

    @app.get("/{number}")
    def endpoint(number: int, background: BackgroundTasks) -> None:
        bind_request(number=number)
        logger.info("sync", number_=number)
        background.add_task(work, number)

    async def work(number: int) -> None:
        await asyncio.create_task(asyncio.to_thread(logger.info, "thread", number_=number))

    async with connect(app) as client:
        responses = await asyncio.gather(*(client.get(f"/{number}") for number in range(20)))
    ids = {response.headers["x-request-id"]: number for number, response in enumerate(responses)}
    lines = log()
    assert len(ids) == 20
    assert len(lines) == 60
    assert all(ids[line["request_id"]] == line["number"] for line in lines)


def test_colours_on_a_terminal_in_development(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same object, indented and coloured, and only there."""
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stderr", terminal)
    init(pygments_style="monokai")
    logger.info("hello", user="ann")
    init(level="DEBUG")
    logger.info("plain")
    coloured, _, plain = terminal.getvalue().rpartition("}")[0].rpartition("\n")
    assert "\x1b[" in coloured
    text = re.sub(r"\x1b\[[0-9;]*m", "", coloured)
    assert json.loads(text)["user"] == "ann"
    assert "\n" in text.strip()
    assert json.loads(f"{plain}}}")["message"] == "plain"
