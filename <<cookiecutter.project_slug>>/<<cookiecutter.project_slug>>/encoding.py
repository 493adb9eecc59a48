"""Any value -> plain JSON types -> one line of JSON: nothing raises, nothing secret, nothing too long.

Texts over `TEXT_LIMIT` characters, containers over `ITEM_LIMIT` items or `DEPTH_LIMIT` levels and
lines over `LINE_LIMIT` bytes are cut, and what was cut says so.
"""

import dataclasses
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set, ValuesView
from contextvars import ContextVar
from datetime import date, time
from enum import Enum
from itertools import islice
from typing import Any

import orjson
from pydantic import BaseModel, Secret, SecretBytes, SecretStr

from .redaction import MASK, is_secret, redact, scrub

LINE_LIMIT = 16_000
TEXT_LIMIT = 4_000
ITEM_LIMIT = 100
DEPTH_LIMIT = 10
VALUE_LIMIT = 1_000

# Valid inside JSON, yet a terminal, a browser or a line-based tool acts on them: DEL, C1 controls,
# separators, and the marks that reorder or hide text.
_UNSAFE = re.compile(
    "[\x7f-\x9f\xad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2064\u2066-\u206f\ufeff]"
)
_in_text: ContextVar[bool] = ContextVar("in_text", default=False)
_INTEGERS = range(-(2**63), 2**64)


def plain(value: object) -> Any:
    """Return `value` as dict, list, str, int, float, bool or None, with secrets masked."""
    return Encoder().plain(value)


def plain_item(name: str, value: object) -> Any:
    """Return `value` as `plain` does, or the mask where `name` is secret."""
    if value is None or is_secret(name):
        return None if value is None else MASK
    kind = type(value)
    if kind is str:
        return clean(value)  # type: ignore[arg-type]
    if kind is int and value in _INTEGERS:
        return value
    return Encoder().plain(value)


def to_text(value: object) -> str:
    """Return `str(value)` for any value, however broken its `__str__` is."""
    if _in_text.get():
        # A `__str__` that logs the object itself would never end.
        return f"<{type(value).__qualname__}>"
    token = _in_text.set(True)
    try:
        return str.__str__(str(value))
    except Exception:
        return f"<unprintable {type(value).__qualname__}>"
    finally:
        _in_text.reset(token)


def clean(text: str) -> str:
    """Return `text` masked, cut at `TEXT_LIMIT` and free of what UTF-8 cannot encode."""
    return cut(redact(encodable(text)), TEXT_LIMIT)


def encodable(text: str) -> str:
    """Return `text` with lone surrogates written as escapes (`\\udc80`)."""
    if text.isascii():
        return text
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def cut(text: str, limit: int) -> str:
    """Return `text`, or its beginning and end around a note of how much is missing."""
    if len(text) <= limit:
        return text
    tail = limit // 4
    return f"{text[: limit - tail]}…[{len(text) - limit} characters cut]…{text[len(text) - tail :]}"


def unused_name(name: str, taken: Mapping[str, object]) -> str:
    """Return `name`, with underscores behind it until nothing in `taken` has it."""
    while name in taken:
        name += "_"
    return name


class Encoder:
    """One walk through a value; it ends after `VALUE_LIMIT` values, whatever their shape.

    `secrets` holds the texts that were masked, so that a caller can mask them elsewhere too.
    """

    def __init__(self) -> None:
        self.secrets: set[str] = set()
        self._values_left = VALUE_LIMIT
        self._parents: list[int] = []

    def plain(self, value: object) -> Any:
        """Return `value` as dict, list, str, int, float, bool or None, with secrets masked."""
        if value is None or value is True or value is False:
            return value
        if type(value) is str:
            return clean(value)
        try:
            return self._scalar(value)
        except Exception:
            return clean(to_text(value))

    def _scalar(self, value: object) -> Any:
        if isinstance(value, Enum):
            return self.plain(value.value)
        if isinstance(value, str):
            return clean(str.__str__(value))
        if isinstance(value, int):
            return _integer(int.__index__(value))
        if isinstance(value, float):
            number = float.__float__(value)
            return number if math.isfinite(number) else str(number)
        if isinstance(value, bytes | bytearray | memoryview):
            return clean(bytes(value).decode("utf-8", "backslashreplace"))
        if isinstance(value, date | time):
            return value.isoformat()
        if isinstance(value, SecretStr | SecretBytes | Secret):
            return MASK
        if isinstance(value, BaseException):
            return clean(f"{type(value).__qualname__}: {to_text(value)}")
        if type(value).__module__ == "numpy":
            return self.plain(_from_numpy(value))
        return self._container(value)

    def _container(self, value: object) -> Any:
        fields = _fields(value)
        if fields is None and not isinstance(value, Sequence | Set | ValuesView):
            return clean(self._shown(value))
        if id(value) in self._parents:
            return f"<cycle: {type(value).__qualname__}>"
        if len(self._parents) >= DEPTH_LIMIT or self._values_left <= 0:
            return f"<not shown: {type(value).__qualname__}>"
        self._parents.append(id(value))
        try:
            return self._list(value) if fields is None else self._dict(fields)
        finally:
            self._parents.pop()

    def _shown(self, value: object) -> str:
        """Return the text of an object without what its attributes keep under secret names."""
        attributes = getattr(value, "__dict__", None)
        secrets: set[str] = set()
        if type(attributes) is dict:
            for name, attribute in islice(attributes.items(), ITEM_LIMIT):
                if attribute is not None and is_secret(key_text(name)):
                    secrets.update(_texts(attribute))
        self.secrets |= secrets
        return scrub(to_text(value), secrets)

    def _dict(self, fields: Mapping[Any, object]) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key, value in self._first(fields.items()):
            name = unused_name(key_text(key), result)
            result[name] = self.item(name, value)
        if len(fields) > len(result):
            result["…"] = f"{len(fields) - len(result)} more"
        return result

    def _list(self, values: Any) -> list[Any]:
        items = list(self._first(values))
        if _is_pair(items):
            result = [self.plain(items[0]), self.item(key_text(items[0]), items[1])]
        else:
            result = [self.plain(item) for item in items]
        if len(values) > len(items):
            result.append(f"… {len(values) - len(items)} more")
        return result

    def item(self, name: object, value: object) -> Any:
        """Return plain `value`, or the mask where `name` is secret."""
        if value is None or not is_secret(key_text(name)):
            return self.plain(value)
        self.secrets.update(_texts(value))
        return MASK

    def _first(self, items: Iterable[Any]) -> list[Any]:
        taken = list(islice(items, min(ITEM_LIMIT, max(self._values_left, 0))))
        self._values_left -= len(taken)
        return taken


def _texts(value: object, levels: int = 4) -> Iterator[str]:
    """Yield the texts that a secret consists of."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "backslashreplace")
    if isinstance(value, SecretStr | SecretBytes | Secret):
        yield from _texts(value.get_secret_value())
    elif isinstance(value, str | int | float):
        yield to_text(value)
    elif levels and isinstance(value, Mapping | list | tuple):
        parts = value.values() if isinstance(value, Mapping) else value
        for part in islice(parts, ITEM_LIMIT):
            yield from _texts(part, levels - 1)


def _fields(value: object) -> Mapping[Any, object] | None:
    """Return what an object with named values holds, None where it has no names."""
    if isinstance(value, Mapping):
        return value
    if isinstance(value, BaseModel):
        return {**value.__dict__, **(value.__pydantic_extra__ or {})}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = [field.name for field in dataclasses.fields(value)]
        return {name: getattr(value, name) for name in fields if hasattr(value, name)}
    if isinstance(value, tuple) and (names := getattr(value, "_fields", None)):
        return dict(zip(names, value, strict=True))
    return None


def _integer(value: int) -> int | str:
    """Return `value`, as text where it is beyond the 64 bits that orjson writes."""
    if value in _INTEGERS:
        return value
    # Python refuses to write integers of more than 4,300 digits in decimal.
    return cut(str(value) if value.bit_length() < 10_000 else hex(value), TEXT_LIMIT)


def _from_numpy(value: Any) -> object:
    """Return a numpy scalar or array as Python's own objects, a large array as its short text."""
    return value.tolist() if value.size <= ITEM_LIMIT else str(value)


def key_text(key: object) -> str:
    """Return a mapping's key as text that JSON can hold."""
    if isinstance(key, bytes):
        key = key.decode("utf-8", "backslashreplace")
    text = encodable(key if type(key) is str else to_text(key))
    return text if len(text) <= 128 else cut(text, 128)


def _is_pair(items: list[Any]) -> bool:
    """Tell whether these could be a header: a name and its value."""
    return len(items) == 2 and isinstance(items[0], str | bytes)


def dumps(fields: dict[str, Any]) -> bytes:
    """Return plain `fields` as one line of JSON with its line feed, at most `LINE_LIMIT` bytes."""
    line = _dumps(fields)
    for limit in (2_000, 500, 100):
        if len(line) <= LINE_LIMIT:
            return line
        line = _dumps(_shrink(fields, limit))
    return line if len(line) <= LINE_LIMIT else _dumps(_first_fields(fields))


def _dumps(fields: dict[str, Any]) -> bytes:
    line = orjson.dumps(fields, option=orjson.OPT_APPEND_NEWLINE)
    if line.isascii() and b"\x7f" not in line:
        return line
    escaped = _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", line.decode("utf-8"))
    return escaped.encode("utf-8")


def _shrink(value: Any, limit: int) -> Any:
    """Return plain `value` with texts of at most `limit` characters and fewer items in its lists."""
    if isinstance(value, str):
        return cut(value, limit)
    if isinstance(value, list):
        kept = [_shrink(item, limit) for item in value[: limit // 20]]
        return [*kept, f"… {len(value) - len(kept)} more"] if len(value) > len(kept) else kept
    if isinstance(value, dict):
        return {cut(key, limit): _shrink(item, limit) for key, item in value.items()}
    return value


def _first_fields(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the first fields, those of every line among them, with next to nothing in them."""
    few = {
        cut(name, 32): f"<cut: {type(value).__name__}>"
        if isinstance(value, list | dict)
        else _shrink(value, 32)
        for name, value in islice(fields.items(), 24)
    }
    return few | {"…": f"{len(fields) - len(few)} more"}
