"""Start the log and set its options, in any order."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from . import sink
from .capture import capture
from .fields import constant_fields, to_jsonable_field
from .formats import DEFAULT_STYLE, LogFormat
from .levels import set_levels
from .texts import add_secret_names


@dataclass(frozen=True)
class Options:
    """Options of the log, which are arguments of `init`."""

    level: str = "INFO"
    levels: Mapping[str, str] = field(default_factory=dict)
    log_format: LogFormat | None = "json"
    pygments_style: str = DEFAULT_STYLE


_has_begun = False
_options = Options()


def init(
    *,
    level: str = "INFO",
    levels: Mapping[str, str] | None = None,
    fields: Mapping[str, object] | None = None,
    log_format: LogFormat | None = "json",
    pygments_style: str = DEFAULT_STYLE,
) -> None:
    """Send everything that this process logs to standard error, from now on.

    Importing `config` sets these options anew, from the environment: call it after that.

    Args:
        level: the lowest level to write.
        levels: the lowest level of single loggers, such as `{"httpx": "WARNING"}`.
        fields: constant fields for every line.
        log_format: `json`, `pretty` or `console`; None is `console` on a terminal, else `json`.
        pygments_style: the colours of `pretty` and `console`.
    """
    configure(Options(level, levels or {}, log_format, pygments_style), fields=fields or {})
    begin()


def begin() -> None:
    """Start the log with the current options; a second call has no effect."""
    global _has_begun
    if not _has_begun:
        _has_begun = True
        # A child process that does not begin the log must not show the values of variables.
        os.environ.setdefault("LOGURU_DIAGNOSE", "NO")
        _apply()


def configure(
    options: Options, *, fields: Mapping[str, object], secret_names: Iterable[str] = ()
) -> None:
    """Set the options of the log; they apply now if it has started, else when it starts."""
    global _options
    add_secret_names(secret_names)
    constant = {name: to_jsonable_field(name, value) for name, value in fields.items()}
    constant_fields.update(constant)  # first: no line may lack them
    for name in constant_fields.keys() - constant.keys():
        del constant_fields[name]
    _options = options
    if _has_begun:
        _apply()


def _apply() -> None:
    set_levels(_options.level, _options.levels)
    sink.install(_options.log_format, _options.pygments_style)
    capture()
