"""Report log records of failures to Sentry, each failure once.

Every failure ends up as a log record of level ERROR, so events are made from the log. The SDK's
integrations are off: they would report some failures twice, others never, and send personal data.
"""

from __future__ import annotations

import atexit
import logging
import sys
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from fastapi import FastAPI
from loguru import logger

from ..asgi.stack import add_outermost_middleware
from ..context import current_request
from ..log import loguru_patch, sink
from ..reports.route import route_template
from ..upstream import check_mentions, check_names, required
from .reported import LINES, RequestState, is_reported, remember_line, request_state

REQUIREMENT = "sentry-sdk>=2.48,<3"

with required(REQUIREMENT):
    import sentry_sdk.scope
    import sentry_sdk.tracing
    import sentry_sdk.worker
    from sentry_sdk.scope import global_event_processors

    from .before_send import (
        before_send,
        before_send_telemetry,
        before_send_transaction,
        before_serialization,
    )
    from .events import fields_of, logentry
    from .flushing import flush, flush_if_stopped
    from .isolation import IsolationMiddleware

if TYPE_CHECKING:
    from loguru import Record
    from sentry_sdk.types import Event, Hint

_WORKER = "sentry-sdk.BackgroundWorker"
_CRITICAL = logger.level("CRITICAL").no
# Fields that only the line of a request has together.
_REQUEST_LINE = frozenset({"method", "path_with_query", "response_length", "status_code"})


def init_sentry(app: FastAPI, **options: Any) -> None:
    """Report to Sentry from now on; `options` are the SDK's.

    Send no personal data: no addresses, headers, cookies, bodies or queries.
    """
    with required(REQUIREMENT):
        _check_sdk()
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
        before_send=before_send,
        before_send_transaction=before_send_transaction,
        before_send_log=before_send_telemetry,
        before_send_metric=before_send_telemetry,
        **options,
    )
    if before_serialization not in global_event_processors:
        global_event_processors.append(before_serialization)
    if _on_record not in loguru_patch.listeners:
        loguru_patch.listeners.append(_on_record)
        sink.line_listeners.append(remember_line)
        logging.getLogger("urllib3.connectionpool").addFilter(_is_worth_a_line)
        atexit.register(flush)
    traces = options["traces_sample_rate"] is not None
    add_outermost_middleware(app, partial(IsolationMiddleware, traces=traces))


def _check_sdk() -> None:
    """Raise Missing unless the SDK has the names that this package uses."""
    names = ("__slots__", "_type", "fork", "set_new_propagation_context", "set_transaction_name")
    check_names(sentry_sdk.Scope, *names)
    check_names(sentry_sdk.tracing.Span, "set_http_status", "set_tag", "trace_id")
    check_mentions(sentry_sdk.scope, "global_event_processors")
    check_mentions(sentry_sdk.worker, _WORKER)


def _is_worth_a_line(record: logging.LogRecord) -> bool:
    """Return whether to log a urllib3 record: not if it only reports a sent or retried event."""
    if record.threadName != _WORKER:
        return True
    retry = record.args[0] if isinstance(record.args, tuple) and record.args else None
    return record.levelno >= logging.WARNING and not getattr(retry, "total", 0)


def _on_record(record: Record) -> None:
    """Report a record of an error."""
    if record["thread"].name != _WORKER:
        try:
            _report(record, request_state() or RequestState())
        except Exception as error:
            logger.warning("no event could be made", error=error)


def _report(record: Record, known: RequestState) -> None:
    error = record["exception"].value if record["exception"] else None
    if not isinstance(error, BaseException):
        if known.has_event and "status_code" in record["extra"]:
            return  # the response to a failure that already has an event
        # Logged without an exception: the one being handled is still the cause.
        handled = sys.exception()
        error = None if handled is None or is_reported(handled) else handled
    line = cast(dict[str, Any], record).get("json")
    hint: Hint = {"handled": "unhandled" not in record, "line": line}
    if error is not None:
        hint["exc_info"] = (type(error), error, error.__traceback__)
    known.has_event = True
    event: Event = {
        "level": "fatal" if record["level"].no >= _CRITICAL else "error",
        "logentry": _event_message(record),
        "extra": fields_of(record),
    }
    sentry_sdk.capture_event(event, hint)
    flush_if_stopped()


def _event_message(record: Record) -> dict[str, Any]:
    """Return the message; for a request line its method, route and status, to group by."""
    fields, request = record["extra"], current_request.get()
    if request and "unhandled" not in record and fields.keys() >= _REQUEST_LINE:
        route = route_template(request.scope)
        return {"message": f"{fields['method']} {route} answered {fields['status_code']}"}
    return logentry(record["message"])
