"""Texts as a line may contain them: cut before anything else looks at them, masked, encodable."""

from collections.abc import Callable, Iterable
from contextvars import ContextVar
from functools import lru_cache

from .redaction import redact, redact_target
from .scrubbing import scrub
from .secret_names import MASK, add_names

TEXT_LIMIT = 4_000
# What is read beyond the limit, so that a secret that begins before it is seen to its end.
MARGIN = 256
READ_LIMIT = TEXT_LIMIT + MARGIN
_SHORT = 256

_in_text: ContextVar[bool] = ContextVar("in_text", default=False)


def class_name(value: object) -> str:
    """Return the name of a value's class, whatever its metaclass does."""
    name: str = type.__dict__["__qualname__"].__get__(type(value))
    return name


def to_text(value: object) -> str:
    """Return `str(value)` for any value, however broken its `__str__` is."""
    if type(value) is str:
        return value
    if _in_text.get():
        # A `__str__` that logs the object itself would never end.
        return f"<{class_name(value)}>"
    token = _in_text.set(True)
    try:
        return str.__str__(str(value))
    except Exception:
        return f"<unprintable {class_name(value)}>"
    finally:
        _in_text.reset(token)


class Masked(str):
    """A text that is masked and cut already."""

    __slots__ = ()


def clean(text: str) -> str:
    """Return `text` masked, cut at `TEXT_LIMIT` and without what UTF-8 cannot encode."""
    # Short texts come again and again: messages, paths, user agents.
    return _clean_short(text) if len(text) <= _SHORT else clean_beginning(text)


def clean_target(target: str) -> Masked:
    """Return a path with its query, or a URL, as `clean` does: its parameters are masked by name."""
    return _clean_short_target(target) if len(target) <= _SHORT else _clean_target(target)


def clean_beginning(
    text: str,
    secrets: Iterable[str] = (),
    *,
    length: int = 0,
    mask: Callable[[str], str] = redact,
) -> str:
    """Return what `clean` does of a text that may be the beginning of a longer one.

    Args:
        text: any text; only its beginning is read.
        secrets: known secrets to mask beside those that the text itself names.
        length: the length of what `text` is the beginning of.
        mask: how secrets that the text names are masked.
    """
    length = max(length, len(text))
    shown = encodable(text[:READ_LIMIT])
    shown = mask(scrub(shown, secrets) if secrets else shown)
    if length > READ_LIMIT:
        shown = _without_unfinished(shown)
    if length <= READ_LIMIT and len(shown) <= TEXT_LIMIT:
        return shown
    shown = shown[:TEXT_LIMIT]
    return f"{shown}…[{max(length - len(shown), 1)} characters cut]"


def _clean_target(target: str) -> Masked:
    return Masked(clean_beginning(target, mask=redact_target))


_clean_short = lru_cache(maxsize=256)(clean_beginning)
_clean_short_target = lru_cache(maxsize=256)(_clean_target)


def add_secret_names(names: Iterable[str]) -> None:
    """Make `names` (`iban`, `session_id`) secret, and every name that ends in their words."""
    add_names(names)
    _clean_short.cache_clear()
    _clean_short_target.cache_clear()


def _without_unfinished(text: str) -> str:
    """Return a masked text without its last characters, which may be the beginning of a secret."""
    masked = text.rfind(MASK, max(len(text) - MARGIN, 0))
    return text[: masked + len(MASK)] if masked >= 0 else text[:-MARGIN]


def encodable(text: str) -> str:
    """Return `text` with lone surrogates written as escapes (`\\udc80`)."""
    if text.isascii():
        return text
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def cut(text: str, limit: int) -> str:
    """Return a masked `text`, or its beginning and end around a note of how much is missing."""
    if len(text) <= limit:
        return text
    tail = limit // 4
    return f"{text[: limit - tail]}…[{len(text) - limit} characters cut]…{text[len(text) - tail :]}"
