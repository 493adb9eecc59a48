"""Serialize fields as one line of JSON, truncated to `LINE_LIMIT` bytes with a note."""

import json
import re
from itertools import islice
from typing import Any

import orjson

from .texts import truncate

LINE_LIMIT = 16_000

# Valid in JSON, but a terminal, a browser or a line-based tool interprets them: DEL, C1 controls,
# separators, and marks that reorder or hide text.
_MARKS = (
    "\x7f-\x9f\xad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2064\u2066-\u206f\ufeff"
    "\U000e0000-\U000e007f"
)
_UNSAFE = re.compile(f"[{_MARKS}]")
_UNSAFE_IN_TEXT = re.compile(f"[\x00-\x08\x0b-\x1f{_MARKS}]")


def dumps(fields: dict[str, Any]) -> bytes:
    """Return JSON types as one line of JSON with its line feed, at most `LINE_LIMIT` bytes."""
    line = _dumps(fields)
    for limit in (2_000, 500, 100):
        if len(line) <= LINE_LIMIT:
            return line
        line = _dumps(_shrink(fields, limit))
    return line if len(line) <= LINE_LIMIT else _dumps(_first_fields(fields))


def _dumps(fields: dict[str, Any]) -> bytes:
    line = orjson.dumps(fields, option=orjson.OPT_APPEND_NEWLINE)
    if line.isascii() and b"\x7f" not in line:
        return line
    return _UNSAFE.sub(_escape, line.decode("utf-8")).encode("utf-8")


def escaped(text: str) -> str:
    """Return text that leaves a terminal as it is, with its line feeds and tabs."""
    return _UNSAFE_IN_TEXT.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    return json.dumps(match[0])[1:-1]


def _shrink(value: Any, limit: int) -> Any:
    """Return `value` with texts truncated to `limit` characters and shorter lists."""
    if isinstance(value, str):
        return truncate(value, limit)
    if isinstance(value, list):
        kept = [_shrink(item, limit) for item in value[: limit // 20]]
        return [*kept, f"… {len(value) - len(kept)} more"] if len(value) > len(kept) else kept
    if isinstance(value, dict):
        return {truncate(key, limit): _shrink(item, limit) for key, item in value.items()}
    return value


def _first_fields(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the first 24 fields, which include those of every line, with short values."""
    few = {
        truncate(name, 32): f"<cut: {type(value).__name__}>"
        if isinstance(value, list | dict)
        else _shrink(value, 32)
        for name, value in islice(fields.items(), 24)
    }
    return few | {"…": f"{len(fields) - len(few)} more"}
