"""How a record becomes a line: one JSON object on standard error.

Log with Loguru, values as arguments: `logger.info("paid", amount=12)`. Scripts and workers have this
log too if their first import is `_internal.begin`; `init` begins it with other settings.
"""

from typing import Any

from ._internal.context import current_request, current_trace
from ._internal.context import outbound_headers as outbound_headers
from ._internal.context import request_id as request_id
from ._internal.log.fields import (
    LogEntry,
    add_arguments,
    add_bound_fields,
    basic_fields,
    constant_fields,
    line_format,
    to_jsonable_field,
    unreserved_name,
)
from ._internal.log.setup import init as init
from ._internal.log.sink import log_line as log_line


@line_format
def to_fields(entry: LogEntry) -> dict[str, Any]:
    """Return the fields of a line in their order, as JSON types with secrets masked.

    The log calls this for every record once this module is imported, and adds the text of an
    exception. If it raises, the line has the basic fields and `log_error`.
    """
    fields = basic_fields(entry)  # timestamp, level, message, source
    request = current_request.get()
    if request:
        fields["request_id"] = request.request_id
        if trace := current_trace():
            fields["trace_id"] = trace.trace_id
    add_arguments(fields, entry.arguments)
    if request:
        add_bound_fields(fields, request.fields)
    # Last, because a line that is too long is cut at its end.
    return fields | constant_fields if constant_fields else fields


def bind_request(**fields: object) -> None:
    """Add `fields` to every later line of the current request, its request line too.

    It works wherever the request's context is: in dependencies, endpoints (sync ones too), tasks
    and `asyncio.to_thread`. Outside of a request it does nothing.
    """
    if request := current_request.get():
        for name, value in fields.items():
            request.fields[unreserved_name(name)] = to_jsonable_field(name, value)


def quiet_request() -> None:
    """Log the current request at DEBUG if it succeeds: for probes that come every second."""
    if request := current_request.get():
        request.quiet = True
