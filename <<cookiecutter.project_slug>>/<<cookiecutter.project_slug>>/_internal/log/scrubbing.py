"""Scrub known secrets from text, in every spelling."""

import json
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from .secret_names import MASK

_MIN_LENGTH = 4  # characters; a shorter secret occurs in too many words
_MAX_LENGTH = 256  # characters compared


def scrub(text: str, secrets: Iterable[str]) -> str:
    """Scrub `text` of known `secrets`; skip secrets of fewer than four characters."""
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= _MIN_LENGTH:
            for spelling in spellings(secret):
                text = _replace_known(text, spelling)
    return text


def scrub_values(value: Any, secrets: set[str]) -> Any:
    """Return JSON types scrubbed of known `secrets`."""
    if not secrets:
        return value
    if isinstance(value, str):
        return scrub(value, secrets)
    if isinstance(value, list):
        return [scrub_values(item, secrets) for item in value]
    if isinstance(value, dict):
        return {name: scrub_values(item, secrets) for name, item in value.items()}
    return value


def spellings(secret: str) -> Iterable[str]:
    """Return the spellings of a secret in text, in quotation marks and in URLs."""
    if secret.isalnum() and secret.isascii():
        return (secret,)
    head = secret[: 2 * _MAX_LENGTH]
    quoted = (repr(head)[1:-1], ascii(head)[1:-1], json.dumps(head)[1:-1])
    encoded = (quote(head, safe=safe, errors="backslashreplace") for safe in ("", "/"))
    return dict.fromkeys((secret, *quoted, *encoded))


def _replace_known(text: str, secret: str) -> str:
    """Mask a secret; if it is long, also its beginning in a truncated text."""
    if len(secret) <= _MAX_LENGTH:
        return text.replace(secret, MASK)
    first, *others = text.split(secret[:_MAX_LENGTH])
    rest = secret[_MAX_LENGTH:]
    return MASK.join([first, *(_without_start(other, rest) for other in others)])


def _without_start(text: str, rest: str) -> str:
    """Return `text` without the prefix that it shares with `rest`."""
    if text.startswith(rest):
        return text[len(rest) :]
    common = zip(text, rest, strict=False)
    length = next((index for index, (a, b) in enumerate(common) if a != b), len(text))
    return text[length:]
