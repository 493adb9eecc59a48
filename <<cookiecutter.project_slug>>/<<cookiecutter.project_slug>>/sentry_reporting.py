"""From a record of the log to an event at Sentry: which, how often, and sent before the end.

Every failure ends up as a record of level ERROR, whoever noticed it. So the log is where events
come from, and none of the SDK's integrations is needed: they would report some failures twice,
others never, and send what nobody asked them to.
"""

from __future__ import annotations

import atexit
import logging
import sys
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any, cast
from weakref import WeakKeyDictionary

import sentry_sdk
from fastapi import FastAPI
from loguru import logger
from sentry_sdk.scope import global_event_processors
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from . import safe_calls
from .context import RequestContext, current_request
from .route import UNMATCHED, route_template
from .sentry_events import (
    breadcrumbs,
    complete,
    fields_of,
    logentry,
    masked,
    masked_attributes,
    reduced,
    request_of,
    with_plain_parts,
)

if TYPE_CHECKING:
    from loguru import Record
    from sentry_sdk.types import Event, Hint

LINES = 30  # of a request that its events show
FLUSH_SECONDS = 1.0  # in all, however often it is tried
_TOLD = "__told_to_sentry__"  # an attribute of exceptions that have an event
_WORKER = "sentry-sdk.BackgroundWorker"
_ERROR = logger.level("ERROR").no
_CRITICAL = logger.level("CRITICAL").no
# Messages of records that tell what nobody has caught.
_UNHANDLED = frozenset(
    {
        "exception after response",
        "log websocket",
        "startup failed",
        "uncaught exception",
        "uncaught exception in a thread",
        "unhandled exception",
    }
)


def start(app: FastAPI, **options: Any) -> None:
    """Report to Sentry from now on; `options` are the SDK's.

    Nothing personal is sent: neither addresses nor headers, cookies, bodies or queries.
    """
    sentry_sdk.init(
        default_integrations=False,
        auto_enabling_integrations=False,
        auto_session_tracking=False,
        send_client_reports=False,
        include_local_variables=False,
        include_source_context=False,
        max_request_body_size="never",
        max_breadcrumbs=LINES,
        server_name="",
        before_send=_before_send,
        before_send_transaction=_before_send_transaction,
        before_send_log=_before_send_telemetry,
        before_send_metric=_before_send_telemetry,
        **options,
    )
    if _before_serialization not in global_event_processors:
        global_event_processors.append(_before_serialization)
    if _listen not in safe_calls.listeners:
        safe_calls.listeners.append(_listen)
        logging.getLogger("urllib3.connectionpool").addFilter(_is_worth_a_line)
        atexit.register(flush)
    _surround(app, traces=options["traces_sample_rate"] is not None)


def _is_worth_a_line(record: logging.LogRecord) -> bool:
    """Tell whether a record of urllib3 is more than that an event was sent or is tried again."""
    if record.threadName != _WORKER:
        return True
    retry = record.args[0] if isinstance(record.args, tuple) and record.args else None
    return record.levelno >= logging.WARNING and not getattr(retry, "total", 0)


# --- Which failures


@dataclass(slots=True)
class _Kept:
    """What is remembered of a request: its last lines, and whether it has an event."""

    lines: deque[bytes] = field(default_factory=lambda: deque(maxlen=LINES))
    has_event: bool = False


_kept: WeakKeyDictionary[RequestContext, _Kept] = WeakKeyDictionary()


def _listen(record: Record) -> None:
    """Report a record of an error, and remember the line for the events of its request."""
    request = current_request.get()
    kept = _kept.get(request) if request else None
    if request and kept is None:
        kept = _kept[request] = _Kept()
    if record["level"].no >= _ERROR and record["thread"].name != _WORKER:
        try:
            _report(record, kept or _Kept())
        except Exception as error:
            logger.warning("no event could be made", error=error)
    if kept and (line := cast(dict[str, Any], record).get("json")):
        kept.lines.append(line)


def _report(record: Record, kept: _Kept) -> None:
    error = record["exception"].value if record["exception"] else None
    if not isinstance(error, BaseException):
        if kept.has_event and "status_code" in record["extra"]:
            return  # this is how the failure was answered that the event tells of
        # Logged without the exception that is being handled: it is what went wrong all the same.
        handled = sys.exception()
        error = None if handled is None or _is_told(handled) else handled
    hint: Hint = {"handled": record["message"] not in _UNHANDLED}
    if error is not None:
        hint["exc_info"] = (type(error), error, error.__traceback__)
    kept.has_event = True
    event: Event = {
        "level": "fatal" if record["level"].no >= _CRITICAL else "error",
        "logentry": _logentry(record),
        "extra": fields_of(record),
    }
    sentry_sdk.capture_event(event, hint)
    if _stopped:
        flush()


def _logentry(record: Record) -> dict[str, Any]:
    """Return the message, that of a request line as something that it is found by."""
    fields, request = record["extra"], current_request.get()
    if request and record["message"] == "log request" and "status_code" in fields:
        route = route_template(request.scope)
        return {"message": f"{fields.get('method')} {route} answered {fields['status_code']}"}
    return logentry(record["message"])


def _is_told(error: BaseException) -> bool:
    """Tell whether there is an event of this exception, of this request where it was in one.

    Some code raises the same object again and again.
    """
    told_in = vars(error).get(_TOLD)
    return told_in is not None and (told_in in ("", _request_id()) or not _request_id())


def _request_id() -> str:
    request = current_request.get()
    return request.request_id if request else ""


# --- What is sent


def _before_send(event: Event, hint: Hint) -> Event | None:
    """Complete and mask an event, the user's own ones too; None where it would be a second one."""
    error = hint["exc_info"][1] if "exc_info" in hint else None
    if error is not None:
        if _is_told(error):
            return None
        vars(error)[_TOLD] = _request_id()
    request = current_request.get()
    if request:
        event["transaction"] = route_template(request.scope)
        event["tags"] = {**event.get("tags", {}), "request_id": request.request_id}
        event["request"] = request_of(request.scope)
        lines = _kept[request].lines if request in _kept else ()
        own = cast(dict[str, Any], event.get("breadcrumbs") or {}).get("values", [])
        event["breadcrumbs"] = {"values": [*own, *breadcrumbs(lines)]}
    try:
        return complete(event, error, handled=hint.get("handled", True))
    except Exception as problem:
        logger.warning("an event could not be completed", error=problem)
        return reduced(event)


def _before_send_transaction(event: Event, hint: Hint) -> Event:
    return masked(event)


def _before_serialization(event: Event, hint: Hint) -> Event:
    return with_plain_parts(event)


def _before_send_telemetry(telemetry: Any, hint: Hint) -> Any:
    return masked_attributes(telemetry)


# --- Around the application


def _surround(app: FastAPI, *, traces: bool) -> None:
    """Put `Isolation` outside of all that the application is built of."""
    build = app.build_middleware_stack
    surrounded = partial(_surrounded, build, traces)
    app.build_middleware_stack = surrounded  # type: ignore[method-assign]


def _surrounded(build: Callable[[], ASGIApp], traces: bool) -> ASGIApp:
    return Isolation(build(), traces=traces)


class Isolation:
    """ASGI middleware: what user code tells the SDK of a request is of no other request.

    It is where a request is traced, too, and where the end of the service is noticed.
    """

    def __init__(self, app: ASGIApp, *, traces: bool) -> None:
        self.app = app
        self.traces = traces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(scope, receive, send)
            return
        with sentry_sdk.isolation_scope() as isolated:
            isolated.set_new_propagation_context()
            if self.traces and scope["type"] == "http":
                await self._traced(scope, receive, send)
            else:
                await self.app(scope, receive, send)

    async def _traced(self, scope: Scope, receive: Receive, send: Send) -> None:
        # A client's own trace is not continued: with it, anybody could turn the sampling on.
        with sentry_sdk.start_transaction(op="http.server", name=UNMATCHED) as trace:

            async def send_noted(message: Message) -> None:
                if message["type"] == "http.response.start":
                    trace.set_http_status(message["status"])
                    trace.set_tag("request_id", dict(message["headers"])[b"x-request-id"].decode())
                await send(message)

            try:
                await self.app(scope, receive, send_noted)
            finally:
                name = route_template(scope)
                sentry_sdk.get_current_scope().set_transaction_name(name, source="route")

    async def _lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        global _stopped
        _stopped = False
        try:
            await self.app(scope, receive, send)
        finally:
            # What fails from here on may be followed by the end of the process at once.
            _stopped = True
            flush()


# --- Before the end

_stopped = False
_seconds_left = FLUSH_SECONDS


def flush() -> None:
    """Wait until all events are sent, at most `FLUSH_SECONDS` in the life of the process."""
    global _seconds_left
    began = monotonic()
    sentry_sdk.flush(timeout=_seconds_left)
    _seconds_left = max(0.0, _seconds_left - (monotonic() - began))
