"""logging.py"""

import asyncio
import logging
import re
import warnings
from datetime import datetime

from fastapi import BackgroundTasks, FastAPI
from loguru import logger

from << cookiecutter.project_slug >>.logging import bind_request, init
from << cookiecutter.project_slug >>.middleware import add_request_log

from .conftest import Log, connect


def test_a_record_is_one_json_object(log: Log) -> None:
    """A line has four fields and the arguments, which do not replace a field."""
    logger.info("hello", items={1}, level="forged")
    [line] = log()
    assert datetime.fromisoformat(line["timestamp"]).tzinfo
    assert (line["level"], line["level_"]) == ("INFO", "forged")
    assert (line["message"], line["items"]) == ("hello", [1])
    assert re.fullmatch(r"test_logging.py:test_a_record_is_one_json_object:\d+", line["source"])


def test_a_log_call_does_not_raise(log: Log) -> None:
    """Bad calls never raise; if a Loguru update breaks it, see `_internal/log/loguru_patch.py`."""
    logger.info("{user} sent {unknown} and {", user="ann")
    logger.log("NO SUCH LEVEL", "kept")
    first, second = log()
    assert first["message"] == "ann sent {unknown} and {"
    assert (second["level"], second["message"]) == ("ERROR", "kept")


def test_secrets_are_masked(log: Log) -> None:
    """Values under secret names are masked at any depth and in text; names stay."""
    logger.info("token? password=x", a=[{"X-Api-Key": "x", "max_tokens": 7}], b="db://me:x@h")
    [line] = log()
    assert (line["message"], line["b"]) == ("token? password=***", "db://me:***@h")
    assert line["a"] == [{"X-Api-Key": "***", "max_tokens": 7}]


def test_the_standard_library_logs_the_same_way(log: Log) -> None:
    """Its records and warnings are lines with their caller as the source."""
    logging.getLogger("library").warning("%s", "old", extra={"token": "hunter2"})
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        init(level="DEBUG")  # pytest has its own hook for warnings
        warnings.warn("deprecated", stacklevel=1)
    record, warning = log()
    assert (record["message"], record["level"], record["token"]) == ("old", "WARNING", "***")
    assert (warning["message"], warning["level"]) == ("UserWarning: deprecated", "WARNING")
    assert all("logs_the_same_way" in line["source"] for line in (record, warning))


async def test_lines_of_a_request_have_its_id_and_bound_fields(log: Log) -> None:
    """Lines of threads and background tasks have them too, during concurrent requests."""
    app = FastAPI()
    add_request_log(app)

    @app.get("/{number}")
    def endpoint(number: int, background: BackgroundTasks) -> None:
        bind_request(number=number)
        logger.info("thread")
        background.add_task(asyncio.to_thread, logger.info, "background")

    bind_request(number=-1)  # outside of a request: without effect
    async with connect(app) as client:
        responses = await asyncio.gather(*(client.get(f"/{number}") for number in range(9)))
    ids = [response.headers["x-request-id"] for response in responses]
    lines = log()
    assert (len(set(ids)), len(lines)) == (9, 27)
    assert all(line["request_id"] == ids[line["number"]] for line in lines)
