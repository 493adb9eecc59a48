"""The format `console`: one line a record, with a traceback or validation errors below it."""

from __future__ import annotations

import re
from typing import Any

import orjson
from pygments.lexers import JsonLexer
from pygments.token import Comment, Name, String, Text

from .fields import REQUEST_FIELDS
from .palette import LEVEL, Tokens, below, level_token

# What matters of a request, shown without names. `pretty` shows the other fields of its line.
_SHOWN = ("method", "path_with_query", "status_code", "elapsed")
_LEFT_OUT = REQUEST_FIELDS - {"close_code", "completed", "disconnected"}
_BARE = re.compile(r"[^\s\"'=]+")
_LEXER = JsonLexer(ensurenl=False)


def tokens(fields: dict[str, Any]) -> Tokens:
    """Yield the parts of a record, given its fields."""
    time, level, message, source = (
        fields.pop(name) for name in ("timestamp", "level", "message", "source")
    )
    request_id, exception = fields.pop("request_id", ""), fields.pop("exception", "")
    fields.pop("trace_id", "")  # long, and the same in every line of a request
    yield Comment, time[11:23]  # hours to milliseconds
    yield Text, " "
    yield level_token(level), _one_line(level)
    yield Text, " " * max(1, 9 - len(level))
    yield Text, _one_line(message)
    problems = []
    if "path_with_query" in fields:
        problems = _pop_problems(fields)
        yield from _request(fields)
        source = ""
    for text in filter(None, (request_id, source)):
        yield Comment, f" {_one_line(text)}"
    for name, value in fields.items():
        yield Text, " "
        yield Name.Tag, f"{_one_line(name)}="
        yield from _value(value)
    yield Text, "\n"
    for problem in problems:
        yield from _problem(problem)
    if exception:
        yield Text, below(exception)


def _request(fields: dict[str, Any]) -> Tokens:
    """Yield what matters of a request, and remove its fields."""
    for name in _SHOWN:
        if name in fields:
            yield Text, " "
            yield _kind(name, fields[name]), _one_line(_measure(name, fields[name]))
    for name in _LEFT_OUT & fields.keys():
        del fields[name]


def _kind(name: str, value: Any) -> Any:
    if name != "status_code" or not isinstance(value, int):
        return Text
    return LEVEL.ERROR if value >= 500 else LEVEL.WARNING if value >= 400 else LEVEL.INFO


def _measure(name: str, value: Any) -> str:
    if name != "elapsed" or not isinstance(value, float | int):
        return str(value)
    return f"{value * 1000:.1f} ms" if value < 1 else f"{value:.2f} s"


def _pop_problems(fields: dict[str, Any]) -> list[Any]:
    """Remove and return what did not validate."""
    detail = fields.get("detail")
    if not isinstance(detail, list):
        return []
    del fields["detail"]
    return detail


def _problem(problem: Any) -> Tokens:
    """Yield the line of a validation error."""
    yield Text, "    "
    if isinstance(problem, dict) and "msg" in problem:
        place = problem.get("loc") or ()
        yield Name.Tag, _one_line(".".join(map(str, place)))
        yield Text, f": {_one_line(str(problem['msg']))}"
        if "input" in problem:
            yield Comment, ", input "
            yield from _value(problem["input"])
    else:
        yield from _value(problem)
    yield Text, "\n"


def _value(value: Any) -> Tokens:
    """Yield a value as JSON, a text without quotation marks if it is unambiguous."""
    if isinstance(value, str) and _BARE.fullmatch(value):
        yield String.Double, value
    else:
        yield from _LEXER.get_tokens(orjson.dumps(value).decode())


def _one_line(text: str) -> str:
    return text.replace("\n", "\\n")
