"""loguru_patch.py: every log call is one line, formatted without secrets."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from loguru import logger
from loguru._logger import Logger

from my_service._internal.log import loguru_patch
from my_service._internal.log.capture import InterceptHandler
from my_service.logging import init
from tests.conftest import Log


class Unformattable:
    """An object that has a text but cannot be formatted."""

    def __format__(self, spec: str) -> str:
        raise TypeError(spec)

    def __str__(self) -> str:
        return "text"


@pytest.fixture
def handler() -> Iterator[list[int]]:
    """A user's handler that raises, added after ours; the list has its id."""

    def write(message: Any) -> None:
        raise OSError("disk full")

    added = [logger.add(write, catch=False)]
    yield added
    logger.remove(added[0])


def test_loguru_still_has_the_patched_method() -> None:
    """Every log call passes `Logger._log`; if this fails, adapt `install` to the new Loguru."""
    assert Logger._log is loguru_patch._log
    names = loguru_patch._loguru_log.__code__.co_varnames
    assert names[:7] == (
        "self", "level", "from_decorator", "options", "message", "args", "kwargs"
    )  # fmt: skip
    assert len(logger._options) == 9  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("message", "args", "fields", "text"),
    [
        ("{}", (1,), {}, "1"),
        ("{} {}", (1, 2), {}, "1 2"),
        ("{1} {0}", (1, 2), {}, "2 1"),
        ("{a!r:>5}|{b:.1f}", (), {"a": "x", "b": 1}, "  'x'|1.0"),
        ("{a.b} {a[0]} {{a}} {} {7}", (), {"a": 1}, "{a.b} {a[0]} {{a}} {} {7}"),
        ("{a", (), {"a": 1}, "{a"),
        ("a}", (), {"a": 1}, "a}"),
        ("100%", ("lost",), {}, "100% ['lost']"),
        ("{0}", ("a", "b"), {}, "a ['b']"),
        ("{token}", (), {"token": "hunter2"}, "***"),
        ("{a:d}", (), {"a": "no number"}, "no number"),
        ("{a}", (), {"a": Unformattable()}, "text"),
    ],
)
def test_placeholders(
    message: str, args: tuple[Any, ...], fields: dict[str, Any], text: str, log: Log
) -> None:
    """Loguru's documented placeholders work, other braces stay, and no argument is lost."""
    logger.info(message, *args, **fields)
    assert log()[0]["message"] == text


def test_a_failing_lazy_argument(log: Log) -> None:
    """A lazy argument that fails is logged as its error."""
    logger.opt(lazy=True).info("{a}", a=lambda: 1 // 0)
    assert log()[0]["a"] == "<ZeroDivisionError: integer division or modulo by zero>"


def test_a_rejected_call_is_an_error(log: Log) -> None:
    """A call that Loguru rejects keeps its message and fields, and the line says why."""
    logger.log("NOPE", "text", n=1)
    [line] = log()
    assert (line["level"], line["message"], line["n"]) == ("ERROR", "text", 1)
    assert line["log_error"] == "ValueError: Level 'NOPE' does not exist"


@pytest.mark.usefixtures("handler")
def test_a_failing_handler_loses_no_line(log: Log) -> None:
    """A handler that fails after ours causes neither a second line nor an exception."""
    logger.info("text")
    logger.log("NOPE", "refused")
    assert [line["message"] for line in log()] == ["text", "refused"]


def test_mark_written_outside_of_a_call() -> None:
    """Outside of a call, `mark_written` does nothing."""
    loguru_patch.mark_written()


class Connection:
    """An object that shows its password."""

    def __init__(self) -> None:
        self.password = "hunter2"

    def __str__(self) -> str:
        return f"<ann {self.password}>"


def test_an_object_in_a_message_shows_no_secret(log: Log) -> None:
    """Secrets of an object are masked, both as the message and in a placeholder."""
    connection: Any = Connection()
    logger.info(connection)
    logger.info("{a} {} {a!s}", connection, a=connection)
    assert [line["message"] for line in log()] == ["<ann ***>", "<ann ***> <ann ***> <ann ***>"]


def test_representations_of_exceptions(log: Log) -> None:
    """`{error!r}` shows the class and the text of an exception."""
    logger.warning("{error!r}", error=LookupError("gone"))
    assert log()[0]["message"] == "LookupError(gone)"


def test_messages_that_loguru_formats_are_masked(log: Log) -> None:
    """Messages that Loguru formats itself, with `colors` or `record`, are masked."""
    logger.opt(colors=True).info("<red>{token}</red>", token="canary")
    logger.bind(token="canary").opt(record=True).info("{record[extra][token]} {}", 1)
    assert [line["message"] for line in log()] == ["***", "*** 1"]


def test_unreadable_exceptions(log: Log) -> None:
    """An exception whose attributes raise has its line."""

    class Unprintable(Exception):
        args = property(lambda self: 1 / 0)

        def __str__(self) -> str:
            raise RuntimeError("no text")

    class Closed(Exception):
        def __getattribute__(self, name: str) -> object:
            raise RuntimeError(name)

    for error in (Unprintable(), Closed()):
        logger.opt(exception=error).error("failed")
        logger.info(error)
        record = logging.LogRecord("library", 40, "a.py", 1, error, (), None)
        InterceptHandler().emit(record)
        lines = log()
        assert len(lines) == 3
        assert lines[0]["message"] == "failed"


def test_a_rejected_call_without_our_handler() -> None:
    """If only a user's handler is left, it gets the line of a rejected call once."""
    written: list[str] = []
    logger.remove()
    logger.add(lambda message: written.append(message.record["extra"]["log_error"]))
    try:
        logger.log("NOTHING", "x")
    finally:
        logger.remove()
        init(level="DEBUG")
    assert written == ["ValueError: Level 'NOTHING' does not exist"]


def test_a_renamed_field_replaces_no_other(log: Log) -> None:
    """A field that gets an underscore does not replace a field with that name."""
    logger.info("x", level=1, level_=2)
    [line] = log()
    assert (line["level_"], line["level__"]) == (1, 2)
