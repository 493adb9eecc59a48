"""What an event holds: frames with masked values, the lines before it, and no more than fits."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Any, cast

import orjson
from sentry_sdk.utils import filename_for_module, json_dumps
from starlette.types import Scope

from .encoding import plain, scrubbed
from .exchange import describe
from .redaction import redact
from .texts import clean, cut
from .tracebacks import (
    SOURCE_LINES,
    entries,
    frame_info,
    held_secrets,
    is_own,
    message_of,
    shown_entries,
)

if TYPE_CHECKING:
    from types import TracebackType

    from loguru import Record
    from sentry_sdk.types import Event

EVENT_LIMIT = 45_000  # bytes
LINES_LIMIT = 16_000  # bytes
EXCEPTIONS_LIMIT = 10
# Lengths of texts and of lists with which an event is tried, until it fits.
_SIZES = ((2_000, 60), (500, 15), (150, 6), (50, 3))

_HARMLESS = (
    "environment",
    "event_id",
    "level",
    "logentry",
    "platform",
    "release",
    "timestamp",
    "transaction",
)
_KEPT = ("trace", "request_id")  # whatever else has to go

_LEVELS = {
    "TRACE": "debug",
    "DEBUG": "debug",
    "WARNING": "warning",
    "ERROR": "error",
    "CRITICAL": "fatal",
}
# Fields of a line that stand elsewhere in an event, and those that tell of a person.
_NOT_SENT = frozenset(
    {
        "timestamp",
        "level",
        "message",
        "request_id",
        "exception",
        "path_with_query",
        "referer",
        "remote_ip",
        "user_agent",
    }
)
# A word with a digit in it: a number, a time, an id.
_VALUE = re.compile(r"(?<![\w.:+-])[\w.:+-]*\d[\w.:+-]*")


def logentry(message: str) -> dict[str, Any]:
    """Return a message as its constant words and its values, by which Sentry groups events."""
    message = cut(clean(message), 1_000)
    values = _VALUE.findall(message)
    if not values:
        return {"message": message}
    return {"message": _VALUE.sub("%s", message.replace("%", "%%")), "params": values}


def fields_of(record: Record) -> dict[str, Any]:
    """Return what is sent of the fields of a record: as in its line, where it has one."""
    line = cast(dict[str, Any], record).get("json")
    fields = orjson.loads(line) if line else plain(record["extra"])
    return {"message": clean(record["message"]), **_sent(fields)}


def _sent(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in _NOT_SENT}


def request_of(scope: Scope) -> dict[str, Any]:
    """Return the method and the path of a request, and nothing that a client adds to them."""
    path = describe(scope)["path_with_query"].partition("?")[0]
    return {"method": scope.get("method", "GET"), "url": redact(path)}


def breadcrumbs(lines: Iterable[bytes]) -> list[dict[str, Any]]:
    """Return the last of `lines` as breadcrumbs, the newest at the end."""
    crumbs: list[dict[str, Any]] = []
    room = LINES_LIMIT
    for line in reversed([*lines]):
        room -= len(line)
        if room < 0:
            break
        crumbs.insert(0, _breadcrumb(orjson.loads(line)))
    return crumbs


def _breadcrumb(fields: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "default",
        "category": "log",
        "timestamp": fields["timestamp"],
        "level": _LEVELS.get(fields["level"], "info"),
        "message": fields["message"],
        "data": _sent(fields),
    }


# --- Exceptions


def _exceptions(error: BaseException, handled: bool) -> list[tuple[BaseException, dict[str, Any]]]:
    """Return `error` with what led to it and what it consists of, and how each is linked."""
    found: list[tuple[BaseException, dict[str, Any]]]
    found = [(error, {"type": "generic", "handled": handled, "exception_id": 0})]
    for number, (known, mechanism) in enumerate(found):
        if isinstance(known, BaseExceptionGroup):
            mechanism["is_exception_group"] = True
        for source, other in _related(known):
            if len(found) < EXCEPTIONS_LIMIT and all(other is not seen for seen, _ in found):
                link = {"exception_id": len(found), "parent_id": number, "source": source}
                found.append((other, {"type": "chained", **link}))
    return found


def _related(error: BaseException) -> Iterator[tuple[str, BaseException]]:
    if error.__cause__ is not None:
        yield "__cause__", error.__cause__
    elif error.__context__ is not None and not error.__suppress_context__:
        yield "__context__", error.__context__
    if isinstance(error, BaseExceptionGroup):
        for number, member in enumerate(error.exceptions):
            yield f"exceptions[{number}]", member


def _exception(
    error: BaseException, mechanism: dict[str, Any], secrets: set[str]
) -> dict[str, Any]:
    kind = type(error)
    value = {
        "type": kind.__qualname__,
        "module": kind.__module__,
        "value": cut(message_of(error, secrets).partition(": ")[2], 2_000),
        "mechanism": mechanism,
    }
    found = list(entries(error.__traceback__))
    shown = {*shown_entries(found), *found[-1:]}  # where it was raised, too
    if frames := [_frame(entry) for entry in found if entry in shown]:
        value["stacktrace"] = {"frames": frames}
    return cast(dict[str, Any], scrubbed(value, secrets))


def _frame(entry: TracebackType) -> dict[str, Any]:
    code, module = entry.tb_frame.f_code, entry.tb_frame.f_globals.get("__name__")
    frame: dict[str, Any] = {
        "filename": filename_for_module(module, code.co_filename),
        "module": module,
        "function": code.co_name,
        "lineno": entry.tb_lineno,
        "in_app": is_own(code),
    }
    if frame["in_app"]:
        with suppress(Exception):  # a frame that cannot be read must not cost the event
            info = frame_info(entry)
            frame["vars"] = {name: repr(value) for name, value in info.assignments.items()}
            frame |= _source(info, entry.tb_lineno or 0)
    return frame


def _source(info: Any, current: int) -> dict[str, Any]:
    """Return the masked line `current` and those around it."""
    lines = {
        number: cut("".join(text for text, _ in parts).rstrip("\n"), 200)
        for number, parts in info.source_map.items()
        if abs(number - current) <= SOURCE_LINES
    }
    return {
        "pre_context": [line for number, line in lines.items() if number < current],
        "context_line": lines.get(current, ""),
        "post_context": [line for number, line in lines.items() if number > current],
    }


# --- The whole


def complete(event: Event, error: BaseException | None, *, handled: bool) -> Event:
    """Return an event with its exception, masked and short enough."""
    found = _exceptions(error, handled) if error is not None else []
    secrets = {secret for known, _ in found for secret in held_secrets(known)}
    event = masked(event, secrets)
    if found:
        values = [_exception(known, mechanism, secrets) for known, mechanism in reversed(found)]
        event["exception"] = {"values": values}
    return _fitted(event)


def reduced(event: Event) -> Event:
    """Return what is known to be harmless of an event that could not be completed."""
    parts = cast("dict[str, Any]", event)
    return cast("Event", {name: parts[name] for name in _HARMLESS if name in parts})


def masked(event: Event, secrets: set[str] | None = None) -> Event:
    """Return an event by the rule of the log, whoever put its parts into it."""
    parts = {name: _masked(name, value, secrets or set()) for name, value in event.items()}
    for name in ("release", "server_name"):
        if not parts.get(name):
            parts.pop(name, None)
    return cast("Event", parts)


def _masked(name: str, value: Any, secrets: set[str]) -> Any:
    if name == "breadcrumbs":
        return {"values": [_masked("breadcrumb", crumb, secrets) for crumb in value["values"]]}
    if name == "spans":
        return [_masked("span", span, secrets) for span in value]
    if name == "contexts":
        # The SDK itself reads the trace from an event that is ready.
        first = {"trace": value.get("trace", {})}
        return first | {name: _masked("context", value[name], secrets) for name in value}
    value = plain(value)
    return scrubbed(value, secrets) if isinstance(value, dict | list) else value


def with_plain_parts(event: Event) -> Event:
    """Mask what the SDK would serialize: then the names in a named tuple are gone."""
    parts = cast("dict[str, Any]", event)
    for name in ("contexts", "extra", "user"):
        if name in parts:
            parts[name] = _masked(name, parts[name], set())
    return event


def masked_attributes(telemetry: Any) -> Any:
    """Return what the SDK measured or logged without the secrets among its attributes."""
    return {**telemetry, "attributes": plain(telemetry.get("attributes", {}))}


def _fitted(event: Event) -> Event:
    """Return an event with less in it where it is too long; the end of a list matters most."""
    parts = cast("dict[str, Any]", event)
    for length, items in _SIZES:
        if len(json_dumps(parts)) <= EVENT_LIMIT:
            return cast("Event", parts)
        parts = {name: _shrunk(value, length, items) for name, value in parts.items()}
    for name in ("extra", "breadcrumbs", "contexts", "user", "tags"):
        if len(json_dumps(parts)) > EVENT_LIMIT:
            part = parts.pop(name, {})
            parts |= {name: {key: part[key] for key in _KEPT if key in part}}
    return cast("Event", parts)


def _shrunk(value: Any, length: int, items: int) -> Any:
    if isinstance(value, str):
        return cut(value, length)
    if isinstance(value, list):
        return [_shrunk(item, length, items) for item in value[-items:]]
    if isinstance(value, dict):
        first = islice(value.items(), 16 + items)
        return {cut(name, length): _shrunk(item, length, items) for name, item in first}
    return value
