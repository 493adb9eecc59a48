"""Format an exception as text: the service's own frames and their values, redacted.

stackprinter formats the frames. Library frames are folded to a count: they are noise, and reading
their source is what makes a traceback slow.
"""

import traceback
from collections.abc import Iterator
from functools import lru_cache
from inspect import getsourcelines, isclass, ismodule, isroutine
from types import CodeType, TracebackType
from typing import Any

from stackprinter.extraction import FrameInfo
from stackprinter.frame_formatting import FrameFormatter
from stackprinter.source_inspection import annotate

from .fields import to_jsonable_field
from .jsonable import exception_text
from .known_secrets import find_secrets
from .library_code import is_in_app
from .scrubbing import scrub
from .secret_names import MASK
from .source_redaction import redact_source
from .texts import encodable, exception_line, safe_prefix, to_text, truncate

TEXT_LIMIT = 6_000
VALUE_LIMIT = 300
SOURCE_LINES = 4
FRAMES_FIRST, FRAMES_LAST = 2, 8
CHAIN_LIMIT = 5
NOTE_LIMIT = 20

_MISSING = object()


def format_exception(exception: BaseException) -> str:
    """Return `exception` with its causes, notes and groups, truncated at `TEXT_LIMIT`."""
    # All secrets first: those of one frame can be in the message of another exception.
    related = _related(exception, CHAIN_LIMIT)
    secrets = {secret for known in related for secret in secrets_in_frames(known)}
    text = "\n".join(_chain(exception, secrets, CHAIN_LIMIT))
    return truncate(scrub(encodable(text), secrets), TEXT_LIMIT)


def earlier_exception(exception: BaseException) -> BaseException | None:
    """Return the cause or context of an exception, as Python shows it."""
    if exception.__cause__ is not None or exception.__suppress_context__:
        return exception.__cause__
    return exception.__context__


def _related(exception: BaseException, limit: int) -> Iterator[BaseException]:
    """Yield the exceptions to show: this one, its causes and the members of groups."""
    yield exception
    if limit:
        if (earlier := earlier_exception(exception)) is not None:
            yield from _related(earlier, limit - 1)
        if isinstance(exception, BaseExceptionGroup):
            for member in exception.exceptions[:CHAIN_LIMIT]:
                yield from _related(member, limit - 1)


def secrets_in_frames(exception: BaseException) -> Iterator[str]:
    """Yield the secrets in the variables of the service's own frames."""
    for entry in own_frames([*entries(exception.__traceback__)]):
        yield from find_secrets(entry.tb_frame.f_locals).secrets


def _chain(exception: BaseException, secrets: set[str], limit: int) -> Iterator[str]:
    earlier = earlier_exception(exception)
    if earlier is not None and limit:
        yield from _chain(earlier, secrets, limit - 1)
        direct = exception.__cause__ is not None
        yield "\nwhich directly caused:\n" if direct else "\nwhile that was handled, came:\n"
    elif earlier is not None:
        yield "(earlier exceptions not shown)\n"
    yield from _frames(exception.__traceback__)
    yield format_message(exception, secrets)
    if isinstance(exception, BaseExceptionGroup) and limit:
        yield from _members(exception, secrets, limit - 1)


def _members(group: BaseExceptionGroup[Any], secrets: set[str], limit: int) -> Iterator[str]:
    for number, member in enumerate(group.exceptions[:CHAIN_LIMIT], start=1):
        yield f"\n--- {number} of {len(group.exceptions)} in the group ---"
        yield from _chain(member, secrets, limit)


def format_message(exception: BaseException, secrets: set[str]) -> str:
    """Return the redacted type, text and notes of `exception`, each on separate lines."""
    if isinstance(exception, SyntaxError):
        lines = "".join(traceback.format_exception_only(exception))
        text = safe_prefix(lines.rstrip("\n"), secrets)
    else:
        text = exception_line(_name_of(type(exception)), exception_text(exception), secrets)
    notes = getattr(exception, "__notes__", None)
    shown = notes[:NOTE_LIMIT] if isinstance(notes, list | tuple) else ()
    # Not line by line: a secret can span several lines.
    return "\n".join([text, *(safe_prefix(to_text(note), secrets) for note in shown)])


def _name_of(kind: type) -> str:
    module = kind.__module__
    known = module in ("__main__", "builtins")
    return kind.__qualname__ if known else f"{module}.{kind.__qualname__}"


def _frames(tb: TracebackType | None) -> Iterator[str]:
    found = list(entries(tb))
    shown = set(own_frames(found))
    folded = 0
    for entry in found:
        if entry in shown:
            yield from _fold(folded)
            folded = 0
            yield _format_frame(entry)
        else:
            folded += 1
    yield from _fold(folded)
    if found and found[-1] not in shown:
        code = found[-1].tb_frame.f_code
        yield f'File "{code.co_filename}", line {found[-1].tb_lineno}, in {code.co_name}'


def own_frames(found: list[TracebackType]) -> list[TracebackType]:
    """Return the service's own frames; if there are many, only the first and the last."""
    own = [entry for entry in found if is_in_app(entry.tb_frame.f_code)]
    if len(own) <= FRAMES_FIRST + FRAMES_LAST:
        return own
    return own[:FRAMES_FIRST] + own[-FRAMES_LAST:]


def entries(tb: TracebackType | None) -> Iterator[TracebackType]:
    """Yield the frames of a traceback; the last one is that of the `raise`."""
    while tb:
        yield tb
        tb = tb.tb_next


def _fold(count: int) -> Iterator[str]:
    if count:
        yield f"… {count} frame{'s'[: count > 1]} not shown\n"


def _format_frame(entry: TracebackType) -> str:
    formatter = FrameFormatter(
        source_lines=SOURCE_LINES, show_vals="like_source", truncate_vals=VALUE_LIMIT, line_wrap=0
    )
    try:
        return str(formatter(frame_info(entry))).rstrip("\n") + "\n"
    except Exception as error:  # a broken traceback must not lose the line
        code = entry.tb_frame.f_code
        return f'File "{code.co_filename}", line {entry.tb_lineno}, in {code.co_name} ({error!r})\n'


def frame_info(entry: TracebackType) -> FrameInfo:
    """Return the redacted source and values of a frame."""
    code = entry.tb_frame.f_code
    listing = _listing(code, entry.tb_lineno or code.co_firstlineno)
    values = {}
    for name in listing.name2lines:  # the names in the visible lines
        value = _lookup(name, entry)
        if value is not _MISSING and not (isroutine(value) or isclass(value) or ismodule(value)):
            values[name] = _Shown(name, value)
    return listing._replace(assignments=values)


@lru_cache(maxsize=256)
def _listing(code: CodeType, line: int) -> FrameInfo:
    """Return the redacted source around `line` and its names, cached across tracebacks."""
    source, first = _source(code)
    source_map, names_by_line, _, head, line = annotate(source, first, line)
    head = [] if code.co_name.startswith("<") else head
    visible = {*range(line - SOURCE_LINES + 1, line + 1), *head}
    names = {name for number in visible for name in names_by_line.get(number, ())}
    return FrameInfo(
        code.co_filename, code.co_name, line, source_map, head, names_by_line, sorted(names), {}
    )


def _source(code: CodeType) -> tuple[list[str], int]:
    """Return the redacted lines of the function or module, and the number of the first."""
    try:
        lines, first = getsourcelines(code)
    except Exception:  # no file, or a file that has changed
        return [], code.co_firstlineno
    return [f"{line}\n" for line in redact_source("".join(lines)).split("\n")], max(first, 1)


def _lookup(name: str, entry: TracebackType) -> object:
    """Return the value of a local variable or `self.name`, without running a property."""
    first, *attributes = name.split(".")
    value = entry.tb_frame.f_locals.get(first, _MISSING)
    for attribute in attributes:
        value = getattr(value, "__dict__", {}).get(attribute, _MISSING)
    return value


class _Shown:
    """A value of a frame, as stackprinter prints it."""

    def __init__(self, name: str, value: object) -> None:
        shown = to_jsonable_field(name, value)
        is_text = isinstance(value, str | bytes) or not isinstance(shown, str)
        self.text = truncate(repr(shown) if is_text and shown != MASK else str(shown), VALUE_LIMIT)

    def __repr__(self) -> str:
        return self.text
