"""The trace of a request: of a tracer, or from the header `traceparent` of W3C Trace Context."""

import re

from starlette.types import Scope

from ..context import Trace, current_span

# https://www.w3.org/TR/trace-context/#traceparent-header; later versions may append fields.
_TRACEPARENT = re.compile(
    rb"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})(-.*)?",
    re.DOTALL,
)
_SAMPLED, _RANDOM = 0x01, 0x02  # the flags with a meaning; all others are sent as zero


def request_trace(scope: Scope) -> Trace | None:
    """Return the trace of the current span, otherwise the one that the request came with."""
    return current_span() or given_trace(scope)


def given_trace(scope: Scope) -> Trace | None:
    """Return the trace that the client or a proxy sent; None if missing or invalid."""
    values = [value for name, value in scope["headers"] if name == b"traceparent"]
    match = _TRACEPARENT.fullmatch(values[0]) if len(values) == 1 else None
    if match is None:
        return None
    version, trace_id, flags, more = match.groups()
    if version == b"00":
        if more is not None:
            return None
        known = _SAMPLED | _RANDOM
    else:
        known = _SAMPLED  # all that the specification says of later versions
    return Trace(str(trace_id, "ascii"), int(flags, 16) & known)
