"""redaction.py"""

import pytest

from << cookiecutter.project_slug >>.redaction import redact
from << cookiecutter.project_slug >>.secret_names import is_secret


@pytest.mark.parametrize("name", ["db_password", "apiToken", "X-Api-Key", "set-cookie"])
def test_secret_names(name: str) -> None:
    """A name is secret when it ends in a secret word."""
    assert is_secret(name)


@pytest.mark.parametrize("name", ["max_tokens", "secretary", "author", "cookie_policy", "key"])
def test_harmless_names(name: str) -> None:
    """A name that only looks like a secret stays readable."""
    assert not is_secret(name)


def test_free_text() -> None:
    """Values behind secret names and in URLs are masked; names and prose stay."""
    text = "no token for postgres://ann:hunter2@db with password=hunter2"
    assert redact(text) == "no token for postgres://ann:***@db with password=***"
