"""Redact the password in URLs: `scheme://user:password@host`."""

import re

from .secret_names import MASK

_AUTHORITY = re.compile(r"(?<=://)[^\s<>/?#]*+")
_USER = re.compile(r"""[^"'@]*""")
_QUOTED_PORT = re.compile(r"""\d{0,5}["'\\]""")
_REST_OF_PASSWORD = re.compile(r"""[^\s<>"']{0,256}@""")
_SCHEME = re.compile(r"""["'][A-Za-z][A-Za-z0-9+.\-]{0,30}\Z""")
# `host:8000`, several of them, `host:{port}`, and the punctuation after them.
_HOSTS = re.compile(
    r"""(?:\[[0-9A-Fa-f:.%]*\]|[^\s:,]*)(?::(?:\d{0,5}|[{$%*<].*))?(?:,[^\s:,]+:\d{1,5})*[\W_]*""",
    re.DOTALL,
)
# The result of `urlsplit`.
_NETLOC = re.compile(r"""(netloc\\*["']?\s*+[=:]\s*+\\*["'][^\s"'@:]*+:)[^\s"'@]++(?=@)""")


def redact_urls(text: str) -> str:
    """Redact the passwords of URLs; an authority ends at `/`, `?` or `#` (RFC 3986, 3.2)."""
    if "netloc" in text:
        text = _NETLOC.sub(rf"\1{MASK}", text)
    parts = []
    done = 0
    for match in _AUTHORITY.finditer(text):
        if match.start() >= done and (password := _password(match)):
            start, end = password
            parts += [text[done:start], MASK]
            done = end
    return "".join(parts) + text[done:] if parts else text


def _password(match: re.Match[str]) -> tuple[int, int] | None:
    """Return where the password of a URL begins and ends, or None."""
    authority = match[0]
    if opening := _SCHEME.search(match.string, max(match.start() - 34, 0), match.start() - 3):
        authority = authority.partition(opening[0][0])[0]
    user, colon, password = authority.partition(":")
    start = match.start() + len(user) + 1
    if not colon or not _USER.fullmatch(user) or _QUOTED_PORT.match(password):
        return None
    if (at := password.rfind("@")) >= 0:
        return start, start + at
    if _HOSTS.fullmatch(authority):
        return None
    # A password that is not percent-encoded, or a text truncated before its `@`.
    if rest := _REST_OF_PASSWORD.match(match.string, start):
        return start, rest.end() - 1
    end = start + len(password)
    return (start, end) if end == len(match.string) else None
