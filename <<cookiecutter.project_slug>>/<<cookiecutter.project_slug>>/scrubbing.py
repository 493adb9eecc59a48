"""Known secrets in text: masked wherever and however they are written."""

import json
from collections.abc import Iterable
from urllib.parse import quote

from .secret_names import MASK

_KNOWN_AT_LEAST = 4  # characters; a shorter secret is a part of too many words
_KNOWN_AT_MOST = 256  # characters that are compared


def scrub(text: str, secrets: Iterable[str]) -> str:
    """Mask every occurrence of known `secrets` in `text`; those under four characters are left."""
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= _KNOWN_AT_LEAST:
            for spelling in _spellings(secret):
                text = _replace_known(text, spelling)
    return text


def _spellings(secret: str) -> Iterable[str]:
    """Return a secret as it is written in text, in quotation marks and in URLs."""
    if secret.isalnum() and secret.isascii():
        return (secret,)
    head = secret[: 2 * _KNOWN_AT_MOST]
    quoted = (repr(head)[1:-1], ascii(head)[1:-1], json.dumps(head)[1:-1])
    encoded = (quote(head, safe=safe, errors="backslashreplace") for safe in ("", "/"))
    return dict.fromkeys((secret, *quoted, *encoded))


def _replace_known(text: str, secret: str) -> str:
    """Mask a secret; of a long one also what is left of it in a text that was cut."""
    if len(secret) <= _KNOWN_AT_MOST:
        return text.replace(secret, MASK)
    first, *others = text.split(secret[:_KNOWN_AT_MOST])
    rest = secret[_KNOWN_AT_MOST:]
    return MASK.join([first, *(_without_start(other, rest) for other in others)])


def _without_start(text: str, rest: str) -> str:
    """Return `text` without what it begins with of `rest`."""
    if text.startswith(rest):
        return text[len(rest) :]
    common = zip(text, rest, strict=False)
    length = next((index for index, (a, b) in enumerate(common) if a != b), len(text))
    return text[length:]
