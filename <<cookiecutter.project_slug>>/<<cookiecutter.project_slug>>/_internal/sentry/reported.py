"""Remember the last log lines of a request and which failures have an event."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from functools import partial

from ..context import current_request

LINES = 30  # of a request, shown in its events
_STATE = "sentry"  # scope key
_REPORTED = "__reported_to_sentry__"  # attribute of exceptions that have an event


@dataclass(slots=True)
class RequestState:
    """The last log lines of a request, and whether it has an event."""

    lines: deque[bytes] = field(default_factory=partial(deque, maxlen=LINES + 1))
    has_event: bool = False


def request_state() -> RequestState | None:
    """Return the `RequestState` of the current request; None outside a request."""
    request = current_request.get()
    if request is None:
        return None
    known: RequestState | None = request.scope.get(_STATE)
    if known is None:
        known = request.scope[_STATE] = RequestState()
    return known


def remember_line(line: bytes) -> None:
    """Keep a line for the events of the current request."""
    if known := request_state():
        known.lines.append(line)


def mark_reported(error: BaseException) -> None:
    """Mark an exception as reported in the current request."""
    vars(error)[_REPORTED] = _request_id()


def is_reported(error: BaseException) -> bool:
    """Return whether an exception was reported, in the current request if there is one.

    Some code raises the same object repeatedly.
    """
    reported_in = vars(error).get(_REPORTED)
    return reported_in is not None and (reported_in in ("", _request_id()) or not _request_id())


def _request_id() -> str:
    request = current_request.get()
    return request.request_id if request else ""
