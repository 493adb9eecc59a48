"""service.py, in addition to the project's own tests."""

import json
from pathlib import Path

import pytest
from loguru import logger

from checks.settings.conftest import Message
from my_service._internal.settings.service import LOG_FIELDS_LIMIT
from my_service.config import Settings
from my_service.logging import init
from tests.conftest import Log


def test_an_unreadable_env_stops_the_start(
    log: Log, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One ERROR line names the file and the error."""
    (tmp_path / ".env").write_bytes(b"LOG_LEVEL=\xff\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        Settings.load()
    [line] = log()
    assert line["level"] == "ERROR"
    assert ".env cannot be read: 'utf-8' codec can't decode" in line["message"]


def test_the_line_of_a_bad_value(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """The line is a sentence for each variable, with its value and the allowed values."""
    monkeypatch.setenv("LOG_LEVEL", "loud")
    monkeypatch.setenv("PORT", "http")
    with pytest.raises(SystemExit):
        Settings.load()
    [line] = log()
    assert line["message"] == (
        "invalid settings: LOG_LEVEL is 'loud'; it must be TRACE, DEBUG, INFO, SUCCESS, WARNING,"
        " ERROR or CRITICAL. PORT is 'http'; it must be a whole number up to 65535"
    )


def test_long_constant_fields_are_refused(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """Long constant fields would displace the fields that every line has."""
    monkeypatch.setenv("LOG_FIELDS", json.dumps({"a": "é" * (LOG_FIELDS_LIMIT // 2)}))
    with pytest.raises(SystemExit):
        Settings.load()
    [line] = log()
    assert "at most 2,000 bytes" in line["message"]


@pytest.mark.parametrize("name", ["level", "elapsed"])
def test_constant_fields_replace_no_others(
    name: str, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that the log itself uses is rejected."""
    monkeypatch.setenv("LOG_FIELDS", json.dumps({name: "x"}))
    with pytest.raises(SystemExit):
        Settings.load()
    [line] = log()
    assert "without names that the log itself uses" in line["message"]


def test_long_constant_fields_leave_room(log: Log) -> None:
    """The longest allowed LOG_FIELDS do not displace the fields that every line has."""
    fields = {f"field{number}": "é" * 15 for number in range(40)}
    assert Settings(log_fields=fields).log_fields == fields
    init(level="DEBUG", fields=fields)
    try:
        logger.bind(**{f"more{number}": "x" * 4_000 for number in range(20)}).info("y" * 4_000)
    finally:
        init(level="DEBUG")
    [line] = log()
    assert {"timestamp", "level", "message", "source", *fields} <= line.keys()


@pytest.mark.parametrize("name", ["oauth2", "2fa", "a1,b2"])
def test_names_with_digits_can_be_redacted(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """REDACT accepts names with digits, which many protocols use."""
    monkeypatch.setenv("REDACT", name)
    assert Settings().redact == tuple(name.split(","))


@pytest.mark.parametrize(
    ("env", "log_format", "allowed"),
    [
        ("development", "Console", True),
        ("development", "pretty", True),
        ("development", "json", True),
        ("production", "json", True),
        ("production", "console", False),
        ("testing", "pretty", False),
        ("development", "text", False),
    ],
)
def test_formats(
    env: str, log_format: str, allowed: bool, message: Message, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only development has other formats than JSON."""
    monkeypatch.setenv("ENV", env)
    monkeypatch.setenv("LOG_FORMAT", log_format)
    if allowed:
        assert Settings.load().log_format == log_format.lower()
        return
    assert message(Settings) == (
        f"LOG_FORMAT is '{log_format}';"
        " it must be json; with ENV=development also pretty or console"
    )


def test_levels(monkeypatch: pytest.MonkeyPatch) -> None:
    """LOG_LEVELS are names with levels in any case."""
    monkeypatch.setenv("LOG_LEVELS", " httpx=warning, sqlalchemy.engine = INFO ,")
    assert Settings.load().log_levels == {"httpx": "WARNING", "sqlalchemy.engine": "INFO"}


@pytest.mark.parametrize("levels", ["httpx", "httpx=loud", "=INFO", "a b=INFO", "a=INFO=DEBUG"])
def test_bad_levels(levels: str, message: Message) -> None:
    """A bad name or level stops the start."""
    assert message(Settings, LOG_LEVELS=levels) == (
        f"LOG_LEVELS is '{levels}';"
        " it must be names of loggers with levels, such as httpx=WARNING,sqlalchemy=INFO"
    )
