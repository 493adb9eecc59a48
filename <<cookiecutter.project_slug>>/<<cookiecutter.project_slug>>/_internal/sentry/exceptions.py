"""Convert exceptions to parts of an event."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

from sentry_sdk.utils import filename_for_module

from ..log.library_code import is_in_app
from ..log.scrubbing import scrub_values
from ..log.texts import truncate
from ..log.tracebacks import (
    SOURCE_LINES,
    earlier_exception,
    entries,
    format_message,
    frame_info,
    own_frames,
)

if TYPE_CHECKING:
    from types import TracebackType

EXCEPTIONS_LIMIT = 10


def exception_chain(
    error: BaseException, handled: bool
) -> list[tuple[BaseException, dict[str, Any]]]:
    """Return `error`, its causes and group members, each with the mechanism that links it."""
    found: list[tuple[BaseException, dict[str, Any]]]
    found = [(error, {"type": "generic", "handled": handled, "exception_id": 0})]
    for number, (known, mechanism) in enumerate(found):
        if isinstance(known, BaseExceptionGroup):
            mechanism["is_exception_group"] = True
        for source, other in _related(known):
            if len(found) < EXCEPTIONS_LIMIT and all(other is not seen for seen, _ in found):
                link = {"exception_id": len(found), "parent_id": number, "source": source}
                found.append((other, {"type": "chained", **link}))
    return found


def _related(error: BaseException) -> Iterator[tuple[str, BaseException]]:
    if (earlier := earlier_exception(error)) is not None:
        yield "__cause__" if earlier is error.__cause__ else "__context__", earlier
    if isinstance(error, BaseExceptionGroup):
        for number, member in enumerate(error.exceptions):
            yield f"exceptions[{number}]", member


def exception_value(
    error: BaseException, mechanism: dict[str, Any], secrets: set[str]
) -> dict[str, Any]:
    """Return an exception as a part of an event: its type, text and frames, redacted."""
    kind = type(error)
    value = {
        "type": kind.__qualname__,
        "module": kind.__module__,
        "value": truncate(format_message(error, secrets).partition(": ")[2], 2_000),
        "mechanism": mechanism,
    }
    found = list(entries(error.__traceback__))
    shown = {*own_frames(found), *found[-1:]}  # also where it was raised
    if frames := [_frame(entry) for entry in found if entry in shown]:
        value["stacktrace"] = {"frames": frames}
    return cast(dict[str, Any], scrub_values(value, secrets))


def _frame(entry: TracebackType) -> dict[str, Any]:
    code, module = entry.tb_frame.f_code, entry.tb_frame.f_globals.get("__name__")
    frame: dict[str, Any] = {
        "filename": filename_for_module(module, code.co_filename),
        "module": module,
        "function": code.co_name,
        "lineno": entry.tb_lineno,
        "in_app": is_in_app(code),
    }
    if frame["in_app"]:
        with suppress(Exception):  # an unreadable frame must not prevent the event
            info = frame_info(entry)
            frame["vars"] = {name: repr(value) for name, value in info.assignments.items()}
            frame |= _source(info, entry.tb_lineno or 0)
    return frame


def _source(info: Any, current: int) -> dict[str, Any]:
    """Return the redacted source line `current` and those around it."""
    lines = {
        number: truncate("".join(text for text, _ in parts).rstrip("\n"), 200)
        for number, parts in info.source_map.items()
        if abs(number - current) <= SOURCE_LINES
    }
    return {
        "pre_context": [line for number, line in lines.items() if number < current],
        "context_line": lines.get(current, ""),
        "post_context": [line for number, line in lines.items() if number > current],
    }
