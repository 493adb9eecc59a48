"""Secrets in text: what stands behind a secret name, credentials of URLs, private keys.

Free text has no grammar, so this is the last resort: whatever arrives as an object is masked as an
object (`encoding.py`), and a query string by its own separators (`redact_target`). Behind a secret
name rather too much is masked than too little: a bare value ends at a blank or `&`, or where the
quotation ends that the name stands in.

Each function takes time linear in the length of its text; callers cut texts before.
"""

import json
import re
from collections.abc import Iterable
from functools import partial
from urllib.parse import unquote, unquote_plus

from .secret_names import MASK, is_secret
from .values_in_text import Values

# One of them stands before every value; many texts have none.
_SIGNS = ("=", ":", "(", "[", "--")
_NAME = re.compile(
    r"""
    (?P<open>[(\[]\s*+[bBrRuU]?\\*["'])? (?<![\w.\-])
    (?P<name>[\w.\-]++) (?P<index>(?:\[[^\[\]\s]{0,64}\]){0,4}+)
    (?: (?P<comma>\\*["']\s*+,\s*+(?=[bBrRuU]{0,2}\\*["']))
      | \(\s*+(?=[bBrRuU]{0,2}\\*["'])
      | \\*["']?\]?\s*+(?P<sign>=>|:=|!=|={1,3}|:)(?:\s|\+|%20)*+ )
    | (?<![\w.\-]) (?P<option>--[\w.\-]++)\s++(?=[^\s\-])
    """,
    re.VERBOSE,
)
# The name of a secret that is itself a value: `{"name": "DB_PASSWORD", "value": "…"}`.
_LABELS = frozenset({"name", "key", "header", "field", "variable"})
_LABELLED = re.compile(
    r"""
    [bBrRuU]?\\*["']? (?P<name>[\w.\-]++) (?:\\*["'])? (?:[\s,;]|\\++[nrt])*+
    \\*["']? value \\*["']?\s*+[:=]\s*+
    """,
    re.VERBOSE,
)
_ESCAPE = re.compile(r"(?:[abfnrtv]|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4})(?=\w)")
# The first word of `private key: …`
_FIRST_WORD = re.compile(r"(?<![\w.\-])[\w.\-]+ \Z")
_END_OF_PAIR = re.compile(r"""\\*["']\s*+,?\s*+[)\]]""")
# With a colon a header, `Cookie: a=1; b=2`.
_COOKIES = ("cookie", "cookies")

_PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_END_OF_KEY = re.compile(r"-----END [A-Z0-9 ]{0,60}-----")
# An error as pydantic words it: `login.password`, and below it what is wrong with the value.
_VALIDATION_ERROR = re.compile(
    r"^(?P<loc>[^\s\[]\S*+)\n  (?P<problem>[^\n]*) \[type=(?P<type>\w++), (?P<input>[^\n]*)$",
    re.MULTILINE,
)

_AUTHORITY = re.compile(r"(?<=://)[^\s<>/?#]*+")
_USER = re.compile(r"""[^"'@]*""")
_QUOTED_PORT = re.compile(r"""\d{0,5}["'\\]""")
_REST_OF_PASSWORD = re.compile(r"""[^\s<>"']{0,256}@""")
_SCHEME = re.compile(r"""["'][A-Za-z][A-Za-z0-9+.\-]{0,30}\Z""")
# `host:8000`, several of them, `host:{port}`, and the punctuation of a sentence behind them.
_HOSTS = re.compile(
    r"""(?:\[[0-9A-Fa-f:.%]*\]|[^\s:,]*)(?::(?:\d{0,5}|[{$%*<].*))?(?:,[^\s:,]+:\d{1,5})*[\W_]*""",
    re.DOTALL,
)

_ENCODED = re.compile(
    r"""
    (?<![^\s"'<>&]) [^\s"'<>&%]*+ (?:%(?![0-9A-Fa-f]{2})[^\s"'<>&%]*+)*+
    %[0-9A-Fa-f]{2} [^\s"'<>&]*+
    """,
    re.VERBOSE,
)
# What would end a bare value stays encoded while the rest is decoded: blank, `&`, line breaks.
_ENCODED_END = re.compile(r"%(?=20|26|0[9AaDd])")
_DECODINGS = 3

_KNOWN_AT_LEAST = 4  # characters; a shorter secret is a part of too many words
_KNOWN_AT_MOST = 256  # characters that are compared


def redact(text: str) -> str:
    """Mask in `text` credentials of URLs, private keys, and every value behind a secret name.

    Percent-encoded passages are judged as what they decode to; one that contains a secret comes out
    decoded and masked.
    """
    return _redact(text, _DECODINGS)


def redact_target(target: str) -> str:
    """Mask a path with its query, or a URL: parameters at their own separators, by their names."""
    path, mark, query = target.partition("?")
    query, hash_sign, fragment = query.partition("#")
    return "".join((redact(path), mark, _redact_query(query), hash_sign, _redact_query(fragment)))


def scrub(text: str, secrets: Iterable[str]) -> str:
    """Mask every occurrence of known `secrets` in `text`; those under four characters are left."""
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= _KNOWN_AT_LEAST:
            for spelling in _spellings(secret):
                text = _replace_known(text, spelling)
    return text


def _spellings(secret: str) -> Iterable[str]:
    """Return a secret as it is written in text, in Python's and in JSON's quotation marks."""
    if secret.isalnum() and secret.isascii():
        return (secret,)
    head = secret[: 2 * _KNOWN_AT_MOST]
    return dict.fromkeys((secret, repr(head)[1:-1], json.dumps(head)[1:-1]))


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


def _redact(text: str, decodings: int) -> str:
    if "PRIVATE KEY" in text:
        text = _redact_private_keys(text)
    if any(sign in text for sign in _SIGNS):
        if "input_value=" in text:
            text = _VALIDATION_ERROR.sub(_redact_validation_error, text)
        text = _redact_named(text)
        if "://" in text:
            text = _redact_urls(text)
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


def _redact_validation_error(match: re.Match[str]) -> str:
    if not any(map(is_secret, match["loc"].split("."))):
        return match[0]
    return f"{match['loc']}\n  {MASK} [type={match['type']}, input_value={MASK}]"


# --- Names


def _redact_named(text: str) -> str:
    parts = []
    values = Values(text)
    done = position = 0
    while match := _NAME.search(text, position):
        position = match.end("name" if match["name"] else "option")
        start = _start_of_secret(values, match)
        if start >= 0:
            end, masked = _mask_value(values, start, match)
            parts += [text[done:start], masked]
            done = position = max(end, start)
    return "".join(parts) + text[done:] if parts else text


def _start_of_secret(values: Values, match: re.Match[str]) -> int:
    """Return where the secret begins that a name announces, -1 where none does."""
    name = match["name"] or match["option"]
    if name in _LABELS and (labelled := _LABELLED.match(values.text, match.end())):
        return labelled.end() if is_secret(labelled["name"]) else -1
    if not is_secret(name) and not _is_secret_in_context(match):
        return -1
    if match["comma"] and not name.startswith("--") and not _is_pair(values, match):
        return -1
    return match.end()


def _is_secret_in_context(match: re.Match[str]) -> bool:
    """Judge a name with its index or the word before it, or without an escaped line break."""
    text, start, name = match.string, match.start("name"), match["name"] or ""
    if match["index"]:
        return is_secret(match["index"])
    if text[start - 1 : start] == "\\" and (escape := _ESCAPE.match(name)):
        return is_secret(name[escape.end() :])
    if name.lower() == "key" and (first := _FIRST_WORD.search(text, max(start - 20, 0), start)):
        return is_secret(f"{first[0].rstrip()}_key")
    return False


def _is_pair(values: Values, match: re.Match[str]) -> bool:
    """Return whether two quoted texts are a name and its value, not two of a list of names."""
    if not match["open"]:
        return False
    before = values.text[max(match.start() - 1, 0) : match.start()]
    if match["open"][0] == "(" and (before.isalnum() or before == "_"):
        return True  # `getenv("TOKEN", "default")`
    end, _ = values.end_of_quoted(match.end()) or (len(values.text), "")
    return end == len(values.text) or bool(_END_OF_PAIR.match(values.text, end))


def _mask_value(values: Values, start: int, match: re.Match[str]) -> tuple[int, str]:
    """Return where the value that begins at `start` ends, and what stands in its place."""
    if quoted := values.end_of_quoted(start):
        end, opening = quoted
        return end, f"{opening}{MASK}"
    name = (match["name"] or "").lower()
    if name.endswith("authorization") or (match["sign"] == ":" and name.endswith(_COOKIES)):
        end = values.end_of_line(start)
    else:
        end = values.end_of_bare(start)
    return end, MASK if end > start else ""


# --- URLs


def _redact_urls(text: str) -> str:
    """Mask the password in `user:password@host`; the authority ends at `/`, `?`, `#` (RFC 3986)."""
    parts = []
    done = 0
    for match in _AUTHORITY.finditer(text):
        if match.start() >= done and (password := _password(match)):
            start, end = password
            parts += [text[done:start], MASK]
            done = end
    return "".join(parts) + text[done:] if parts else text


def _password(match: re.Match[str]) -> tuple[int, int] | None:
    """Return where the password of a URL begins and ends, None where it has none."""
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
    # A password that should have been encoded, or a text that was cut before its `@`.
    if rest := _REST_OF_PASSWORD.match(match.string, start):
        return start, rest.end() - 1
    end = start + len(password)
    return (start, end) if end == len(match.string) else None


def _redact_encoded(decodings: int, match: re.Match[str]) -> str:
    decoded = unquote(_ENCODED_END.sub("%25", match[0]), errors="backslashreplace")
    redacted = _redact(decoded, decodings)
    return match[0] if redacted == decoded else redacted


# --- Queries


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
