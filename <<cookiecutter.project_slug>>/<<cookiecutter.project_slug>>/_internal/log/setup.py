"""Start the log and set its options, in any order."""

import os
from collections.abc import Iterable, Mapping

from . import sink
from .capture import capture
from .fields import constant_fields, to_jsonable_field
from .texts import add_secret_names

_has_begun = False
_level = "INFO"
_pygments_style: str | None = None


def init(
    *,
    level: str = "INFO",
    fields: Mapping[str, object] | None = None,
    pygments_style: str | None = None,
) -> None:
    """Send everything that this process logs to standard error as JSON, from now on.

    Args:
        level: the lowest level to write.
        fields: constant fields for every line.
        pygments_style: the colours of lines on a terminal; None leaves lines unchanged.
    """
    configure(level=level, fields=fields or {}, pygments_style=pygments_style)
    begin()


def begin() -> None:
    """Start the log with the current settings; a second call has no effect."""
    global _has_begun
    if not _has_begun:
        _has_begun = True
        # A child process that does not begin the log must not show the values of variables.
        os.environ.setdefault("LOGURU_DIAGNOSE", "NO")
        _apply()


def configure(
    *,
    level: str,
    fields: Mapping[str, object],
    pygments_style: str | None = None,
    secret_names: Iterable[str] = (),
) -> None:
    """Set the options of the log; they apply now if it has started, else when it starts."""
    global _level, _pygments_style
    add_secret_names(secret_names)
    constant = {name: to_jsonable_field(name, value) for name, value in fields.items()}
    constant_fields.update(constant)  # first: no line may lack them
    for name in constant_fields.keys() - constant.keys():
        del constant_fields[name]
    _level, _pygments_style = level, pygments_style
    if _has_begun:
        _apply()


def _apply() -> None:
    sink.install(level=_level, pygments_style=_pygments_style)
    capture(_level)
