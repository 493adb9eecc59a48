"""The SDK's hooks: complete and redact each event, including those of user code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from loguru import logger

from ..context import current_request, current_trace
from ..reports.route import route_template
from .events import (
    breadcrumbs,
    complete,
    contexts_in_trace,
    minimal_event,
    redact_event,
    redact_nested,
    redact_telemetry,
    request_info,
)
from .reported import LINES, is_reported, mark_reported, request_state

if TYPE_CHECKING:
    from sentry_sdk.types import Event, Hint


def before_send(event: Event, hint: Hint) -> Event | None:
    """Return the completed and redacted event; None if its exception was already reported."""
    error = hint["exc_info"][1] if "exc_info" in hint else None
    if error is not None:
        if is_reported(error):
            return None
        mark_reported(error)
    request, known = current_request.get(), request_state()
    if request:
        event["transaction"] = route_template(request.scope)
        event["tags"] = {**event.get("tags", {}), "request_id": request.request_id}
        event["request"] = request_info(request.scope)
        own = cast(dict[str, Any], event.get("breadcrumbs") or {}).get("values", [])
        # Without the line of the event itself.
        lines = [line for line in known.lines if line is not hint.get("line")] if known else []
        event["breadcrumbs"] = {"values": [*own, *breadcrumbs(lines[-LINES:])]}
        if trace := current_trace():
            event["contexts"] = contexts_in_trace(event.get("contexts", {}), trace.trace_id)
    try:
        return complete(event, error, handled=hint.get("handled", True))
    except Exception as problem:
        logger.warning("an event could not be completed", error=problem)
        return minimal_event(event)


def before_send_transaction(event: Event, hint: Hint) -> Event:
    """Return the redacted trace."""
    return redact_event(event)


def before_serialization(event: Event, hint: Hint) -> Event:
    """Redact nested parts of the event while named tuples still have their names."""
    return redact_nested(event)


def before_send_telemetry(telemetry: Any, hint: Hint) -> Any:
    """Return the redacted log or measurement of the SDK."""
    return redact_telemetry(telemetry)
