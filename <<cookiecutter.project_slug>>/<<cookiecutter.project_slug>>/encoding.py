"""Any value -> plain JSON types: nothing raises, nothing secret, nothing too long.

Texts over `TEXT_LIMIT` characters, containers over `ITEM_LIMIT` items or `DEPTH_LIMIT` levels are cut,
and what was cut says so. A walk ends after `VALUE_LIMIT` values, whatever their shape.
"""

import math
from collections.abc import Iterable, Mapping, Sequence, Set, ValuesView
from datetime import date, time
from enum import Enum
from itertools import islice
from typing import Any

from fastapi.exceptions import ValidationException
from pydantic import Secret, SecretBytes, SecretStr, ValidationError

from .known_secrets import (
    ITEM_LIMIT,
    VALUE_LIMIT,
    fields_of,
    find_secrets,
    is_pair,
    is_secret_place,
    name_text,
    secret_by_content,
)
from .scrubbing import scrub
from .secret_names import MASK, is_secret
from .texts import READ_LIMIT, Masked, class_name, clean, clean_beginning, cut, encodable, to_text

DEPTH_LIMIT = 10
CHARACTER_LIMIT = 32_000  # of all texts in one walk
NAME_LIMIT = 128

_INTEGERS = range(-(2**63), 2**64)
_DIGITS = 4_300  # Python refuses to write more of them in decimal
_BUILT_IN = (dict, list, tuple, set, frozenset)


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
    if kind is Masked:
        return value
    if kind is int and value in _INTEGERS:
        return value
    return Encoder().plain(value)


def masked_text(value: object) -> str:
    """Return the text of any value, without the secrets that it holds under secret names."""
    try:
        return _masked_text(value)
    except Exception:  # not even its class can be asked for
        return to_text(value)


def _masked_text(value: object) -> str:
    if type(value) is str:
        return value
    if isinstance(value, bytes | bytearray):
        return repr(value[:READ_LIMIT])
    if isinstance(value, BaseException):
        return exception_text(value)
    if type(value) in _BUILT_IN:
        return str(plain(value))
    if type(value).__repr__ is object.__repr__ and type(value).__str__ is object.__str__:
        return to_text(value)  # nothing but its class and its address
    return scrub(to_text(value)[:READ_LIMIT], find_secrets(value).secrets)


def exception_text(error: BaseException) -> str:
    """Return `str(error)` cut at `READ_LIMIT`; of a validation error its masked errors."""
    if isinstance(error, ValidationError | ValidationException):
        errors = plain_errors(error.errors(), body=getattr(error, "body", None))
        return f"{len(errors)} validation errors: {errors}"
    if type(error).__str__ in (BaseException.__str__, KeyError.__str__) and error.args:
        return _text_of_arguments(error)
    return scrub(to_text(error)[:READ_LIMIT], find_secrets(error.args, vars(error)).secrets)


def described(kind: str, text: str, secrets: Iterable[str] = ()) -> str:
    """Return the masked text of an exception behind the name of its class."""
    beginning = f"{kind}: {text[:READ_LIMIT]}" if text else kind
    return clean_beginning(beginning, secrets, length=len(kind) + 2 + len(text))


def _text_of_arguments(error: BaseException) -> str:
    """Return what Python itself makes of the arguments of an exception, of long ones the beginning."""
    shown = tuple(Shown(argument) for argument in error.args)
    if len(shown) > 1:
        return repr(shown)
    return repr(shown[0]) if isinstance(error, KeyError) else str(shown[0])


class Shown:
    """A value whose text is bounded and masked, inside of a text that Python makes."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __str__(self) -> str:
        return masked_text(self.value)

    def __repr__(self) -> str:
        text = masked_text(self.value)
        return repr(text[:READ_LIMIT]) if isinstance(self.value, str) else text


def plain_errors(
    errors: Iterable[Mapping[str, Any]], *, body: object = None, with_input: bool = True
) -> list[dict[str, Any]]:
    """Return pydantic's `errors` as plain JSON types, with secrets masked.

    The message of a validator often quotes the value, and the input of a missing field is the whole
    body. So an error of a secret field keeps its type and place only, and the secrets of the body
    are masked in every other error too. Of a body that is too large to be searched, nothing is quoted.

    Args:
        errors: dictionaries with `type`, `loc`, `msg`, `input` and perhaps `ctx`.
        body: what was validated, searched for secrets.
        with_input: whether the inputs are kept.
    """
    errors = list(islice(errors, ITEM_LIMIT))
    secrets, complete = find_secrets(body, [_input(error) for error in errors])
    quoting = {"msg", "input", "ctx"} if not complete else set() if with_input else {"input"}
    kept = [
        {name: value for name, value in error.items() if name not in quoting} for error in errors
    ]
    return list(scrubbed(Encoder().plain(kept), secrets))


def _input(error: Mapping[str, Any]) -> object:
    """Return what did not validate, under a name that says whether it is secret."""
    return {"secret" if is_secret_place(error.get("loc")) else "input": error.get("input")}


def scrubbed(value: Any, secrets: set[str]) -> Any:
    """Return plain `value` without secrets that were met elsewhere."""
    if not secrets:
        return value
    if isinstance(value, str):
        return scrub(value, secrets)
    if isinstance(value, list):
        return [scrubbed(item, secrets) for item in value]
    if isinstance(value, dict):
        return {name: scrubbed(item, secrets) for name, item in value.items()}
    return value


def unused_name(name: str, taken: Mapping[str, object]) -> str:
    """Return `name`, with underscores behind it until nothing in `taken` has it."""
    while name in taken:
        name += "_"
    return name


def key_text(key: object) -> str:
    """Return a mapping's key as text that JSON can hold."""
    if isinstance(key, bytes):
        key = key[:READ_LIMIT].decode("utf-8", "backslashreplace")
    text = key if type(key) is str else to_text(key)
    if len(text) > NAME_LIMIT:
        text = cut(text, NAME_LIMIT)
    return encodable(text)


class Encoder:
    """One walk through a value."""

    def __init__(self) -> None:
        self._values_left = VALUE_LIMIT
        self._characters_left = CHARACTER_LIMIT
        self._parents: list[int] = []

    def plain(self, value: object) -> Any:
        """Return `value` as dict, list, str, int, float, bool or None, with secrets masked."""
        if value is None or value is True or value is False:
            return value
        try:
            shown = self._scalar(value)
        except Exception:
            shown = clean(to_text(value))
        if type(shown) is str:
            self._characters_left -= len(shown)
        return shown

    def _scalar(self, value: object) -> Any:
        if self._characters_left < 0:
            return f"<not shown: {class_name(value)}>"
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
            text = bytes(value[:READ_LIMIT]).decode("utf-8", "backslashreplace")
            return clean_beginning(text, length=len(value))
        if isinstance(value, date | time):
            return value.isoformat()
        if isinstance(value, SecretStr | SecretBytes | Secret):
            return MASK
        if isinstance(value, BaseException):
            return described(type(value).__qualname__, exception_text(value))
        if type(value).__module__ == "numpy":
            return self.plain(_from_numpy(value))
        return self._container(value)

    def _container(self, value: object) -> Any:
        fields = fields_of(value)
        if fields is None and not isinstance(value, Sequence | Set | ValuesView):
            return clean(masked_text(value))
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
            result = [self.plain(items[0]), self._item(name_text(items[0]), items[1])]
        else:
            result = [self.plain(item) for item in items]
        if len(values) > len(items):
            result.append(f"… {len(values) - len(items)} more")
        return result

    def _item(self, name: str, value: object) -> Any:
        if name == "netloc" and isinstance(value, str):  # of a URL that was split
            return clean(f"://{value}")[3:]
        return self.plain(value) if value is None or not is_secret(name) else MASK

    def _first(self, items: Iterable[Any]) -> list[Any]:
        taken = list(islice(items, min(ITEM_LIMIT, max(self._values_left, 0))))
        self._values_left -= len(taken)
        return taken


def _integer(value: int) -> int | str:
    """Return `value`, as text where it is beyond the 64 bits that orjson writes."""
    if value in _INTEGERS:
        return value
    bits = value.bit_length()
    if bits < 3 * _DIGITS:
        return str(value)
    return f"{hex(value >> (bits - 256))}…[an integer of {bits} bits]"


def _from_numpy(value: Any) -> object:
    """Return a numpy scalar or array as Python's own objects, a large array as its short text."""
    return value.tolist() if value.size <= ITEM_LIMIT else str(value)
