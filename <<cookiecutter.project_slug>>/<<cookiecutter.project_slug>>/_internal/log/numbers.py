"""Convert numbers that JSON cannot represent."""

from typing import Any

from .known_secrets import ITEM_LIMIT

JSON_INTEGERS = range(-(2**63), 2**64)  # orjson writes at most 64 bits
_DIGITS = 4_300  # Python's limit for converting an int to decimal text


def jsonable_integer(value: int) -> int | str:
    """Return `value`, or its text if it exceeds 64 bits."""
    if value in JSON_INTEGERS:
        return value
    bits = value.bit_length()
    if bits < 3 * _DIGITS:
        return str(value)
    return f"{hex(value >> (bits - 256))}…[an integer of {bits} bits]"


def from_numpy(value: Any) -> object:
    """Return a numpy scalar or array as Python objects, a large array as its short text."""
    return value.tolist() if value.size <= ITEM_LIMIT else str(value)
