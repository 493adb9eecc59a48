"""How a line looks to a developer: the same object, indented and coloured, for a terminal."""

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
    """Return a line of JSON indented and in the colours of the Pygments `style`.

    A text of several lines, such as a traceback, becomes a list of them: it can be read, and the
    whole is JSON still.
    """
    fields = {name: _split(value) for name, value in orjson.loads(line).items()}
    text = orjson.dumps(fields, option=orjson.OPT_INDENT_2).decode()
    return str(highlight(text, _LEXER, _formatter(style))).encode()


def _split(value: Any) -> Any:
    return value.splitlines() if isinstance(value, str) and "\n" in value.strip() else value


@lru_cache(maxsize=1)
def _formatter(style: str) -> Formatter[str]:
    return Terminal256Formatter(style=style)
