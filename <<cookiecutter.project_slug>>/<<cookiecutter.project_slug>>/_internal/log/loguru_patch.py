"""Patch Loguru so that a log call never raises into its caller.

Loguru formats a message as soon as there are arguments: a brace in client-supplied text raises
KeyError or reads attributes of the arguments. No setting disables this (Delgan/loguru #1395), so
`patch_loguru` wraps the one method that every log call uses. It is private: `pyproject.toml` pins
Loguru's minor version, and `tests/test_logging.py` shows what an update breaks.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar
from functools import partial
from inspect import signature
from typing import TYPE_CHECKING, Any, cast

import loguru._logger
from loguru import logger as loguru_logger
from loguru._logger import Logger

from ..upstream import check_mentions, check_names, check_parameters
from .jsonable import scrubbed_text, to_jsonable
from .known_secrets import find_secrets
from .levels import is_written
from .scrubbing import scrub
from .secret_names import MASK, is_secret
from .texts import READ_LIMIT, to_text

if TYPE_CHECKING:
    from loguru import Record

# `{name}`, `{name!r}`, `{name:.2f}`, `{}` and `{0}`, but not `{{name}}` or `{name.attribute}`.
_PLACEHOLDER = re.compile(
    r"(?<!\{)\{(?P<name>\w*)(?:!(?P<conversion>[rsa]))?(?::(?P<spec>[^{}]*))?\}(?!\})"
)
_PLAIN_TYPES = (str, int, float, bool, type(None))
_CONVERSIONS: dict[str, Callable[[object], str]] = {"r": repr, "s": str, "a": ascii}


ERROR = 40  # as in Loguru and in `logging`
# Called with every record of `ERROR` or higher after it is written, in the context of the call.
# They must not raise. Unlike handlers, they survive `logger.remove()`.
listeners: list[Callable[[Record], None]] = []

# The sink appends to this list when it has written the line of the current log call.
_written: ContextVar[list[bool] | None] = ContextVar("written", default=None)


def mark_written() -> None:
    """Record that the line of the current log call is written."""
    if (written := _written.get()) is not None:
        written.append(True)


def patch_loguru() -> None:
    """Make every call of every Loguru logger safe; idempotent.

    Raises:
        Missing: Loguru has moved a private name that the log needs.
    """
    if Logger._log is not _log:
        _check_loguru()
        Logger._log = _log  # type: ignore[method-assign]


_loguru_log: Any = Logger._log
_LOG_CALLS = ("trace", "debug", "info", "success", "warning", "error", "critical", "log", "catch")
_OPTIONS = ("exception", "depth", "record", "lazy", "colors", "raw", "capture", "patchers", "extra")


def _check_loguru() -> None:
    """Raise Missing unless Loguru has the private names that this package uses."""
    check_parameters(_loguru_log, "self", *[*signature(_log).parameters][1:])
    # The order of the options that `_log` takes apart.
    check_parameters(Logger.__init__, "self", "core", *_OPTIONS)
    for name in _LOG_CALLS:
        check_mentions(loguru._logger, "_log", f"Logger.{name}")
    # What `sink` reads.
    check_names(loguru_logger, "_core")
    core = loguru_logger._core  # type: ignore[attr-defined]
    check_names(core, "activation_list", "extra", "handlers", "min_level", "patcher")
    check_names(loguru._logger.context, "get")


def _log(
    logger: Any,
    level: Any,
    from_decorator: bool,
    options: Any,
    message: Any,
    args: Any,
    kwargs: Any,
) -> None:
    exception, depth, record, lazy, colors, raw, capture, patchers, extra = options
    records: list[Record] = []
    is_final = record or colors or not (args or kwargs)
    if is_final and (args or kwargs):  # Loguru itself formats the message
        patchers = [*patchers, _scrub_message]
    patchers = [*patchers, records.append] if listeners else patchers
    written: list[bool] = []
    token = _written.set(written)
    try:
        if lazy:
            args = [partial(_evaluate, argument) for argument in args]
            kwargs = {name: partial(_evaluate, argument) for name, argument in kwargs.items()}
        if type(message) is not str:
            message = scrubbed_text(message)
        template = message if is_final else _Template(message)
        # This function adds a frame to the stack.
        options = (exception, depth + 1, record, lazy, colors, raw, capture, patchers, extra)
        _loguru_log(logger, level, from_decorator, options, template, args, kwargs)
    except Exception as error:
        if not written:
            _log_failed(logger, options, error, str(message), {"args": args, **kwargs})
    finally:
        _written.reset(token)
    if records and (number := records[-1]["level"].no) >= ERROR:
        for listener in listeners if is_written(records[-1]["name"], number) else ():
            listener(records[-1])


def _log_failed(logger: Any, options: Any, error: Exception, message: str, fields: Any) -> None:
    """Log a call that Loguru rejected (an unknown level, a bad format) as an ERROR."""
    exception, depth, _, _, _, _, _, patchers, extra = options
    # Not `isinstance`: it reads `__class__`, which can lie or raise.
    kept = exception if issubclass(type(exception), BaseException) else None
    # Keep only our own patcher: another one may have failed.
    patchers = patchers[-1:] if listeners else ()
    fields = {**fields, "log_error": f"{type(error).__name__}: {to_text(error)}"}
    for exception in (kept, None) if kept is not None else (None,):
        options = (exception, depth + 1, False, False, False, False, True, patchers, extra)
        with suppress(Exception):  # a custom handler or the exception raises again
            _loguru_log(logger, "ERROR", False, options, _Template(message), (), fields)
        if _written.get():
            break


def _scrub_message(record: Record) -> None:
    secrets = find_secrets(record["extra"]).secrets
    cast(dict[str, Any], record)["message"] = scrub(record["message"], secrets)


def _evaluate(argument: Any) -> Any:
    """Return the value of a lazy argument, or a note of its error."""
    try:
        return argument()
    except Exception as error:
        return f"<{type(error).__name__}: {to_text(error)}>"


class _Template(str):
    """A message whose `format` replaces known placeholders and keeps every other brace."""

    __slots__ = ()

    def format(self, *args: object, **kwargs: object) -> str:
        if "{" not in self:
            return str(self) if not args else f"{self} {_shown(args)}"
        unnamed = iter(range(len(args)))
        used = set()

        def fill(match: re.Match[str]) -> str:
            name = match["name"] or str(next(unnamed, ""))
            if name in kwargs:
                return _formatted(MASK if is_secret(name) else kwargs[name], match)
            if name.isdecimal() and int(name) < len(args):
                used.add(int(name))
                return _formatted(args[int(name)], match)
            return match[0]

        text = _PLACEHOLDER.sub(fill, self)
        rest = tuple(value for index, value in enumerate(args) if index not in used)
        return f"{text} {_shown(rest)}" if rest else text


def _shown(values: tuple[object, ...]) -> str:
    """Return the arguments without a placeholder, so that no logged value is lost."""
    return str(to_jsonable(values))


def _formatted(value: object, match: re.Match[str]) -> str:
    """Return `value` formatted for its placeholder, scrubbed of the secrets that it holds."""
    try:
        return _converted(value, match["conversion"], match["spec"] or "")
    except Exception:
        return scrubbed_text(value)


def _converted(value: object, conversion: str | None, spec: str) -> str:
    if issubclass(type(value), BaseException) and conversion == "r":
        return f"{type(value).__qualname__}({scrubbed_text(value)})"
    if type(value) not in _PLAIN_TYPES and not spec and conversion != "r":
        return scrubbed_text(value)
    if isinstance(value, str | bytes | bytearray):
        value = value[:READ_LIMIT]
    text = format(_CONVERSIONS[conversion](value) if conversion else value, spec)
    return text if type(value) in _PLAIN_TYPES else scrub(text, find_secrets(value).secrets)
