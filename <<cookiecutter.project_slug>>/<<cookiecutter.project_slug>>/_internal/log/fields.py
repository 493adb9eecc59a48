"""The fields of a line: their reserved names, and how to build them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any, NamedTuple

from .jsonable import to_jsonable
from .names import key_text, unused_name
from .numbers import JSON_INTEGERS
from .secret_names import MASK, is_secret
from .texts import Redacted, safe_text

# The fields of every line. An argument with such a name gets an underscore appended.
RESERVED = frozenset(
    {"timestamp", "level", "message", "source", "request_id", "trace_id", "exception"}
)

# The fields of the request log.
REQUEST_FIELDS = frozenset(
    {
        "close_code",
        "completed",
        "disconnected",
        "elapsed",
        "method",
        "path_with_query",
        "protocol",
        "referer",
        "remote_ip",
        "response_length",
        "schema",
        "status_code",
        "user_agent",
    }
)

constant_fields: dict[str, Any] = {}  # LOG_FIELDS, as JSON types


class LogEntry(NamedTuple):
    """The content of one line.

    Attributes:
        timestamp: the time in RFC 3339 format.
        source: `file:function:line` of the caller.
        arguments: the keyword arguments of the log call.
    """

    timestamp: str
    level: str
    message: str
    source: str
    arguments: Mapping[str, object]


LineFormat = Callable[[LogEntry], dict[str, Any]]


def basic_fields(entry: LogEntry) -> dict[str, Any]:
    """Return `timestamp`, `level`, `message` and `source`."""
    return {
        "timestamp": entry.timestamp,
        "level": entry.level,
        "message": safe_text(entry.message),
        "source": entry.source,
    }


def to_jsonable_field(name: str, value: object) -> Any:
    """Return `value` as `to_jsonable` does, or `***` if `name` is secret."""
    if value is None or is_secret(name):
        return None if value is None else MASK
    kind = type(value)
    if kind is str:
        return safe_text(value)  # type: ignore[arg-type]
    if kind is Redacted or kind is bool:
        return value
    if (kind is int and value in JSON_INTEGERS) or (kind is float and isfinite(value)):  # type: ignore[arg-type]
        return value
    return to_jsonable(value)


class SafeFields(dict[str, Any]):
    """Fields for `log_line` whose values need no other look as long as none is changed.

    Args:
        fields: JSON types, redacted; no names of `RESERVED`.
    """

    __slots__ = ("_given",)

    def __init__(self, fields: dict[str, Any]) -> None:
        super().__init__(fields)
        self._given = fields

    def are_final(self) -> bool:
        """Return whether they can stand in a line as they are."""
        return (
            self == self._given
            and constant_fields.keys().isdisjoint(self)
            and not any(map(is_secret, self))
        )


def add_arguments(fields: dict[str, Any], arguments: Mapping[str, object]) -> None:
    """Add keyword arguments as JSON types, redacted; never replace another field."""
    if type(arguments) is SafeFields and arguments.are_final():
        fields |= arguments
        return
    for name, value in arguments.items():
        if name in RESERVED or name in fields or name in constant_fields or not name.isascii():
            name = unused_name(unreserved_name(name), fields | constant_fields)
        fields[name] = to_jsonable_field(name, value)


def add_bound_fields(fields: dict[str, Any], bound: Mapping[str, Any]) -> None:
    """Add fields that are already JSON types; never replace another field."""
    for name, value in bound.items():
        fields[unused_name(name, fields | constant_fields)] = value


def unreserved_name(name: str) -> str:
    """Return `name` as valid JSON text, with an underscore appended if it is reserved."""
    name = key_text(name)
    return f"{name}_" if name in RESERVED else name


def without_request(entry: LogEntry) -> dict[str, Any]:
    """Return the fields of a line that belongs to no request."""
    fields = basic_fields(entry)
    add_arguments(fields, entry.arguments)
    return fields | constant_fields


# `logging.py` replaces it on import. Earlier lines have no request.
to_fields: LineFormat = without_request


def line_format(function: LineFormat) -> LineFormat:
    """Use `function` to build the fields of each line; a decorator."""
    global to_fields
    to_fields = function
    return function
