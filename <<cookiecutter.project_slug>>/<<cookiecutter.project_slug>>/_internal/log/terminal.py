"""Lines for the eyes of a developer: `console` is one line a record, `pretty` is indented JSON.

Colours follow https://no-color.org and https://force-color.org.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from importlib import import_module

import orjson
from pygments import format as formatted
from pygments.formatters import NullFormatter

from . import console, pretty
from .formats import LogFormat
from .lines import escaped
from .palette import Tokens, formatter

# Loguru installs it on Windows, where older consoles show colours only if they are told to.
# Elsewhere it may be absent, or too old for this function.
with suppress(ImportError, AttributeError):
    import_module("colorama").just_fix_windows_console()


def present(line: bytes, log_format: LogFormat | None, style: str) -> bytes:
    """Return a line of JSON in another format, in the colours of the Pygments `style`.

    Args:
        log_format: None is `console` on a terminal, else `json`.
    """
    is_terminal = _is_terminal()
    if log_format is None and not is_terminal:
        return line
    tokens = (pretty if log_format == "pretty" else console).tokens(orjson.loads(line))
    chosen = formatter(style) if _is_coloured(is_terminal) else NullFormatter()
    return str(formatted(_harmless(tokens), chosen)).encode()


def _is_terminal() -> bool:
    try:
        return sys.stderr.isatty()
    except Exception:  # it is closed, None, or a replacement that cannot tell
        return False


def _is_coloured(is_terminal: bool) -> bool:
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or (is_terminal and os.environ.get("TERM") != "dumb")


def _harmless(tokens: Tokens) -> Tokens:
    """Escape what a terminal would interpret; line feeds are the formats' own."""
    return ((kind, escaped(text)) for kind, text in tokens)
