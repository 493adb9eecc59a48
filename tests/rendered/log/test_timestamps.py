"""timestamps.py: RFC 3339 timestamps in any time zone."""

import time
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from checks.served import PLAIN, serve
from my_service._internal import early
from my_service._internal.log.timestamps import rfc3339
from tests.conftest import Log

try:
    raise LookupError
except LookupError as caught:
    TRACEBACK = caught.__traceback__

NOON = datetime(2026, 1, 1, 12, 0, 0, 5, UTC)


@pytest.mark.parametrize(
    ("offset", "expected"),
    [
        (timedelta(), "2026-01-01T12:00:00.000005+00:00"),
        (timedelta(hours=5, minutes=30), "2026-01-01T17:30:00.000005+05:30"),
        (timedelta(hours=-3), "2026-01-01T09:00:00.000005-03:00"),
        (timedelta(hours=5, minutes=30, seconds=15), "2026-01-01T17:30:00.000005+05:30"),
        (timedelta(hours=-5, minutes=-30, seconds=-15), "2026-01-01T06:30:00.000005-05:30"),
        (timedelta(days=1, microseconds=-1), "2026-01-02T11:59:00.000005+23:59"),
        (timedelta(days=-1, microseconds=1), "2025-12-31T12:01:00.000005-23:59"),
    ],
)
def test_offsets(offset: timedelta, expected: str) -> None:
    """Offsets have whole minutes, and the instant is unchanged."""
    text = rfc3339(NOON.astimezone(timezone(offset)))
    assert text == expected
    assert datetime.fromisoformat(text) == NOON


def test_whole_seconds() -> None:
    """A time without a fraction also has an offset of whole minutes."""
    noon = NOON.replace(microsecond=0)
    assert rfc3339(noon) == "2026-01-01T12:00:00+00:00"
    odd = noon.astimezone(timezone(timedelta(seconds=-15)))
    assert rfc3339(odd) == "2026-01-01T12:00:00+00:00"


def test_lines_in_a_zone_of_seconds(tmp_path: Path) -> None:
    """All lines match the schema if the offset has seconds."""
    with serve(tmp_path, *PLAIN, TZ="XXX-5:30:15") as service:
        service.get("/hello")
        service.stop()
        assert {line["timestamp"][-6:] for line in service.lines} == {"+05:30"}


def test_a_line_before_the_log_begins(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line from before the log begins has a timestamp in the same format."""
    monkeypatch.setenv("TZ", "XXX-5:30:15")
    time.tzset()
    try:
        early._log_uncaught(ImportError, ImportError(), TRACEBACK)
    finally:
        monkeypatch.undo()
        time.tzset()
    [line] = log()
    assert line["timestamp"].endswith("+05:30")
