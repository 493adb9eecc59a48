"""The type of DATABASE_URL."""

from importlib import import_module
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

# How a URL can begin, and the module of its driver: one for asyncio that the tests were run with.
DRIVERS = {
    "sqlite+aiosqlite": "aiosqlite",
    "mysql+aiomysql": "aiomysql",
    "postgresql+psycopg": "psycopg",
}
ALLOWED = (
    "a URL of SQLite (sqlite+aiosqlite:///todo.db), MySQL or MariaDB"
    " (mysql+aiomysql://user@host/name) or PostgreSQL (postgresql+psycopg://user@host/name,"
    " after `make add PACKAGE='psycopg[binary]'`)"
)


def _supported(value: SecretStr) -> SecretStr:
    """Refuse a URL that cannot be used, without a word of it."""
    try:
        import_module(DRIVERS[make_url(value.get_secret_value()).drivername])
    except (ArgumentError, ImportError, KeyError, ValueError):
        raise ValueError("is not supported") from None
    return value


DatabaseUrl = Annotated[SecretStr, AfterValidator(_supported), Field(description=ALLOWED)]


def with_password(url: SecretStr, password: SecretStr) -> URL:
    """Return the URL, with the password if there is one and the database asks for one."""
    parsed = make_url(url.get_secret_value())
    if not password or parsed.get_backend_name() == "sqlite":
        return parsed
    return parsed.set(password=password.get_secret_value())
