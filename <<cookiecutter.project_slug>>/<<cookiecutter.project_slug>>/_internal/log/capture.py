"""Route everything that bypasses Loguru into it: `logging`, warnings, uncaught exceptions."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import warnings
from contextvars import Context
from pathlib import PurePath
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, TextIO, cast

from loguru import logger

from .jsonable import scrubbed_text
from .record_messages import record_message
from .texts import to_text

if TYPE_CHECKING:
    from loguru import Logger, Record

# The attributes of every standard-library record; all others come from `extra=`. uvicorn repeats
# its message in `color_message`.
_ADDED = {"message", "asctime", "taskName", "color_message"}
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | _ADDED


def capture() -> None:
    """Send `logging` records, warnings and uncaught exceptions to Loguru."""
    # Not a root handler: `basicConfig(force=True)` and `dictConfig` remove those.
    logging.Logger.callHandlers = _call_handlers  # type: ignore[method-assign]
    warnings.showwarning = _show_warning
    sys.excepthook = _log_uncaught
    _previous.setdefault("thread", threading.excepthook)
    _previous.setdefault("unraisable", sys.unraisablehook)
    threading.excepthook = _log_uncaught_in_thread
    sys.unraisablehook = _log_unraisable


def _call_handlers(self: logging.Logger, record: logging.LogRecord) -> None:
    """Pass a record to the log once, and to every handler that does not print to the console.

    A record that such a handler would print is logged even if it does not propagate to the root.
    """
    is_ours = has_handlers = False
    source: logging.Logger | None = self
    while source is not None:
        has_handlers = has_handlers or bool(source.handlers)
        for handler in source.handlers:
            if record.levelno < handler.level:
                continue
            if _prints(handler):
                is_ours = is_ours or bool(handler.filter(record))
            else:
                handler.handle(record)
        if not source.propagate:
            break
        source = source.parent
    is_lost = not has_handlers and record.levelno >= logging.WARNING  # Python would print it
    if is_ours or source is None or is_lost:
        _intercept.emit(record)


def _prints(handler: logging.Handler) -> bool:
    """Return whether a handler writes to standard error, standard output or the log."""
    if isinstance(handler, InterceptHandler):
        return True
    # A FileHandler has no stream until it opens its file.
    stream = handler.stream if isinstance(handler, logging.StreamHandler) else None
    consoles = (sys.stderr, sys.stdout, sys.__stderr__, sys.__stdout__)
    return stream is not None and any(stream is console for console in consoles)


# The hooks of test runners and debuggers are still called. Python's own would print.
_previous: dict[str, Any] = {}
_DEFAULT_HOOKS = (threading.__excepthook__, sys.__unraisablehook__)


class InterceptHandler(logging.Handler):
    """Pass a `logging` record to Loguru, with its own caller as the source."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            message = record_message(record)
        except Exception:  # the format does not match its arguments
            message = f"{scrubbed_text(record.msg)} {scrubbed_text(record.args)}"
        fields = {name: value for name, value in vars(record).items() if name not in _STANDARD}
        error = record.exc_info[1] if len(record.exc_info or ()) > 1 else None  # type: ignore[index]
        source = _source(record.pathname, record.funcName, record.lineno, record.name)
        source.opt(exception=error).bind(**fields).log(_level(record), message)


_intercept = InterceptHandler()


def _level(record: logging.LogRecord) -> str | int:
    try:
        return logger.level(record.levelname).name
    except ValueError:  # a custom level, or one without a name
        return max(record.levelno, 0)


def _source(path: str, function: str | None, line: int | None, name: str | None) -> Logger:
    """Return a logger whose records have this place as their source, and this logger's name."""

    def move(record: Record) -> None:
        file: Any = type(record["file"])
        record["file"] = file(PurePath(path).name, path)
        record["function"] = function or "<module>"
        record["line"] = line or 0
        record["name"] = name

    return logger.patch(move)


def _without_name(record: Record) -> None:
    record["name"] = None


def _raised_by(error: BaseException | None) -> Logger:
    """Return a logger whose records have the line that raised `error` as their source.

    They have no name, so that LOG_LEVELS does not silence a failure.
    """
    tb = error.__traceback__ if error else None
    while tb and tb.tb_next:
        tb = tb.tb_next
    if tb is None:
        return logger.opt(exception=error).patch(_without_name)
    code = tb.tb_frame.f_code
    return _source(code.co_filename, code.co_name, tb.tb_lineno, None).opt(exception=error)


def _log_uncaught(
    kind: type[BaseException], error: BaseException, tb: TracebackType | None
) -> None:
    _raised_by(error).patch(mark_unhandled).error("uncaught exception")


def _log_uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_type is not SystemExit:
        thread = args.thread.name if args.thread else ""
        log = _raised_by(args.exc_value).bind(thread=thread).patch(mark_unhandled)
        log.error("uncaught exception in a thread")
    if _previous["thread"] not in _DEFAULT_HOOKS:
        _previous["thread"](args)


def _log_unraisable(unraisable: sys.UnraisableHookArgs) -> None:
    message = unraisable.err_msg or "Exception ignored in"
    _raised_by(unraisable.exc_value).bind(object=unraisable.object).error(message)
    if _previous["unraisable"] not in _DEFAULT_HOOKS:
        _previous["unraisable"](unraisable)


def mark_unhandled(record: Record) -> None:
    """Mark the record of an exception that the service did not handle; a Loguru patcher."""
    cast(dict[str, Any], record)["unhandled"] = True


class AlreadyLogged(Exception):
    """Base class of exceptions that `log_loop_error` ignores."""


def log_loop_error(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log an error that asyncio could not deliver; an event loop's exception handler.

    The line has the request id under which the task was created (Python 3.12 or newer). The id of
    the current request would be wrong.
    """
    if isinstance(context.get("exception"), AlreadyLogged):
        return
    lost = context.get("task") or context.get("future") or context.get("handle")
    get_context = getattr(lost, "get_context", Context)
    inside = get_context().copy()
    inside.run(_raised_by(context.get("exception")).error, context["message"])


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    text = f"{category.__name__}: {to_text(message)}"
    if file is not None:
        file.write(warnings.formatwarning(to_text(message), category, filename, lineno, line))
        return
    _source(filename, _function_at(filename, lineno), lineno, "py.warnings").warning(text)


def _function_at(path: str, line: int) -> str | None:
    """Return the name of the function on the stack that is at this line."""
    frame: FrameType | None = sys._getframe()
    while frame:
        if frame.f_lineno == line and frame.f_code.co_filename == path:
            return frame.f_code.co_name
        frame = frame.f_back
    return None
