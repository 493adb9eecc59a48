"""Decide which names are secret, in records, tracebacks, settings and free text.

A name is secret when its words end in one of `SECRET_ENDINGS` or contain one of `SECRET_WORDS`.
Words are split at punctuation and at changes of case; a trailing number is ignored. So
`db_password`, `apiToken`, `X-Api-Key` and `set-cookie` are secret; `max_tokens`, `token_count` and
`secretary` are not. The value is masked; the name stays.
"""

import re
from collections.abc import Iterable

from .cache import Cache

MASK = "***"

# Keys whose value is the name of another value: `{"name": "DB_PASSWORD", "value": "…"}`.
LABELS = frozenset({"name", "key", "header", "field", "variable"})
# Parts of a validation error that quote the input.
QUOTING = frozenset({"msg", "input", "ctx"})

SECRET_WORDS = frozenset({"password", "passwd"})
SECRET_ENDINGS: set[tuple[str, ...]] = {
    *((word,) for word in ("pwd", "secret", "token", "authorization", "cookie", "dsn")),
    *((word,) for word in ("credential", "credentials")),
    *((kind, "key") for kind in ("private", "api", "access", "secret")),
    # Two words that are often written as one.
    *((f"{kind}key",) for kind in ("private", "api", "access", "secret")),
    *((word,) for word in ("apitoken", "cookies", "csrftoken", "passphrase", "pgpassword")),
}

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_A-Za-z]+|\d+")
_NAME_LIMIT = 128  # characters; the end of a longer name decides


def add_names(names: Iterable[str]) -> None:
    """Make `names` (`iban`, `session_id`) and every name that ends in their words secret."""
    SECRET_ENDINGS.update(words for name in names if (words := _words(name)))
    _known_names.clear()


def _is_secret(name: str) -> bool:
    """Return whether the value under `name` is secret."""
    # Each part of `user[password]` and `token[$ne]` is checked.
    return any(_ends_secretly(_words(part)) for part in name[-_NAME_LIMIT:].split("["))


_known_names = Cache(_is_secret, length=_NAME_LIMIT, entries=4096)
is_secret = _known_names.__getitem__


def _words(name: str) -> tuple[str, ...]:
    return tuple(word.lower() for word in _WORD.findall(name))


def _ends_secretly(words: tuple[str, ...]) -> bool:
    if not SECRET_WORDS.isdisjoint(words):
        return True
    if any(words[start:] in SECRET_ENDINGS for start in range(len(words))):
        return True
    return bool(words) and words[-1].isdigit() and _ends_secretly(words[:-1])
