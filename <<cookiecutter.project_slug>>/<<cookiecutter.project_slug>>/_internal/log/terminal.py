"""Colour lines for a terminal in development."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import orjson
from pygments import highlight
from pygments.formatter import Formatter
from pygments.formatters import Terminal256Formatter
from pygments.lexers import JsonLexer

_LEXER = JsonLexer()


def colored(line: bytes, style: str) -> bytes:
    """Return a line of JSON, indented, in the colours of the Pygments `style`.

    A multi-line text, such as a traceback, becomes a list of lines: readable, and still JSON.
    """
    fields = {name: _split(value) for name, value in orjson.loads(line).items()}
    text = orjson.dumps(fields, option=orjson.OPT_INDENT_2).decode()
    return str(highlight(text, _LEXER, _formatter(style))).encode()


def _split(value: Any) -> Any:
    return value.splitlines() if isinstance(value, str) and "\n" in value.strip() else value


@lru_cache(maxsize=1)
def _formatter(style: str) -> Formatter[str]:
    return Terminal256Formatter(style=style)
