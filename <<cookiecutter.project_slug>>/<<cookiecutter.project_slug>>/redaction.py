"""What is secret, and how it is masked: the one rule for records, tracebacks and settings.

A name is secret when its words end in one of `SECRET_ENDINGS` or hold one of `SECRET_WORDS`. Words
are split at punctuation and at changes of case; a number at the end does not count. So
`db_password`, `apiToken`, `X-Api-Key` and `set-cookie` are secret; `max_tokens`, `token_count` and
`secretary` are not. The value is masked, the name stays.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import unquote

MASK = "***"

SECRET_WORDS = frozenset({"password", "passwd"})
SECRET_ENDINGS: set[tuple[str, ...]] = {
    ("pwd",),
    ("secret",),
    ("token",),
    ("authorization",),
    ("cookie",),
    ("dsn",),
    ("credential",),
    ("credentials",),
    *((kind, "key") for kind in ("private", "api", "access", "secret")),
    *((f"{kind}key",) for kind in ("private", "api", "access", "secret")),
}
# Their values hold blanks: `Authorization: Basic dXNlcjpwdw==`, `Cookie: a=1; b=2`.
WHOLE_LINE = ("authorization", "cookie")

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_A-Za-z]+|\d+")

# `name=`, `name: `, `"name": `, `x["name"] = `, `--name=`, `('name', `; two words: `API key: `.
_NAME_AND_SIGN = re.compile(
    r"""
    (?<![\w.\-]) (?P<pair>\(\s*b?["'])?
    (?P<name>[\w.\-]++(?:[ ][\w.\-]++)?)
    (?: (?P<comma>["'],\s*(?=b?["'])) | \\*["']?\]? \s* (?:=>|:=|!=|={1,3}|:) (?:\s|\+|%20)* )
    """,
    re.VERBOSE,
)
_QUOTED = re.compile(
    r"""
    [bBrRuUfF]{0,2}
    (?: (?P<quote>\"{3}|'{3}) .*? (?:(?P=quote)|\Z)
      | (?P<escaped>\\+["']) .*? (?:\\+["']|\Z)
      | (?P<double>") (?:\\.|[^"\\])*+ (?:"|\Z)
      | (?P<single>') (?:\\.|[^'\\])*+ (?:'|\Z) )
    """,
    re.VERBOSE | re.DOTALL,
)
_REST_OF_LINE = re.compile(r"[^\r\n]*")
_BRACKET = re.compile(r"[\w.]*[\[({]")
_BARE = re.compile(r"""[^\s&"']*[^\s&"',;:)}\]]""")

_URL = re.compile(r"""(?<=://)[^\s"'<>]++""")
# `user:password@`, not the port of `host:8000/@name`.
_URL_CREDENTIALS = re.compile(r"\A([^/?#:@]*+):(?!\d+[/?#]).*@", re.DOTALL)
_ENCODED = re.compile(r"""[^\s"'<>&]*%[0-9A-Fa-f]{2}[^\s"'<>&]*""")
# What would end a bare value stays encoded while the rest is decoded: blank, `&`, line breaks.
_ENCODED_END = re.compile(r"%(?=20|26|0[9AaDd])")


def add_secret_names(names: Iterable[str]) -> None:
    """Make `names` (`iban`, `session_id`) secret, and every name that ends in their words."""
    SECRET_ENDINGS.update(words for name in names if (words := _words(name)))
    _known_names.clear()
    _redact_short.cache_clear()


def _words(name: str) -> tuple[str, ...]:
    return tuple(word.lower() for word in _WORD.findall(name))


def is_secret(name: str) -> bool:
    """Tell whether what stands under `name` is a secret."""
    return _known_names[name]


class _KnownNames(dict[str, bool]):
    """Which names are secret: judged once, since every field of every line asks."""

    def __missing__(self, name: str) -> bool:
        if len(self) >= 4096:
            self.clear()
        self[name[-128:]] = secret = _ends_secretly(name[-128:])
        return secret


_known_names = _KnownNames()


def _ends_secretly(name: str) -> bool:
    words = _words(name)
    while words and words[-1].isdigit():
        words = words[:-1]
    return not SECRET_WORDS.isdisjoint(words) or any(
        words[start:] in SECRET_ENDINGS for start in range(len(words))
    )


def redact(text: str) -> str:
    """Mask in `text` the credentials of URLs and every value that stands behind a secret name.

    Percent-encoded passages are judged as what they decode to; one that holds a secret comes out
    decoded and masked.
    """
    # Short texts come again and again: messages, paths, user agents.
    return _redact_short(text) if len(text) <= 256 else _redact(text, decodings=3)


@lru_cache(maxsize=1024)
def _redact_short(text: str) -> str:
    return _redact(text, decodings=3)


def scrub(text: str, secrets: Iterable[str]) -> str:
    """Mask every occurrence of known `secrets` in `text`; those under four characters are left."""
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= 4:
            text = text.replace(secret, MASK).replace(repr(secret)[1:-1], MASK)
    return text


def _redact(text: str, decodings: int) -> str:
    if "=" in text or ":" in text or "('" in text or "(b'" in text:
        text = _redact_named(text)
        if "://" in text:
            text = _URL.sub(_redact_url, text)
    if decodings and "%" in text:
        text = _ENCODED.sub(lambda match: _redact_encoded(match[0], decodings - 1), text)
    return text


def _redact_url(match: re.Match[str]) -> str:
    """Mask the password of each URL in a passage without blanks: one may be the query of another."""
    urls = match[0].split("://")
    return "://".join(_URL_CREDENTIALS.sub(rf"\1:{MASK}@", url, count=1) for url in urls)


def _redact_encoded(text: str, decodings: int) -> str:
    decoded = unquote(_ENCODED_END.sub("%25", text), errors="backslashreplace")
    redacted = _redact(decoded, decodings)
    return text if redacted == decoded else redacted


def _redact_named(text: str) -> str:
    parts = []
    done = position = 0
    while match := _NAME_AND_SIGN.search(text, position):
        position = match.end()
        if is_secret(match["name"]) and bool(match["pair"]) >= bool(match["comma"]):
            end, masked = _mask_value(text, position, match["name"])
            parts += [text[done:position], masked]
            done = position = end
    return "".join(parts) + text[done:] if parts else text


def _mask_value(text: str, start: int, name: str) -> tuple[int, str]:
    """Return where the value that begins at `start` ends, and what is to stand in its place."""
    if quoted := _QUOTED.match(text, start):
        quote = quoted[quoted.lastgroup or 0]
        return quoted.end(), f"{quote}{MASK}{quote}"
    if name.lower().endswith(WHOLE_LINE) and (rest := _REST_OF_LINE.match(text, start)):
        return rest.end(), MASK
    if bracket := _BRACKET.match(text, start):
        return _closing_bracket(text, bracket.end()), MASK
    if bare := _BARE.match(text, start):
        return bare.end(), MASK
    return start, ""


def _closing_bracket(text: str, position: int) -> int:
    """Return the position behind the bracket that closes the one before `position`."""
    depth = 1
    for offset, character in enumerate(text[position:], start=1):
        depth += (character in "[({") - (character in "])}")
        if depth == 0:
            return position + offset
    return len(text)
