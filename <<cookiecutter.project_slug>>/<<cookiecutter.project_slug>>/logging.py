"""Loguru as the only way out: every record becomes one JSON object on one line of standard error."""

from __future__ import annotations

import atexit
import sys
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from loguru import logger
from loguru._logger import context as loguru_context

from . import safe_calls
from .capture import capture
from .context import current_request
from .encoding import key_text, plain_item, unused_name
from .lines import dumps
from .stream import Stream
from .texts import class_name, clean
from .timestamps import rfc3339
from .tracebacks import format_exception

if TYPE_CHECKING:
    from loguru import Message, Record

# The names of every line. An argument of such a name is kept with an underscore behind it.
RESERVED = frozenset({"timestamp", "level", "message", "source", "request_id", "exception"})

# The names of the lines that the middleware writes.
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

_constant: dict[str, Any] = {}  # LOG_FIELDS
_pygments_style: str | None = None
_handler_id = 0  # Loguru's own first handler, which prints colours and local variables


def init(
    *,
    level: str = "INFO",
    fields: Mapping[str, object] | None = None,
    pygments_style: str | None = None,
) -> None:
    """Send everything that this process logs to standard error as JSON, from now on.

    Args:
        level: the lowest level that is written.
        fields: constant fields of every line.
        pygments_style: how lines are coloured on a terminal; None leaves them as they are.
    """
    global _constant, _handler_id, _pygments_style
    safe_calls.install()
    # Only this handler is replaced: a library may have added one of its own.
    with suppress(ValueError):
        logger.remove(_handler_id)
    _constant = {name: plain_item(name, value) for name, value in (fields or {}).items()}
    _pygments_style = pygments_style
    # All is done by the filter, which comes before Loguru's lock: with that lock a signal handler
    # or a `__del__` that logs would lose its line.
    _handler_id = logger.add(_ignore, level=level, format="", filter=_write_record, catch=False)
    capture(level)


def flush() -> None:
    """Give what waits for a stalled reader of standard error a last second."""
    _stream.flush(1.0)


def is_set_up() -> bool:
    """Tell whether `init` has been called."""
    return _handler_id != 0


def bind_request(**fields: object) -> None:
    """Add `fields` to every later line of the request in progress, its request line too.

    It works wherever the request's context is: in dependencies, endpoints (sync ones too), tasks
    and `asyncio.to_thread`. Outside of a request it does nothing.
    """
    if request := current_request.get():
        for name, value in fields.items():
            request.fields[_free(key_text(name))] = plain_item(name, value)


def quiet_request() -> None:
    """Log the request in progress at DEBUG, should it succeed. For probes that come every second."""
    if request := current_request.get():
        request.quiet = True


# Those of the request log, to spare Loguru's own look-up.
_LEVELS = {name: logger.level(name).no for name in ("DEBUG", "INFO", "ERROR")}


def log_request(level: str, message: str, fields: Mapping[str, object]) -> None:
    """Write a line of the request log, which every request pays for.

    Loguru's own part of a record takes longer than all the rest of the line, so it is only asked
    where it would make a difference.
    """
    if safe_calls.listeners or _is_customised():
        logger.opt(depth=1).log(level, message, **fields)
    elif _LEVELS[level] >= logger._core.min_level:  # type: ignore[attr-defined]
        caller = sys._getframe(1)
        file = caller.f_code.co_filename.rpartition("/")[2]
        source = f"{file}:{caller.f_code.co_name}:{caller.f_lineno}"
        _write(dumps(_fields(datetime.now().astimezone(), level, message, source, fields)))


def _is_customised() -> bool:
    """Return whether Loguru has been told anything that changes records or where they go."""
    core = logger._core  # type: ignore[attr-defined]
    return bool(
        len(core.handlers) != 1
        or _handler_id not in core.handlers
        or core.patcher
        or core.extra
        or core.activation_list
        or loguru_context.get()
    )


def _fields(
    time: datetime, level: str, message: str, source: str, extra: Mapping[str, object]
) -> dict[str, Any]:
    """Return the fields of a line as plain JSON types; none takes the place of another."""
    request = current_request.get()
    fields: dict[str, Any] = {
        "timestamp": rfc3339(time),
        "level": level,
        "message": clean(message),
        "source": source,
    }
    if request:
        fields["request_id"] = request.request_id
    for name, value in extra.items():
        if name in RESERVED or name in fields or name in _constant or not name.isascii():
            name = unused_name(_free(key_text(name)), fields | _constant)
        fields[name] = plain_item(name, value)
    if request and request.fields:
        for name, value in request.fields.items():
            fields[unused_name(name, fields | _constant)] = value
    # Last, because the end of a line that is too long is cut first.
    return fields | _constant if _constant else fields


def _free(name: str) -> str:
    return f"{name}_" if name in RESERVED else name


def _write_record(record: Record) -> bool:
    """Write the line of `record` and keep it beside it; the sink has nothing left to do."""
    source = f"{record['file'].name}:{record['function']}:{record['line']}"
    level, message = record["level"].name, record["message"]
    fields = _fields(record["time"], level, message, source, record["extra"])
    error = record["exception"].value if record["exception"] else None
    if error is not None and issubclass(type(error), BaseException):
        fields["exception"] = _exception_text(error)
    line = dumps(fields)
    cast(dict[str, Any], record)["json"] = line
    _write(line)
    safe_calls.mark_written()
    return False


def _exception_text(error: BaseException) -> str:
    try:
        return format_exception(error)
    except Exception:  # one whose own attributes raise
        return f"<unprintable {class_name(error)}>"


def _ignore(message: Message) -> None:
    """Be the sink that Loguru wants to have."""


def _write(line: bytes) -> None:
    if _pygments_style and sys.stderr.isatty():
        # Production never imports Pygments.
        from .development import colored

        line = colored(line, _pygments_style)
    _stream.write(line)


def _log_dropped(count: int) -> None:
    logger.warning("log lines dropped: standard error was not read", dropped=count)


_stream = Stream(on_dropped=_log_dropped)
atexit.register(flush)
