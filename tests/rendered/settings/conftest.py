"""Shared by the tests of settings."""

from collections.abc import Callable

import pytest

from my_service._internal.settings.environment import EnvironmentSettings
from tests.conftest import Log

CANARY = "hunter2canary"

Message = Callable[..., str]


@pytest.fixture
def message(log: Log, monkeypatch: pytest.MonkeyPatch) -> Message:
    """Return a function that loads invalid settings and returns their one line."""

    def load(settings: type[EnvironmentSettings], **variables: str) -> str:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(SystemExit) as stopped:
            settings.load()
        [line] = log()
        assert stopped.value.code == 1
        assert line["level"] == "ERROR"
        assert CANARY not in str(line)
        begin, separator, text = line["message"].partition(": ")
        assert begin + separator == "invalid settings: "
        return str(text)

    return load
