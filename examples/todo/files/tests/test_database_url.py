"""database_url.py"""

from pathlib import Path

import pytest
from pydantic import SecretStr

from todo.config import Settings
from todo.database_url import DRIVERS, with_password

from .conftest import Log


@pytest.mark.parametrize(
    "url",
    [
        "canary",
        "mysql+pymysql://user:canary@host/name",
        "postgresql://user:canary@host/name",
        "nosuch+driver://user:canary@host/name",
        "mysql+aiomysql://user:canary@host:port/name",
    ],
)
def test_bad_urls_stop_the_start(url: str, log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line names the variable and what is allowed, and has nothing of the URL."""
    monkeypatch.setenv("DATABASE_URL", url)
    with pytest.raises(SystemExit):
        Settings.load()
    [line] = log()
    assert "DATABASE_URL is ***; it must be a URL of SQLite" in line["message"]
    assert "canary" not in str(line)


def test_the_password_can_be_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """DATABASE_PASSWORD_FILE is the password of a database on a server, SQLite has none."""
    (tmp_path / "password").write_text("p@ss/word\n")
    monkeypatch.setenv("DATABASE_PASSWORD_FILE", f"{tmp_path}/password")
    password = Settings.load().database_password
    server = with_password(SecretStr("mysql+aiomysql://todo:old@host/todo"), password)
    assert (server.password, server.host) == ("p@ss/word", "host")
    assert with_password(SecretStr("sqlite+aiosqlite:///todo.db"), password).password is None


def test_a_missing_driver_stops_the_start(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """The line says how to install it."""
    monkeypatch.setitem(DRIVERS, "postgresql+psycopg", "no_such_module")
    monkeypatch.setenv("DATABASE_URL", "postgresql+psycopg://todo@host/todo")
    with pytest.raises(SystemExit):
        Settings.load()
    assert "make add PACKAGE='psycopg[binary]'" in log()[0]["message"]
