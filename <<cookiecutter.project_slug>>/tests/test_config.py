"""config.py"""

import pytest

from << cookiecutter.project_slug >>.config import Settings

from .conftest import Log


def test_defaults() -> None:
    """Without variables the service runs in production, on this machine, and trusts no proxy."""
    settings = Settings.model_construct()
    assert (settings.env, settings.log_level) == ("production", "INFO")
    assert (settings.host, settings.port, settings.trusted_proxies) == ("127.0.0.1", 8000, ())


def test_bad_values_stop_the_start(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line names every bad variable, its value unless it is secret, and what is allowed."""

    class ShopSettings(Settings):
        card_token: int

    for name, value in {"ENV": "staging", "PORT": "http", "CARD_TOKEN": "hunter2"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit):
        ShopSettings.load()
    [line] = log()
    assert line["level"] == "ERROR"
    for part in ("ENV is 'staging'; it must be production", "PORT is 'http'", "CARD_TOKEN is ***"):
        assert part in line["message"]
    assert "hunter2" not in line["message"]
