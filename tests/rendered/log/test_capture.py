"""capture.py: other loggers, warnings and uncaught errors are in the log exactly once."""

import asyncio
import gc
import json
import logging
import os
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from contextvars import Context
from pathlib import Path
from typing import Any

import pytest

from checks.served import serve
from my_service._internal.context import RequestContext, current_request
from my_service._internal.log import capture as capture_module
from my_service._internal.log.capture import InterceptHandler, capture, log_loop_error
from tests.conftest import PROJECT, Log


def test_uncaught_errors_in_a_service(tmp_path: Path) -> None:
    """Each uncaught error is one line with its source, and with the id if Python still knows it."""
    with serve(tmp_path) as service:
        request_id = service.get("/lost").headers["x-request-id"]
        assert service.stop() == 0
        found = {
            line["message"]: line for line in service.lines if "endpoints.py" in line["source"]
        }
        expected = {
            "Task exception was never retrieved": ("fail", "lost task"),
            "uncaught exception in a thread": ("crash", "crashed thread"),
            "Exception ignored in": ("__del__", "failed destructor"),
            "UserWarning: careful": ("lose_things", None),
        }
        assert found.keys() == expected.keys()
        assert len(found) == sum("endpoints.py" in line["source"] for line in service.lines)
        for message, (function, error) in expected.items():
            assert f":{function}:" in found[message]["source"]
            assert error is None or f"ValueError: {error}" in found[message]["exception"]
        ids = {message: line.get("request_id") for message, line in found.items()}
        assert ids["Exception ignored in"] == ids["UserWarning: careful"] == request_id
        if sys.version_info >= (3, 12):
            assert ids["Task exception was never retrieved"] == request_id
        assert ids["uncaught exception in a thread"] is None


async def test_a_lost_task_never_has_the_id_of_another_request(log: Log) -> None:
    """A lost task has the id of its request or no id, never that of the request in progress."""

    async def fail() -> None:
        raise ValueError("lost")

    asyncio.get_running_loop().set_exception_handler(log_loop_error)
    context = Context()
    context.run(current_request.set, RequestContext("its-own"))
    task = asyncio.get_running_loop().create_task(fail(), context=context)
    await asyncio.sleep(0.01)
    token = current_request.set(RequestContext("another"))
    del task
    gc.collect()
    current_request.reset(token)
    [line] = log("Task exception was never retrieved")
    expected = "its-own" if sys.version_info >= (3, 12) else None
    assert line.get("request_id") == expected


async def test_a_failing_callback(log: Log) -> None:
    """A failing event loop callback is one ERROR line with its name and exception."""

    def fail() -> None:
        raise ValueError("lost")

    asyncio.get_running_loop().set_exception_handler(log_loop_error)
    asyncio.get_running_loop().call_soon(fail)
    await asyncio.sleep(0.01)
    [line] = [line for line in log() if line["level"] == "ERROR"]
    assert line["message"].startswith("Exception in callback")
    assert "ValueError: lost" in line["exception"]


def test_an_asyncio_error_without_an_exception(log: Log) -> None:
    """An asyncio error without an exception is one ERROR line."""
    loop = asyncio.new_event_loop()
    log_loop_error(loop, {"message": "something is odd"})
    loop.close()
    [line] = log("something is odd")
    assert line["level"] == "ERROR"
    assert "exception" not in line


def emit(**changes: Any) -> None:
    """Emit a record of the standard library with these attributes."""
    record = logging.makeLogRecord({"levelno": logging.INFO, "levelname": "INFO"} | changes)
    InterceptHandler().emit(record)


def test_a_message_that_does_not_fit_its_arguments(log: Log) -> None:
    """The line has the message and its arguments; Python would print a traceback."""
    emit(msg="%d and %d", args=("one",))
    [line] = log()
    assert "%d and %d" in line["message"]
    assert "one" in line["message"]


@pytest.mark.parametrize(
    ("number", "name", "levels"),
    [(25, "NOTICE", ["Level 25"]), (30, "WARNING", ["WARNING"]), (-5, "Level -5", [])],
)
def test_unknown_levels(number: int, name: str, levels: list[str], log: Log) -> None:
    """A level that Loguru does not know is logged by its number."""
    emit(levelno=number, levelname=name, msg="odd")
    assert [line["level"] for line in log("odd")] == levels


def test_an_exception_of_the_standard_library(log: Log) -> None:
    """A record of `logger.exception` keeps its traceback."""
    try:
        raise ValueError("broken")
    except ValueError:
        logging.getLogger("library").exception("caught")
    [line] = log("caught")
    assert "ValueError: broken" in line["exception"]


# In a subprocess, because configuring logging closes all handlers, pytest's too.
CONFIGURE = """
import logging.config, sys
from logging import StreamHandler, basicConfig, getLogger
import my_service._internal.begin
from my_service._internal.log.capture import InterceptHandler

def configure(name, stream="stderr", **more):
    handler = {"class": "logging.StreamHandler", "stream": f"ext://sys.{stream}"}
    target = {"handlers": ["console"], "level": "INFO"} | more
    loggers = {"root": target} if name == "root" else {"loggers": {name: target}}
    config = {"version": 1, "disable_existing_loggers": False, "handlers": {"console": handler}}
    logging.config.dictConfig(config | loggers)

WAYS = [
    lambda: basicConfig(force=True, level="INFO"),
    lambda: basicConfig(force=True, level="INFO", stream=sys.stdout),
    lambda: basicConfig(force=True, level="INFO", filename="log"),
    lambda: getLogger().handlers.clear(),
    lambda: getLogger().addHandler(StreamHandler()),
    lambda: getLogger("a").addHandler(InterceptHandler()),
    lambda: configure("root"),
    lambda: configure("a.library"),
    lambda: configure("a", propagate=False),
    lambda: configure("a.library", "stdout", propagate=False),
]
for number, way in enumerate(WAYS):
    way()
    getLogger("a.library").info("way %d", number)
"""


def test_logging_can_be_configured_again(tmp_path: Path) -> None:
    """After any further configuration of logging, a record is still exactly one line."""
    done = subprocess.run(
        [sys.executable, "-c", CONFIGURE],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(PROJECT)},
        capture_output=True,
        check=True,
    )
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [line["message"] for line in lines] == [f"way {number}" for number in range(10)]
    assert done.stdout == b""


@pytest.fixture
def library() -> Iterator[logging.Logger]:
    """A library's logger, without handlers after the test."""
    library = logging.getLogger("a.library")
    yield library
    library.handlers.clear()
    library.propagate = True


def test_a_printing_handler_keeps_its_level_and_filters(library: logging.Logger, log: Log) -> None:
    """A record that the only handler would not print is not logged."""
    printing = logging.StreamHandler()
    printing.setLevel("ERROR")
    printing.addFilter(lambda record: record.msg != "filtered")
    library.addHandler(printing)
    library.propagate = False
    for message in ("told", "filtered"):
        library.info(message)
        library.error(message)
    assert [(line["level"], line["message"]) for line in log()] == [("ERROR", "told")]


def test_a_logger_without_handlers(library: logging.Logger, log: Log) -> None:
    """A logger apart from the root logs its warnings, which Python itself would print."""
    library.propagate = False
    library.info("detail")
    library.warning("careful")
    library.propagate = True
    assert [line["message"] for line in log()] == ["careful"]


def test_the_coloured_message_of_uvicorn(library: logging.Logger, log: Log) -> None:
    """uvicorn's second message, with codes for colours, is not a field."""
    library.warning("Started %s", 12, extra={"color_message": "Started \x1b[36m%d\x1b[0m", "a": 1})
    [line] = log("Started 12")
    assert (line["a"], "color_message" in line) == (1, False)


def test_file_handlers_keep_working(library: logging.Logger, log: Log, tmp_path: Path) -> None:
    """A file handler gets every record; the log gets only propagated records."""
    audit = logging.FileHandler(tmp_path / "audit", delay=True)
    library.addHandler(audit)
    library.warning("both")
    library.propagate = False
    library.warning("file only")
    audit.close()
    assert [line["message"] for line in log()] == ["both"]
    assert (tmp_path / "audit").read_text() == "both\nfile only\n"


def test_an_uncaught_exception(log: Log) -> None:
    """An uncaught exception of the main thread is one ERROR line."""
    try:
        raise ValueError("broken")
    except ValueError as error:
        capture_module._log_uncaught(type(error), error, error.__traceback__)
    [line] = log("uncaught exception")
    assert (line["level"], "ValueError: broken" in line["exception"]) == ("ERROR", True)


def test_sys_exit_in_a_thread(log: Log) -> None:
    """`sys.exit` in a thread is not logged as a crash."""
    capture()  # pytest has replaced the hook
    thread = threading.Thread(target=sys.exit)
    thread.start()
    thread.join()
    assert log() == []


def test_a_warning_with_a_file_is_written_there(tmp_path: Path, log: Log) -> None:
    """`showwarning` with a file writes there and not to the log."""
    with (tmp_path / "warnings").open("w+") as file:
        capture_module._show_warning(UserWarning("careful"), UserWarning, "a.py", 1, file)
        file.seek(0)
        assert "UserWarning: careful" in file.read()
    assert log() == []


class Unprintable:
    """An object whose `__str__` raises."""

    def __str__(self) -> str:
        raise LookupError


def test_a_warning_that_cannot_be_shown(log: Log, tmp_path: Path) -> None:
    """A warning that cannot be shown does not raise in its caller."""
    warning: Any = Unprintable()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = capture_module._show_warning
        warnings.warn(warning, stacklevel=1)
    [line] = log()
    assert line["message"] == "UserWarning: <unprintable UserWarning>"
    with (tmp_path / "warnings").open("w+") as file:
        capture_module._show_warning(UserWarning(warning), UserWarning, "a.py", 1, file)


def test_a_warning_outside_of_any_function(log: Log) -> None:
    """The source of a warning outside of any function is its module."""
    capture_module._show_warning("careful", UserWarning, "/somewhere/module.py", 7)
    [line] = log("UserWarning: careful")
    assert line["source"] == "module.py:<module>:7"


class Unraisable:
    """An error in C code, which has no traceback, as Python reports it."""

    exc_type = ValueError
    exc_value = ValueError("broken")
    exc_traceback = None
    err_msg = "Exception ignored while testing"
    object = None


def test_an_unraisable_error_without_a_traceback(log: Log) -> None:
    """An unraisable error without a traceback is a line with its exception."""
    capture_module._log_unraisable(Unraisable())  # type: ignore[arg-type]
    [line] = log("Exception ignored while testing")
    assert "ValueError: broken" in line["exception"]


def test_previous_hooks_are_still_called(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hooks of test runners and debuggers are still called; Python's own hooks would print."""
    heard: list[object] = []
    monkeypatch.setitem(capture_module._previous, "thread", heard.append)
    monkeypatch.setitem(capture_module._previous, "unraisable", heard.append)
    thread = threading.Thread(target=lambda: 1 / 0)
    capture_module._log_uncaught_in_thread(
        threading.ExceptHookArgs((ZeroDivisionError, ZeroDivisionError("x"), None, thread))
    )
    unraisable = Unraisable()
    capture_module._log_unraisable(unraisable)  # type: ignore[arg-type]
    assert len(heard) == 2
    assert heard[1] is unraisable
    assert len(log()) == 2


def test_objects_in_messages_are_masked(log: Log) -> None:
    """Secrets in the objects of a standard library message are masked."""

    class Login:
        password = ""

        def __init__(self) -> None:
            self.password = "canary"

        def __repr__(self) -> str:
            return f"<{self.password}>"

    library = logging.getLogger("library")
    library.warning("got %s and %r", Login(), {"token": "canary"})
    library.warning("%(login)s %(n)d", {"login": Login(), "n": 5})
    library.warning(Login())
    assert [line["message"] for line in log()] == [
        "got <***> and {'token': '***'}",
        "<***> 5",
        "<***>",
    ]


def test_custom_record_classes(log: Log) -> None:
    """A custom record class formats its message itself."""

    class Braces(logging.LogRecord):
        def getMessage(self) -> str:  # noqa: N802
            return str(self.msg).format(self.args)

    record = Braces("library", logging.WARNING, "a.py", 1, "{} apples", ("five",), None)
    logging.getLogger("library").handle(record)
    assert [line["message"] for line in log()] == ["('five',) apples"]


def test_named_arguments_are_masked_and_not_copied(log: Log) -> None:
    """Of a mapping, only the named arguments are used, with secrets masked."""

    class Endless(dict[str, object]):
        def __iter__(self) -> Iterator[str]:
            while True:
                yield "a"

    library = logging.getLogger("library")
    library.warning("%(user)s %(token)s", {"user": "ann", "token": "canary"})
    library.warning("%(user)s", Endless(user="ann"))
    library.warning("got %s", {"name": "DB_PASSWORD", "value": "canary"})
    assert [line["message"] for line in log()] == [
        "ann ***",
        "ann",
        "got {'name': 'DB_PASSWORD', 'value': '***'}",
    ]


def test_an_invalid_exc_info_does_not_raise(log: Log) -> None:
    """A record has its line even if its `exc_info` is invalid."""
    error: Any = (1,)
    InterceptHandler().emit(logging.LogRecord("library", 40, "a.py", 1, "m", (), error))
    assert log()[0]["message"] == "m"
