"""Redact secrets in text: values behind secret names, URL credentials, private keys.

Free text has no grammar, so this is the last resort. An object is redacted as an object
(`jsonable.py`), and a query string by its own separators (`redact_target`). Text is redacted too
much rather than too little: a bare value ends at a blank or `&`, or at the end of the quotation
that contains its name.

Each function takes time linear in the length of its text. Callers truncate texts first.
"""

import re
from functools import partial
from urllib.parse import unquote, unquote_plus

from .named_secrets import redact_named
from .secret_names import MASK
from .secret_names import is_secret as is_secret
from .url_credentials import redact_urls

# One of these precedes every value; many texts have none.
_SIGNS = ("=", ":", "(", "[", "--")

_PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_END_OF_KEY = re.compile(r"-----END [A-Z0-9 ]{0,60}-----")
# A pydantic error: `login.password`, and on the next line the problem and the value.
_VALIDATION_ERROR = re.compile(
    r"^(?P<loc>[^\s\[]\S*+)\n  (?P<problem>[^\n]*) \[type=(?P<type>\w++), (?P<input>[^\n]*)$",
    re.MULTILINE,
)

_ENCODED = re.compile(
    r"""
    (?<![^\s"'<>&]) [^\s"'<>&%]*+ (?:%(?![0-9A-Fa-f]{2})[^\s"'<>&%]*+)*+
    %[0-9A-Fa-f]{2} [^\s"'<>&]*+
    """,
    re.VERBOSE,
)
# Characters that would end a bare value stay encoded: blank, `&`, line breaks.
_ENCODED_END = re.compile(r"%(?=20|26|0[9AaDd])")
_DECODINGS = 3

_COLORS = re.compile(r"\x1b\[[0-9;]{0,16}m")
# PostgreSQL's message for a duplicate key.
_KEYS = re.compile(r"\((?P<names>[^()]{1,256})\)=\([^()]*+\)?")


def redact(text: str) -> str:
    """Redact URL credentials, private keys and every value behind a secret name in `text`.

    Percent-encoded passages are checked in their decoded form. A passage that contains a secret is
    returned decoded and redacted.
    """
    if "\x1b[" in text:  # colour codes would become part of names
        plain = _COLORS.sub("", text)
        masked = _redact(plain, _DECODINGS)
        return text if masked == plain else masked
    return _redact(text, _DECODINGS)


def redact_target(target: str) -> str:
    """Redact a path with its query, or a URL: each parameter by its name."""
    path, mark, query = target.partition("?")
    query, hash_sign, fragment = query.partition("#")
    return "".join((redact(path), mark, _redact_query(query), hash_sign, _redact_query(fragment)))


def _redact(text: str, decodings: int) -> str:
    if "PRIVATE KEY" in text:
        text = _redact_private_keys(text)
    if any(sign in text for sign in _SIGNS):
        if "input_value=" in text:
            text = _VALIDATION_ERROR.sub(_redact_validation_error, text)
        text = redact_named(text)
        if ")=(" in text:
            text = _KEYS.sub(_redact_keys, text)
        if "://" in text or "netloc" in text:
            text = redact_urls(text)
    if decodings and "%" in text:
        text = _ENCODED.sub(partial(_redact_encoded, decodings - 1), text)
    return text


def _redact_private_keys(text: str) -> str:
    parts, done = [], 0
    while begin := _PRIVATE_KEY.search(text, done):
        end = _END_OF_KEY.search(text, begin.end())
        parts += [text[done : begin.start()], MASK]
        done = end.end() if end else len(text)
    return "".join([*parts, text[done:]])


def _redact_keys(match: re.Match[str]) -> str:
    names = match["names"]
    return f"({names})=({MASK})" if any(map(is_secret, names.split(","))) else match[0]


def _redact_validation_error(match: re.Match[str]) -> str:
    if not any(map(is_secret, match["loc"].split("."))):
        return match[0]
    return f"{match['loc']}\n  {MASK} [type={match['type']}, input_value={MASK}]"


def _redact_encoded(decodings: int, match: re.Match[str]) -> str:
    decoded = unquote(_ENCODED_END.sub("%25", match[0]), errors="backslashreplace")
    redacted = _redact(decoded, decodings)
    return match[0] if redacted == decoded else redacted


def _redact_query(query: str) -> str:
    return "&".join(map(_redact_parameter, query.split("&"))) if query else query


def _redact_parameter(parameter: str) -> str:
    name, _, value = parameter.partition("=")
    if value and is_secret(_decoded(name)):
        return f"{name}={MASK}"
    return redact(parameter)


def _decoded(name: str) -> str:
    for _ in range(_DECODINGS):
        if "%" not in name and "+" not in name:
            break
        name = unquote_plus(name, errors="backslashreplace")
    return name
