"""Colours of lines on a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from textwrap import indent
from typing import Any

from pygments.formatter import Formatter
from pygments.formatters import Terminal256Formatter
from pygments.style import Style
from pygments.styles import get_style_by_name
from pygments.token import Comment, Keyword, Name, Number, String, Token

from .formats import DEFAULT_STYLE

Tokens = Iterator[tuple[Any, str]]  # Pygments' token types, and texts

LEVEL = Token.Level
# Of the 256 colours of terminals, those with a contrast of at least 4.5 : 1 against both black and
# white (WCAG 2.2, success criterion 1.4.3), or with their own background. Pygments 2.19 does not
# know them all.
_GREEN, _BLUE, _VIOLET, _MAGENTA, _GRAY = "#00875f", "#5f5fff", "#875fd7", "#d700af", "#767676"
_LEVELS = {
    "TRACE": _GRAY,
    "DEBUG": _GRAY,
    "INFO": _GREEN,
    "SUCCESS": f"{_GREEN} bold",
    "WARNING": "#00005f bg:#ffaf00",
    "ERROR": "#ffffd7 bg:#d70000 bold",
    "CRITICAL": "#ffffd7 bg:#af0087 bold",
}
_DARK_OR_LIGHT = {
    Comment: _GRAY,
    Keyword.Constant: _MAGENTA,
    Name.Tag: _BLUE,
    Number: _VIOLET,
    String: _GREEN,
}


def level_token(level: str) -> Any:
    """Return the token type of a level's name."""
    return getattr(LEVEL, level) if level in _LEVELS else LEVEL


def below(exception: str) -> str:
    """Return a traceback as lines that cannot be mistaken for records."""
    return indent(exception.strip("\n"), "  ") + "\n"


@lru_cache(maxsize=1)
def formatter(style: str) -> Formatter[str]:
    """Return a formatter for a style, which knows the levels too.

    Args:
        style: `DEFAULT_STYLE` or the name of a Pygments style.

    Raises:
        pygments.util.ClassNotFound: there is no such style.
    """
    is_default = style == DEFAULT_STYLE
    base: Any = Style if is_default else get_style_by_name(style)
    colours = _DARK_OR_LIGHT if is_default else base.styles
    levels = {level_token(level): colour for level, colour in _LEVELS.items()}
    with_levels = {"styles": {**colours, LEVEL: _BLUE, **levels}}
    return Terminal256Formatter(style=type("LineStyle", (base,), with_levels))
