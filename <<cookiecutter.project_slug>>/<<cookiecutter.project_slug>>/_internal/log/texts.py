"""Make text safe for a line: truncate it before anything else, redact it, escape it."""

from collections.abc import Callable, Iterable
from contextvars import ContextVar

from .cache import Cache
from .redaction import redact, redact_target
from .scrubbing import scrub
from .secret_names import MASK, add_names

TEXT_LIMIT = 4_000
# Characters read beyond the limit, so that a secret that crosses it is found whole.
MARGIN = 256
READ_LIMIT = TEXT_LIMIT + MARGIN

_in_text: ContextVar[bool] = ContextVar("in_text", default=False)


def class_name(value: object) -> str:
    """Return the name of a value's class, whatever its metaclass does."""
    name: str = type.__dict__["__qualname__"].__get__(type(value))
    return name


def to_text(value: object) -> str:
    """Return `str(value)`, or a note if its `__str__` is broken."""
    if type(value) is str:
        return value
    if _in_text.get():
        # A `__str__` that logs its own object would recurse without end.
        return f"<{class_name(value)}>"
    token = _in_text.set(True)
    try:
        return str.__str__(str(value))
    except Exception:
        return f"<unprintable {class_name(value)}>"
    finally:
        _in_text.reset(token)


class Redacted(str):
    """Text that is already redacted and truncated."""

    __slots__ = ()


def safe_prefix(
    text: str,
    secrets: Iterable[str] = (),
    *,
    length: int = 0,
    redactor: Callable[[str], str] = redact,
) -> str:
    """Return `text` redacted, truncated at `TEXT_LIMIT` and encodable as UTF-8.

    It may be the beginning of a longer text.

    Args:
        text: any text; only the first `READ_LIMIT` characters are read.
        secrets: known secrets to scrub first.
        length: the length of the longer text, if there is one.
        redactor: redacts `text` by its secret names.
    """
    length = max(length, len(text))
    shown = encodable(text[:READ_LIMIT])
    shown = redactor(scrub(shown, secrets) if secrets else shown)
    if length > READ_LIMIT:
        shown = _without_unfinished(shown)
    if length <= READ_LIMIT and len(shown) <= TEXT_LIMIT:
        return shown
    shown = shown[:TEXT_LIMIT]
    return f"{shown}…[{max(length - len(shown), 1)} characters cut]"


def exception_line(kind: str, text: str, secrets: Iterable[str] = ()) -> str:
    """Return `kind: text`, redacted, scrubbed of `secrets` and truncated."""
    beginning = f"{kind}: {text[:READ_LIMIT]}" if text else kind
    return safe_prefix(beginning, secrets, length=len(kind) + 2 + len(text))


def _safe_target(target: str) -> Redacted:
    """Return a path with its query, or a URL, redacted by its parameters' names."""
    return Redacted(safe_prefix(target, redactor=redact_target))


# Messages, paths and user agents repeat.
_texts = Cache(safe_prefix, length=256, entries=256)
_targets = Cache(_safe_target, length=256, entries=256)
safe_text, safe_target = _texts.__getitem__, _targets.__getitem__


def add_secret_names(names: Iterable[str]) -> None:
    """Make `names` (`iban`, `session_id`) and every name that ends in their words secret."""
    add_names(names)
    _texts.clear()
    _targets.clear()


def _without_unfinished(text: str) -> str:
    """Return redacted text without its last characters, which may begin a secret."""
    masked = text.rfind(MASK, max(len(text) - MARGIN, 0))
    return text[: masked + len(MASK)] if masked >= 0 else text[:-MARGIN]


def encodable(text: str) -> str:
    """Return `text` with lone surrogates escaped (`\\udc80`)."""
    if text.isascii():
        return text
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def truncate(text: str, limit: int) -> str:
    """Return redacted `text`, or its beginning and end around a note of how much is cut."""
    if len(text) <= limit:
        return text
    tail = limit // 4
    return f"{text[: limit - tail]}…[{len(text) - limit} characters cut]…{text[len(text) - tail :]}"
