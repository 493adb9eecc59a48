"""Convert any value to JSON types: redact secrets, truncate, never raise.

Texts over `TEXT_LIMIT` characters and containers over `ITEM_LIMIT` items or `DEPTH_LIMIT` levels
are truncated, with a note. A walk ends after `VALUE_LIMIT` values, whatever their shape.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set, ValuesView
from datetime import date, time
from enum import Enum
from itertools import islice
from typing import Any

from fastapi.exceptions import ValidationException
from pydantic import Secret, SecretBytes, SecretStr, ValidationError

from .known_secrets import (
    CONTAINERS,
    ITEM_LIMIT,
    VALUE_LIMIT,
    WITHOUT_PARTS,
    fields_of,
    find_secrets,
    is_pair,
    is_secret_place,
    name_text,
    secret_by_content,
)
from .names import key_text, unused_name
from .numbers import from_numpy, jsonable_integer
from .scrubbing import scrub, scrub_values
from .secret_names import MASK, QUOTING, is_secret
from .texts import READ_LIMIT, class_name, exception_line, safe_prefix, safe_text, to_text

DEPTH_LIMIT = 10
CHARACTER_LIMIT = 32_000  # of all texts of one walk


def to_jsonable(value: object) -> Any:
    """Return `value` as dict, list, str, int, float, bool or None, redacted."""
    return Encoder().to_jsonable(value)


def scrubbed_text(value: object) -> str:
    """Return the text of any value, scrubbed of what it holds under secret names."""
    try:
        return _scrubbed_text(value)
    except Exception:  # even its `__class__` raises
        return to_text(value)


def _scrubbed_text(value: object) -> str:
    if type(value) is str:
        return value
    if isinstance(value, bytes | bytearray):
        return repr(value[:READ_LIMIT])
    if isinstance(value, BaseException):
        return exception_text(value)
    if type(value) in CONTAINERS:
        return str(to_jsonable(value))
    if type(value).__repr__ is object.__repr__ and type(value).__str__ is object.__str__:
        return to_text(value)  # only its class and its address
    return scrub(to_text(value)[:READ_LIMIT], find_secrets(value).secrets)


def exception_text(error: BaseException) -> str:
    """Return the scrubbed text of an exception; for a validation error, its redacted errors."""
    if isinstance(error, ValidationError | ValidationException):
        errors = validation_errors(error.errors(), body=getattr(error, "body", None))
        return f"{len(errors)} validation errors: {errors}"
    if type(error).__str__ in (BaseException.__str__, KeyError.__str__) and error.args:
        return _text_of_arguments(error)
    return scrub(to_text(error)[:READ_LIMIT], find_secrets(error.args, vars(error)).secrets)


def _text_of_arguments(error: BaseException) -> str:
    """Return an exception's arguments as Python formats them, scrubbed."""
    shown = tuple(Shown(argument) for argument in error.args)
    if len(shown) > 1:
        return repr(shown)
    return repr(shown[0]) if isinstance(error, KeyError) else str(shown[0])


class Shown:
    """A value that Python formats as its scrubbed text."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __str__(self) -> str:
        return scrubbed_text(self.value)

    def __repr__(self) -> str:
        text = scrubbed_text(self.value)
        return repr(text[:READ_LIMIT]) if isinstance(self.value, str) else text


def validation_errors(
    errors: Iterable[Mapping[str, Any]], *, body: object = None, with_input: bool = True
) -> list[dict[str, Any]]:
    """Return pydantic's `errors` as JSON types, with secrets masked.

    A validator's message often quotes the value, and the input of a missing field is the whole
    body. So an error of a secret field keeps only its type and location, and every other error is
    scrubbed of the secrets of the body. If the body is too large to search, no error quotes it.

    Args:
        errors: dicts with `type`, `loc`, `msg`, `input` and optionally `ctx`.
        body: the validated value, searched for secrets.
        with_input: whether to keep the inputs.
    """
    errors = list(islice(errors, ITEM_LIMIT))
    secrets, complete = find_secrets(body, [*_hiding_inputs(errors)])
    quoting = QUOTING if not complete else set() if with_input else {"input"}
    kept = [
        {name: value for name, value in error.items() if name not in quoting} for error in errors
    ]
    return list(scrub_values(Encoder().to_jsonable(kept), secrets))


def _hiding_inputs(errors: Iterable[Mapping[str, Any]]) -> Iterator[object]:
    """Yield invalid inputs that can contain secrets, under a name that says whether they are."""
    for error in errors:
        value, is_hidden = error.get("input"), is_secret_place(error.get("loc"))
        if is_hidden or type(value) not in WITHOUT_PARTS:
            yield {"secret" if is_hidden else "input": value}


class Encoder:
    """One walk through a value."""

    def __init__(self) -> None:
        self._values_left = VALUE_LIMIT
        self._characters_left = CHARACTER_LIMIT
        self._parents: list[int] = []

    def to_jsonable(self, value: object) -> Any:
        """Return `value` as JSON types, redacted."""
        if value is None or value is True or value is False:
            return value
        is_text = type(value) is str and self._characters_left >= 0
        try:
            shown = safe_text(value) if is_text else self._scalar(value)  # type: ignore[arg-type]
        except Exception:
            shown = safe_text(to_text(value))
        if type(shown) is str:
            self._characters_left -= len(shown)
        return shown

    def _scalar(self, value: object) -> Any:
        if self._characters_left < 0:
            return f"<not shown: {class_name(value)}>"
        if type(value) in CONTAINERS:
            return self._container(value)
        if isinstance(value, Enum):
            return self.to_jsonable(value.value)
        if isinstance(value, str):
            return safe_text(str.__str__(value))
        if isinstance(value, int):
            return jsonable_integer(int.__index__(value))
        if isinstance(value, float):
            number = float.__float__(value)
            return number if math.isfinite(number) else str(number)
        if isinstance(value, bytes | bytearray | memoryview):
            text = bytes(value[:READ_LIMIT]).decode("utf-8", "backslashreplace")
            return safe_prefix(text, length=len(value))
        if isinstance(value, date | time):
            return value.isoformat()
        if isinstance(value, SecretStr | SecretBytes | Secret):
            return MASK
        if isinstance(value, BaseException):
            return exception_line(type(value).__qualname__, exception_text(value))
        if type(value).__module__ == "numpy":
            return self.to_jsonable(from_numpy(value))
        return self._container(value)

    def _container(self, value: object) -> Any:
        fields = fields_of(value)
        if fields is None and not isinstance(value, Sequence | Set | ValuesView):
            return safe_text(scrubbed_text(value))
        if id(value) in self._parents:
            return f"<cycle: {type(value).__qualname__}>"
        if len(self._parents) >= DEPTH_LIMIT or self._values_left <= 0:
            return f"<not shown: {type(value).__qualname__}>"
        self._parents.append(id(value))
        try:
            return self._list(value) if fields is None else self._dict(fields)
        finally:
            self._parents.pop()

    def _dict(self, fields: Mapping[Any, object]) -> dict[str, Any]:
        secret = secret_by_content(fields)
        result: dict[str, Any] = {}
        for key, value in self._first(fields.items()):
            name = unused_name(key_text(key), result)
            result[name] = MASK if name in secret else self._item(name, value)
        if len(fields) > len(result):
            result["…"] = f"{len(fields) - len(result)} more"
        return result

    def _list(self, values: Any) -> list[Any]:
        items = self._first(values)
        if is_pair(items):
            result = [self.to_jsonable(items[0]), self._item(name_text(items[0]), items[1])]
        else:
            result = [self.to_jsonable(item) for item in items]
        if len(values) > len(items):
            result.append(f"… {len(values) - len(items)} more")
        return result

    def _item(self, name: str, value: object) -> Any:
        if name == "netloc" and isinstance(value, str):  # from `urlsplit`
            return safe_text(f"://{value}")[3:]
        return self.to_jsonable(value) if value is None or not is_secret(name) else MASK

    def _first(self, items: Iterable[Any]) -> list[Any]:
        taken = list(islice(items, min(ITEM_LIMIT, max(self._values_left, 0))))
        self._values_left -= len(taken)
        return taken
