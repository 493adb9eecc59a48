"""config.py, beside what a project's own tests say of it."""

from pathlib import Path

import pytest

from my_service.config import Settings
from tests.conftest import Log


def test_an_unreadable_env_stops_the_start(
    log: Log, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One ERROR line names the file and what is wrong with it."""
    (tmp_path / ".env").write_bytes(b"LOG_LEVEL=\xff\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        Settings.load()
    [line] = log()
    assert line["level"] == "ERROR"
    assert ".env cannot be read: 'utf-8' codec can't decode" in line["message"]
