"""sink.py: a line is written even if the project's `to_fields` fails."""

from typing import Any

import pytest
from loguru import logger

from my_service._internal.log import fields
from my_service._internal.log.fields import LogEntry
from my_service.logging import log_line, to_fields
from tests.conftest import Log


def fail(entry: LogEntry) -> dict[str, Any]:
    raise KeyError("host")


def return_an_object(entry: LogEntry) -> dict[str, Any]:
    return to_fields(entry) | {"object": object()}


@pytest.mark.parametrize("broken", [fail, return_an_object])
def test_a_broken_format(broken: Any, log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """The line has its basic fields, arguments and exception, and says what failed."""
    monkeypatch.setattr(fields, "to_fields", broken)
    log_line("INFO", "fast", {"number": 1})
    try:
        raise ValueError("wrong")
    except ValueError:
        logger.exception("slow", number=2)
    fast, slow = log()
    assert (fast["message"], fast["number"], slow["number"]) == ("fast", 1, 2)
    assert fast["log_error"].startswith("to_fields: ")
    assert slow["log_error"] == fast["log_error"]
    assert "ValueError: wrong" in slow["exception"]


def test_any_level(log: Log) -> None:
    """`log_line` accepts every Loguru level."""
    log_line("WARNING", "careful", {})
    log_line("TRACE", "too low", {})
    assert [(line["level"], line["message"]) for line in log()] == [("WARNING", "careful")]
