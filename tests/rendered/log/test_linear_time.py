"""The cost of external text: at most linear in its length, and bounded."""

from collections.abc import Callable
from time import process_time
from typing import Any

import pytest
from loguru import logger

from checks.patterns import patterns, texts
from my_service._internal.log.jsonable import to_jsonable, validation_errors
from my_service._internal.log.known_secrets import find_secrets
from my_service._internal.log.lines import dumps
from my_service._internal.log.redaction import redact, redact_target
from my_service._internal.log.scrubbing import scrub
from my_service._internal.log.texts import safe_target, safe_text
from my_service._internal.log.tracebacks import format_exception

SHORT, LONG = 500, 5_000


def cost(function: Callable[[Any], object], text: object, times: int = 3) -> float:
    """Return the CPU seconds that a call takes, the best of several."""

    def once() -> float:
        began = process_time()
        function(text)
        return process_time() - began

    return min(once() for _ in range(times))


def dump(text: str) -> bytes:
    return dumps({"timestamp": "", "message": text, "value": [text] * 3})


FUNCTIONS: list[Callable[[str], object]] = [
    redact,
    redact_target,
    lambda text: scrub(text, [text[:300], "canary", text[5:40]]),
    dump,
]
NAMES = ["redact", "redact_target", "scrub", "dumps"]


@pytest.mark.parametrize("function", FUNCTIONS, ids=NAMES)
def test_linear(function: Callable[[str], object]) -> None:
    """Ten times the length takes at most fifteen times the time, for any text."""
    slow = []
    for unit in patterns():
        for short, long in zip(texts(unit, SHORT), texts(unit, LONG), strict=True):
            # Shorter times are clock noise; a quadratic rule is far above this.
            if cost(function, long, 1) < 0.004:
                continue
            ratio = min(cost(function, long) / max(cost(function, short), 1e-6) for _ in range(3))
            if ratio > 15:
                slow.append((round(ratio, 1), unit))
    assert slow == []


class Slots:
    """An object with a large secret."""

    __slots__ = ("password",)

    def __init__(self, size: int) -> None:
        self.password = "x" * size


# Values of about this many bytes.
LARGE: dict[str, Callable[[int], object]] = {
    "text": lambda size: "x" * size,
    "pairs": lambda size: "a=1&" * (size // 4),
    "encoded": lambda size: "%41 é" * (size // 5),
    "secrets": lambda size: "password=a " * (size // 11),
    "quotes": lambda size: "'\"" * (size // 2),
    "bytes": lambda size: b"\xff" * size,
    "bytearray": bytearray,
    "memoryview": lambda size: memoryview(bytes(size)),
    "list": lambda size: ["x"] * (size // 8),
    "pair": lambda size: ("password", ["x" * 100] * (size // 100)),
    "set": lambda size: set(range(size // 32)),
    "dict": lambda size: {str(number): "x" * 10 for number in range(size // 100)},
    "nested": lambda size: [[["x" * 100] * (size // 10_000)] * 10] * 10,
    "secret_dict": lambda size: {"password": {n: ["x" * 10] for n in range(size // 100)}},
    "integer": lambda size: 1 << (8 * size),
    "exception": lambda size: ValueError("x" * size),
    "exception_of_bytes": lambda size: KeyError(b"x" * size),
    "slots": Slots,
    "key": lambda size: {"x" * size: 1},
}


def locals_of(value: object) -> None:
    try:
        held = {"value": value}
        raise RuntimeError(len(held))
    except RuntimeError as error:
        format_exception(error)


PLACES: dict[str, Callable[[Any], object]] = {
    "to_jsonable": to_jsonable,
    "find_secrets": find_secrets,
    "keyword": lambda value: logger.info("x", value=value),
    "argument": lambda value: logger.info("{} {x}", value, x=value),
    "message": logger.info,
    "bound": lambda value: logger.bind(value=value).info("x"),
    "local": locals_of,
    "errors": lambda value: validation_errors(
        [{"type": "missing", "loc": ("body", "a"), "msg": "x", "input": value}], body=value
    ),
}


@pytest.mark.parametrize("kind", LARGE)
def test_bound(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Ten megabytes take little longer than a hundred kilobytes: values are truncated first."""
    small, large = LARGE[kind](100_000), LARGE[kind](10_000_000)
    for name, place in PLACES.items():
        if cost(place, large) > 0.002:
            ratio = min(cost(place, large) / cost(place, small) for _ in range(3))
            assert ratio < 15, name


@pytest.mark.parametrize("unit", ["&a=%41", "&password=x", "a b ", "é"])
def test_fields_of_a_request_are_bounded(unit: str) -> None:
    """A path, a referer and a user agent of any length are truncated before they are searched."""
    for function in (safe_text, safe_target):
        small, large = unit * 10_000, unit * 1_000_000
        assert min(cost(function, large) / cost(function, small) for _ in range(3)) < 15
