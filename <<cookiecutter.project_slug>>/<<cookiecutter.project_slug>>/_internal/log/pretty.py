"""The format `pretty`: indented JSON without empty fields, with the traceback below it."""

from __future__ import annotations

from typing import Any

import orjson
from pygments.lexers import JsonLexer
from pygments.token import Name, String, Text

from .palette import Tokens, below, level_token

_EMPTY: tuple[Any, ...] = (None, "", [], {})
_LEXER = JsonLexer()


def tokens(fields: dict[str, Any]) -> Tokens:
    """Yield the parts of a record, given its fields."""
    exception, level = fields.pop("exception", ""), fields["level"]
    shown = {name: _split(value) for name, value in fields.items() if value not in _EMPTY}
    tag = ""
    for kind, text in _LEXER.get_tokens(orjson.dumps(shown, option=orjson.OPT_INDENT_2).decode()):
        if kind is Name.Tag:
            tag = text
        is_level = tag == '"level"' and kind is String.Double and text == f'"{level}"'
        yield (level_token(level) if is_level else kind), text
    if exception:
        yield Text, below(exception)


def _split(value: Any) -> Any:
    """Return a text of several lines as a list of lines."""
    return value.split("\n") if isinstance(value, str) and "\n" in value.strip() else value
