"""Build events: redacted, with preceding log lines, truncated to the size limit."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import islice
from typing import TYPE_CHECKING, Any, cast

import orjson
from sentry_sdk.utils import json_dumps
from starlette.types import Scope

from ..asgi.request_fields import request_fields
from ..log.jsonable import to_jsonable
from ..log.redaction import redact
from ..log.scrubbing import scrub_values
from ..log.texts import safe_text, truncate
from ..log.tracebacks import secrets_in_frames
from .exceptions import exception_chain, exception_value

if TYPE_CHECKING:
    from loguru import Record
    from sentry_sdk.types import Event

EVENT_LIMIT = 45_000  # bytes
LINES_LIMIT = 16_000  # bytes
# Limits of texts and of lists, applied in turn until the event fits.
_SIZES = ((2_000, 60), (500, 15), (150, 6), (50, 3))

_SAFE_KEYS = (
    "environment",
    "event_id",
    "level",
    "logentry",
    "platform",
    "release",
    "timestamp",
    "transaction",
)
_ALWAYS_KEPT = ("trace", "request_id")  # even if all else is dropped

_LEVELS = {
    "TRACE": "debug",
    "DEBUG": "debug",
    "WARNING": "warning",
    "ERROR": "error",
    "CRITICAL": "fatal",
}
# Log fields that are elsewhere in an event, and personal data.
_NOT_SENT = frozenset(
    {
        "timestamp",
        "level",
        "message",
        "request_id",
        "trace_id",
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
    """Return a message as a template and its values; Sentry groups events by the template."""
    message = truncate(safe_text(message), 1_000)
    values = _VALUE.findall(message)
    if not values:
        return {"message": message}
    return {"message": _VALUE.sub("%s", message.replace("%", "%%")), "params": values}


def fields_of(record: Record) -> dict[str, Any]:
    """Return the fields of a record to send, as in its log line if it has one."""
    line = cast(dict[str, Any], record).get("json")
    fields = orjson.loads(line) if line else to_jsonable(record["extra"])
    return {"message": safe_text(record["message"]), **_sent(fields)}


def _sent(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in _NOT_SENT}


def request_info(scope: Scope) -> dict[str, Any]:
    """Return the method and the redacted path of a request, without its query."""
    path = request_fields(scope)["path_with_query"].partition("?")[0]
    return {"method": scope.get("method", "GET"), "url": redact(path)}


def contexts_in_trace(contexts: dict[str, Any], trace_id: str) -> dict[str, Any]:
    """Return the contexts of an event with the trace of its log line in place of the SDK's own."""
    trace = {**contexts.get("trace", {}), "trace_id": trace_id}
    if sampling := trace.get("dynamic_sampling_context"):
        trace["dynamic_sampling_context"] = {**sampling, "trace_id": trace_id}
    return {**contexts, "trace": trace}


def breadcrumbs(lines: Iterable[bytes]) -> list[dict[str, Any]]:
    """Return the last of `lines` as breadcrumbs, newest last, up to `LINES_LIMIT` bytes."""
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


def complete(event: Event, error: BaseException | None, *, handled: bool) -> Event:
    """Return an event with its exception, redacted and within the size limit."""
    found = exception_chain(error, handled) if error is not None else []
    secrets = {secret for known, _ in found for secret in secrets_in_frames(known)}
    event = redact_event(event, secrets)
    if found:
        values = [
            exception_value(known, mechanism, secrets) for known, mechanism in reversed(found)
        ]
        event["exception"] = {"values": values}
    return _truncate_event(event)


def minimal_event(event: Event) -> Event:
    """Return the harmless parts of an event that could not be completed."""
    parts = cast("dict[str, Any]", event)
    return cast("Event", {name: parts[name] for name in _SAFE_KEYS if name in parts})


def redact_event(event: Event, secrets: set[str] | None = None) -> Event:
    """Return an event redacted like a log line, wherever its parts come from."""
    parts = {name: _redact_part(name, value, secrets or set()) for name, value in event.items()}
    for name in ("release", "server_name"):
        if not parts.get(name):
            parts.pop(name, None)
    return cast("Event", parts)


def _redact_part(name: str, value: Any, secrets: set[str]) -> Any:
    if name == "breadcrumbs":
        return {"values": [_redact_part("breadcrumb", crumb, secrets) for crumb in value["values"]]}
    if name == "spans":
        return [_redact_part("span", span, secrets) for span in value]
    if name == "contexts":
        # The SDK reads the trace from the finished event, so it must exist.
        first = {"trace": value.get("trace", {})}
        return first | {name: _redact_part("context", value[name], secrets) for name in value}
    value = to_jsonable(value)
    return scrub_values(value, secrets) if isinstance(value, dict | list) else value


def redact_nested(event: Event) -> Event:
    """Redact parts before the SDK serializes them, which drops the names in named tuples."""
    parts = cast("dict[str, Any]", event)
    for name in ("contexts", "extra", "user"):
        if name in parts:
            parts[name] = _redact_part(name, parts[name], set())
    return event


def redact_telemetry(telemetry: Any) -> Any:
    """Return a log or measurement of the SDK with redacted attributes."""
    return {**telemetry, "attributes": to_jsonable(telemetry.get("attributes", {}))}


def _truncate_event(event: Event) -> Event:
    """Return an event truncated to `EVENT_LIMIT`; lists keep their last items."""
    parts = cast("dict[str, Any]", event)
    for length, items in _SIZES:
        if len(json_dumps(parts)) <= EVENT_LIMIT:
            return cast("Event", parts)
        parts = {name: _truncate_value(value, length, items) for name, value in parts.items()}
    for name in ("extra", "breadcrumbs", "contexts", "user", "tags"):
        if len(json_dumps(parts)) > EVENT_LIMIT:
            part = parts.pop(name, {})
            parts |= {name: {key: part[key] for key in _ALWAYS_KEPT if key in part}}
    return cast("Event", parts)


def _truncate_value(value: Any, length: int, items: int) -> Any:
    if isinstance(value, str):
        return truncate(value, length)
    if isinstance(value, list):
        return [_truncate_value(item, length, items) for item in value[-items:]]
    if isinstance(value, dict):
        first = islice(value.items(), 16 + items)
        return {
            truncate(name, length): _truncate_value(item, length, items) for name, item in first
        }
    return value
