"""config.py"""

import pytest

from << cookiecutter.project_slug >>.config import Settings

from .conftest import Log


def test_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without variables the service is in production, for its own machine, and trusts nobody."""
    monkeypatch.setenv("ENV", "")
    settings = Settings.load()
    assert (settings.env, settings.log_level) == ("production", "INFO")
    assert (settings.host, settings.port, settings.trusted_proxies) == ("127.0.0.1", 8000, ())


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("ENV", "staging", "LOG_FIELDS"),
        ("LOG_FIELDS", '{"level": 1}', "a JSON object"),
        ("SHUTDOWN_DELAY", "nan", "seconds"),
        ("TRUSTED_PROXIES", "10.0.0.0/8,proxy", "IP addresses"),
    ],
)
def test_bad_values_stop_the_start(
    name: str, value: str, allowed: str, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One ERROR line names every bad variable, its value and what is allowed."""
    monkeypatch.setenv("PORT", "http")
    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit):
        Settings.load()
    [line] = log()
    assert line["level"] == "ERROR"
    for part in (f"{name} is {value!r}", allowed, "PORT is 'http'"):
        assert part in line["message"]
    assert line["message"].count("; it must be ") == 2
