"""What does not speak Loguru: the standard library's logging, warnings, and what nobody caught."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import warnings
from contextvars import Context
from pathlib import PurePath
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, TextIO

from loguru import logger

from .encoding import to_text

if TYPE_CHECKING:
    from loguru import Logger, Record

# What every record of the standard library has; anything else came as `extra=`.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def capture(level: str) -> None:
    """Send the standard library's records from `level` on, and what nobody caught, to Loguru."""
    root = logging.getLogger()
    root.setLevel(logger.level(level).no)
    # A plain StreamHandler would write the same record a second time, as text.
    for handler in [*root.handlers]:
        if isinstance(handler, InterceptHandler) or type(handler) is logging.StreamHandler:
            root.removeHandler(handler)
    root.addHandler(InterceptHandler())
    # Their DEBUG is noise, and that of hpack (HTTP/2) shows the value of every header.
    for name in ("asyncio", "hpack"):
        logging.getLogger(name).setLevel(max(root.level, logging.INFO))
    warnings.showwarning = _show_warning
    sys.excepthook = _log_uncaught
    _previous.setdefault("thread", threading.excepthook)
    _previous.setdefault("unraisable", sys.unraisablehook)
    threading.excepthook = _log_uncaught_in_thread
    sys.unraisablehook = _log_unraisable


# Test runners and debuggers hook in here too: they still hear of it. Python's own would print.
_previous: dict[str, Any] = {}
_PYTHONS_OWN = (threading.__excepthook__, sys.__unraisablehook__)


class InterceptHandler(logging.Handler):
    """Hand a record of the standard library to Loguru, with its own caller as the source."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            message = record.getMessage()
        except Exception:  # a format that does not fit its arguments
            message = f"{to_text(record.msg)} {to_text(record.args)}"
        fields = {name: value for name, value in vars(record).items() if name not in _STANDARD}
        error = record.exc_info[1] if record.exc_info else None
        source = _source(record.pathname, record.funcName, record.lineno)
        source.opt(exception=error).bind(**fields).log(_level(record), message)


def _level(record: logging.LogRecord) -> str | int:
    try:
        return logger.level(record.levelname).name
    except ValueError:  # a level of the user's own, or one without a name
        return max(record.levelno, 0)


def _source(path: str, function: str | None, line: int | None) -> Logger:
    """Return a logger whose records come from this place."""

    def move(record: Record) -> None:
        file: Any = type(record["file"])
        record["file"] = file(PurePath(path).name, path)
        record["function"] = function or "<module>"
        record["line"] = line or 0

    return logger.patch(move)


def _raised_by(error: BaseException | None) -> Logger:
    """Return a logger whose records come from where `error` was raised."""
    tb = error.__traceback__ if error else None
    while tb and tb.tb_next:
        tb = tb.tb_next
    if tb is None:
        return logger.opt(exception=error)
    code = tb.tb_frame.f_code
    return _source(code.co_filename, code.co_name, tb.tb_lineno).opt(exception=error)


def _log_uncaught(
    kind: type[BaseException], error: BaseException, tb: TracebackType | None
) -> None:
    _raised_by(error).error("uncaught exception")


def _log_uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_type is not SystemExit:
        thread = args.thread.name if args.thread else ""
        _raised_by(args.exc_value).bind(thread=thread).error("uncaught exception in a thread")
    if _previous["thread"] not in _PYTHONS_OWN:
        _previous["thread"](args)


def _log_unraisable(unraisable: sys.UnraisableHookArgs) -> None:
    message = unraisable.err_msg or "Exception ignored in"
    _raised_by(unraisable.exc_value).bind(object=unraisable.object).error(message)
    if _previous["unraisable"] not in _PYTHONS_OWN:
        _previous["unraisable"](unraisable)


def log_lost(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log what asyncio could not hand to anybody: an event loop's exception handler.

    What was lost keeps the request id that it was made under (Python 3.12 or newer). The id of the
    request that happens to be in progress would be wrong.
    """
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
    text = f"{category.__name__}: {message}"
    if file is not None:
        file.write(warnings.formatwarning(message, category, filename, lineno, line))
        return
    _source(filename, _function_at(filename, lineno), lineno).warning(text)


def _function_at(path: str, line: int) -> str | None:
    """Return the name of the function in progress that is at this line."""
    frame: FrameType | None = sys._getframe()
    while frame:
        if frame.f_lineno == line and frame.f_code.co_filename == path:
            return frame.f_code.co_name
        frame = frame.f_back
    return None
