"""The type of DATABASE_URL."""

from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

EXAMPLES = "sqlite+aiosqlite:///todo.db, mysql+aiomysql://user@host/name or postgresql+psycopg://…"


def _supported(value: SecretStr) -> SecretStr:
    """Refuse a URL that SQLAlchemy cannot use with asyncio; the error never has the URL."""
    try:
        dialect = make_url(value.get_secret_value()).get_dialect(_is_async=True)
    except (ArgumentError, NoSuchModuleError, ValueError):
        raise ValueError("is not a URL of a database") from None
    if not dialect.is_async:
        raise ValueError(f"has the driver {dialect.driver}, which knows no asyncio")
    return value


DatabaseUrl = Annotated[
    SecretStr, AfterValidator(_supported), Field(description=f"a URL such as {EXAMPLES}")
]


def with_password(url: SecretStr, password: SecretStr) -> URL:
    """Return the URL, with the password if there is one."""
    parsed = make_url(url.get_secret_value())
    return parsed.set(password=password.get_secret_value()) if password else parsed
