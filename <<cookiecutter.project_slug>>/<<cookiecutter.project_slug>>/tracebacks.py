"""An exception -> the text under `exception`: the user's own frames with their values, masked.

The frames are laid out by stackprinter. Frames of libraries are folded to a count: they are noise,
and reading their source is what makes a traceback slow.
"""

import traceback
from collections.abc import Iterator
from functools import lru_cache
from inspect import getsourcelines, isclass, ismodule, isroutine
from pathlib import Path
from types import CodeType, TracebackType
from typing import Any

from stackprinter.extraction import FrameInfo
from stackprinter.frame_formatting import FrameFormatter
from stackprinter.source_inspection import annotate

from .encoding import described, exception_text, plain_item
from .known_secrets import find_secrets
from .own_code import is_library_file
from .scrubbing import scrub
from .secret_names import MASK
from .source_masking import mask_source
from .texts import clean_beginning, cut, encodable, to_text

TEXT_LIMIT = 6_000
VALUE_LIMIT = 300
SOURCE_LINES = 4
FRAMES_FIRST, FRAMES_LAST = 2, 8
CHAIN_LIMIT = 5
NOTE_LIMIT = 20

_PACKAGE = Path(__file__).parent
# This package's own frames around the application; they are in every traceback.
_PLUMBING = frozenset(
    str(_PACKAGE / f"{name}.py")
    for name in ("exchange", "in_flight", "middleware", "server", "websocket_exchange")
)

_MISSING = object()


def format_exception(exception: BaseException) -> str:
    """Return `exception` as text: causes, notes and groups included, cut at `TEXT_LIMIT`."""
    # First all secrets: those of one frame can be in the message of another exception.
    related = _related(exception, CHAIN_LIMIT)
    secrets = {secret for known in related for secret in held_secrets(known)}
    text = "\n".join(_chain(exception, secrets, CHAIN_LIMIT))
    return cut(scrub(encodable(text), secrets), TEXT_LIMIT)


def _earlier(exception: BaseException) -> BaseException | None:
    """Return the exception that led to this one, as Python would show it."""
    if exception.__cause__ is not None or exception.__suppress_context__:
        return exception.__cause__
    return exception.__context__


def _related(exception: BaseException, limit: int) -> Iterator[BaseException]:
    """Yield what will be shown: the exception, its causes and the members of groups."""
    yield exception
    if limit:
        if (earlier := _earlier(exception)) is not None:
            yield from _related(earlier, limit - 1)
        if isinstance(exception, BaseExceptionGroup):
            for member in exception.exceptions[:CHAIN_LIMIT]:
                yield from _related(member, limit - 1)


def held_secrets(exception: BaseException) -> Iterator[str]:
    """Yield the secrets in the variables of an exception's own frames."""
    for entry in shown_entries([*entries(exception.__traceback__)]):
        yield from find_secrets(entry.tb_frame.f_locals).secrets


def _chain(exception: BaseException, secrets: set[str], limit: int) -> Iterator[str]:
    earlier = _earlier(exception)
    if earlier is not None and limit:
        yield from _chain(earlier, secrets, limit - 1)
        direct = exception.__cause__ is not None
        yield "\nwhich directly caused:\n" if direct else "\nwhile that was handled, came:\n"
    elif earlier is not None:
        yield "(earlier exceptions not shown)\n"
    yield from _frames(exception.__traceback__)
    yield message_of(exception, secrets)
    if isinstance(exception, BaseExceptionGroup) and limit:
        yield from _members(exception, secrets, limit - 1)


def _members(group: BaseExceptionGroup[Any], secrets: set[str], limit: int) -> Iterator[str]:
    for number, member in enumerate(group.exceptions[:CHAIN_LIMIT], start=1):
        yield f"\n--- {number} of {len(group.exceptions)} in the group ---"
        yield from _chain(member, secrets, limit)


def message_of(exception: BaseException, secrets: set[str]) -> str:
    """Return the masked type, text and notes of `exception`, each note on lines of its own."""
    if isinstance(exception, SyntaxError):
        lines = "".join(traceback.format_exception_only(exception))
        text = clean_beginning(lines.rstrip("\n"), secrets)
    else:
        text = described(_name_of(type(exception)), exception_text(exception), secrets)
    notes = getattr(exception, "__notes__", None)
    shown = notes[:NOTE_LIMIT] if isinstance(notes, list | tuple) else ()
    # As a whole: a secret can have several lines.
    return "\n".join([text, *(clean_beginning(to_text(note), secrets) for note in shown)])


def _name_of(kind: type) -> str:
    module = kind.__module__
    known = module in ("__main__", "builtins")
    return kind.__qualname__ if known else f"{module}.{kind.__qualname__}"


def _frames(tb: TracebackType | None) -> Iterator[str]:
    found = list(entries(tb))
    shown = set(shown_entries(found))
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


def shown_entries(found: list[TracebackType]) -> list[TracebackType]:
    """Return the frames of the user's code, of very many the first and the last."""
    own = [entry for entry in found if is_own(entry.tb_frame.f_code)]
    if len(own) <= FRAMES_FIRST + FRAMES_LAST:
        return own
    return own[:FRAMES_FIRST] + own[-FRAMES_LAST:]


def entries(tb: TracebackType | None) -> Iterator[TracebackType]:
    """Yield the frames of a traceback, that of the `raise` last."""
    while tb:
        yield tb
        tb = tb.tb_next


def _fold(count: int) -> Iterator[str]:
    if count:
        yield f"… {count} frame{'s'[: count > 1]} not shown\n"


def is_own(code: CodeType) -> bool:
    """Tell the user's code from that of libraries and from this package's own plumbing."""
    name = code.co_filename
    if name.startswith(str(_PACKAGE)):
        return name not in _PLUMBING
    return not is_library_file(name)


def _format_frame(entry: TracebackType) -> str:
    formatter = FrameFormatter(
        source_lines=SOURCE_LINES, show_vals="like_source", truncate_vals=VALUE_LIMIT, line_wrap=0
    )
    try:
        return str(formatter(frame_info(entry))).rstrip("\n") + "\n"
    except Exception as error:  # a broken traceback must not cost the line
        code = entry.tb_frame.f_code
        return f'File "{code.co_filename}", line {entry.tb_lineno}, in {code.co_name} ({error!r})\n'


def frame_info(entry: TracebackType) -> FrameInfo:
    """Return the masked source and values of a frame."""
    code = entry.tb_frame.f_code
    listing = _listing(code, entry.tb_lineno or code.co_firstlineno)
    values = {}
    for name in listing.name2lines:  # those of the visible lines
        value = _lookup(name, entry)
        if value is not _MISSING and not (isroutine(value) or isclass(value) or ismodule(value)):
            values[name] = _Shown(name, value)
    return listing._replace(assignments=values)


@lru_cache(maxsize=256)
def _listing(code: CodeType, line: int) -> FrameInfo:
    """Return the masked source around `line` and its names: the same for every such traceback."""
    source, first = _source(code)
    source_map, names_by_line, _, head, line = annotate(source, first, line)
    head = [] if code.co_name.startswith("<") else head
    visible = {*range(line - SOURCE_LINES + 1, line + 1), *head}
    names = {name for number in visible for name in names_by_line.get(number, ())}
    return FrameInfo(
        code.co_filename, code.co_name, line, source_map, head, names_by_line, sorted(names), {}
    )


def _source(code: CodeType) -> tuple[list[str], int]:
    """Return the masked lines of the function, or of the file for a module, and the first's number."""
    try:
        lines, first = getsourcelines(code)
    except Exception:  # no file, or a file that has changed since
        return [], code.co_firstlineno
    return [f"{line}\n" for line in mask_source("".join(lines)).split("\n")], max(first, 1)


def _lookup(name: str, entry: TracebackType) -> object:
    """Return the value of a local variable, that of `self.name` too, without running any property."""
    first, *attributes = name.split(".")
    value = entry.tb_frame.f_locals.get(first, _MISSING)
    for attribute in attributes:
        value = getattr(value, "__dict__", {}).get(attribute, _MISSING)
    return value


class _Shown:
    """A value of a frame as stackprinter is to print it."""

    def __init__(self, name: str, value: object) -> None:
        shown = plain_item(name, value)
        is_text = isinstance(value, str | bytes) or not isinstance(shown, str)
        self.text = cut(repr(shown) if is_text and shown != MASK else str(shown), VALUE_LIMIT)

    def __repr__(self) -> str:
        return self.text
