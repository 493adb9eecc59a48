"""Write every record as one line of JSON to standard error."""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

from loguru import logger
from loguru._logger import context as loguru_context

from ..platforms import HAS_POLL
from . import fields, loguru_patch
from .blocking_stream import BlockingStream
from .fields import LogEntry
from .formats import DEFAULT_STYLE, LogFormat
from .levels import is_written, level_number, lowest_level
from .lines import dumps
from .stream import Stream
from .texts import class_name, safe_text, to_text
from .timestamps import now, rfc3339
from .tracebacks import format_exception

if TYPE_CHECKING:
    from loguru import Message, Record

_handler_id = 0  # Loguru's default handler, which prints colours and local variables
_log_format: LogFormat | None = "json"
_pygments_style = DEFAULT_STYLE
# The levels of the request log, to avoid Loguru's look-up.
_LEVELS = {name: logger.level(name).no for name in ("DEBUG", "INFO", "ERROR")}


# Called with every line after it is written, in the context of the call; they must not raise.
line_listeners: list[Callable[[bytes], None]] = []


def install(log_format: LogFormat | None, pygments_style: str) -> None:
    """Make this module the destination of Loguru's records, from the level of `set_levels` up.

    Replace only our own handler: a library may have added another.
    """
    global _handler_id, _log_format, _pygments_style
    loguru_patch.patch_loguru()
    with suppress(ValueError):
        logger.remove(_handler_id)
    _log_format, _pygments_style = log_format, pygments_style
    # The filter does all the work because it runs before Loguru takes its lock. Under that lock,
    # a signal handler or a `__del__` that logs would lose its line.
    _handler_id = logger.add(
        _ignore, level=lowest_level(), format="", filter=_write_record, catch=False
    )


def flush() -> None:
    """Wait at most one second for a stalled reader of standard error."""
    _stream.flush(1.0)


def log_line(level: str, message: str, arguments: Mapping[str, object]) -> None:
    """Write a line of the request log, without Loguru where possible.

    Every request pays for this line, and Loguru's part takes longer than the rest of it. So Loguru
    is used only where it makes a difference.
    """
    number = _LEVELS.get(level) or level_number(level)
    if (loguru_patch.listeners and number >= loguru_patch.ERROR) or _is_customised():
        logger.opt(depth=1).log(level, message, **arguments)
    elif is_written((caller := sys._getframe(1)).f_globals.get("__name__"), number):
        source = _source(caller.f_code.co_filename, caller.f_code.co_name, caller.f_lineno)
        entry = LogEntry(now(), level, message, source, arguments)
        _write(_line(entry, {}))


@lru_cache(maxsize=16)
def _source(path: str, function: str, line: int) -> str:
    return f"{os.path.basename(path)}:{function}:{line}"


def _is_customised() -> bool:
    """Return whether Loguru is configured to change records or their destination."""
    core = logger._core  # type: ignore[attr-defined]
    return bool(
        len(core.handlers) != 1
        or _handler_id not in core.handlers
        or core.patcher
        or core.extra
        or core.activation_list
        or loguru_context.get()
    )


def _write_record(record: Record) -> bool:
    """Write the line of `record`, store it in `record["json"]`, return False to skip the sink."""
    if not is_written(record["name"], record["level"].no):
        return False
    source = f"{record['file'].name}:{record['function']}:{record['line']}"
    level, message = record["level"].name, record["message"]
    error = record["exception"].value if record["exception"] else None
    more = {}
    if error is not None and issubclass(type(error), BaseException):
        more["exception"] = _exception_text(error)
    entry = LogEntry(rfc3339(record["time"]), level, message, source, record["extra"])
    line = _line(entry, more)
    cast(dict[str, Any], record)["json"] = line
    _write(line)
    loguru_patch.mark_written()
    return False


def _line(entry: LogEntry, more: Mapping[str, str]) -> bytes:
    """Return the line of an entry, a simpler one if `to_fields` of `logging.py` fails."""
    try:
        line_fields = fields.to_fields(entry)
        return dumps({**line_fields, **more} if more else line_fields)
    except Exception as error:
        problem = f"to_fields: {type(error).__name__}: {to_text(error)}"
        simple = fields.without_request(entry)
        return dumps({**simple, **more, "log_error": safe_text(problem)})


def _exception_text(error: BaseException) -> str:
    try:
        return format_exception(error)
    except Exception:  # its attributes raise
        return f"<unprintable {class_name(error)}>"


def _ignore(message: Message) -> None:
    """Do nothing: Loguru requires a sink."""


def _write(line: bytes) -> None:
    _stream.write(line if _log_format == "json" else _presented(line))
    for listener in line_listeners:
        listener(line)


def _presented(line: bytes) -> bytes:
    try:
        from .terminal import present  # only development needs Pygments

        return present(line, _log_format, _pygments_style)
    except Exception:  # the line matters more than its looks
        return line


def _log_dropped(count: int) -> None:
    logger.warning("log lines dropped: standard error was not read", dropped=count)


_stream = (Stream if HAS_POLL else BlockingStream)(on_dropped=_log_dropped)
atexit.register(flush)
