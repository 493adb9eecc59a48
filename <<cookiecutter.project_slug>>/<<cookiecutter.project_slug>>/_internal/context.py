"""The current request and its trace: set by the middleware, read when a line is written."""

import sys
from contextvars import ContextVar
from dataclasses import dataclass, field
from secrets import token_hex
from typing import NamedTuple

from starlette.types import Scope


class Trace(NamedTuple):
    """A trace that a request belongs to (W3C Trace Context, https://www.w3.org/TR/trace-context/).

    Attributes:
        trace_id: 32 lower-case hexadecimal digits.
        flags: the trace flags that a call to another service passes on.
        span_id: 16 lower-case hexadecimal digits, the span of a tracer; empty without a tracer.
    """

    trace_id: str
    flags: int
    span_id: str = ""


@dataclass(slots=True, eq=False, weakref_slot=True)
class RequestContext:
    """One request: its id, scope, the fields bound to its lines, whether it is quiet, its trace."""

    request_id: str
    scope: Scope = field(default_factory=dict)
    fields: dict[str, object] = field(default_factory=dict)
    quiet: bool = False
    trace: Trace | None = None


current_request: ContextVar[RequestContext | None] = ContextVar("current_request", default=None)


def request_id() -> str:
    """Return the id of the current request; empty outside of a request."""
    request = current_request.get()
    return request.request_id if request else ""


def current_trace() -> Trace | None:
    """Return the trace of the current span, otherwise of the current request."""
    if span := current_span():
        return span
    request = current_request.get()
    return request.trace if request else None


def current_span() -> Trace | None:
    """Return the current span of OpenTelemetry; None if no tracer runs.

    Never import OpenTelemetry: a service that uses it has done so.
    """
    get_context = getattr(sys.modules.get("opentelemetry.context"), "get_current", None)
    if get_context is None or not get_context():  # empty without a tracer: the usual case
        return None
    get_span = getattr(sys.modules.get("opentelemetry.trace"), "get_current_span", None)
    span = get_span and get_span().get_span_context()
    if not span or not span.is_valid:
        return None
    return Trace(f"{span.trace_id:032x}", int(span.trace_flags), f"{span.span_id:016x}")


def outbound_headers() -> dict[str, str]:
    """Return the headers that pass the request id and the trace on to another service.

    X-Request-ID inside a request; `traceparent` if there is a trace, with a new parent id unless a
    tracer has one.
    """
    headers = {}
    if known := request_id():
        headers["X-Request-ID"] = known
    if trace := current_trace():
        parent_id = trace.span_id or token_hex(8)
        headers["traceparent"] = f"00-{trace.trace_id}-{parent_id}-{trace.flags:02x}"
    return headers
