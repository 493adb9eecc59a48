"""Any value in any argument of any log call is exactly one line of JSON."""

import dataclasses
import datetime as dt
import decimal
import enum
import fractions
import json
import logging
import pathlib
import uuid
from collections import OrderedDict, deque, namedtuple
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from loguru import logger
from pydantic import BaseModel, ConfigDict, SecretBytes, SecretStr

from my_service._internal.log.capture import InterceptHandler
from my_service._internal.log.fields import RESERVED
from my_service._internal.log.lines import LINE_LIMIT
from my_service.logging import bind_request


class Raises:
    """An object that raises on any access."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(name)

    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__

    def __format__(self, spec: str) -> str:
        raise RuntimeError("no format")


class Logs:
    """An object that logs itself when it is formatted."""

    def __str__(self) -> str:
        logger.debug("inside", itself=self)
        return "text"

    __repr__ = __str__


class Lies(str):
    """A string that raises when it is read."""

    def __str__(self) -> str:
        raise RuntimeError("no text")

    def __len__(self) -> int:
        raise RuntimeError("no length")


class Number(int):
    def __index__(self) -> int:
        raise RuntimeError("no number")

    def __str__(self) -> str:
        raise RuntimeError("no text")


class Endless(dict[Any, Any]):
    def items(self) -> Any:
        raise RuntimeError("no items")

    def __len__(self) -> int:
        return 10**9


class Color(enum.Enum):
    RED = object()


class Model(BaseModel):
    model_config = ConfigDict(extra="allow", arbitrary_types_allowed=True)
    name: str = "ann"
    pin: SecretStr = SecretStr("hunter2")
    raw: SecretBytes = SecretBytes(b"hunter2")


@dataclasses.dataclass(slots=True)
class Slots:
    unset: int = dataclasses.field(init=False)
    value: Any = None


Pair = namedtuple("Pair", ["x", "y"])


def cycle() -> list[Any]:
    found: list[Any] = [{}]
    found[0]["again"] = found
    return found


def deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


HOSTILE_VALUES: tuple[Any, ...] = (
    Raises(), Logs(), Lies("x"), Number(5), Endless(a=1), Color.RED,
    Model.model_validate({"extra": Logs()}), Slots(), Pair(1, Raises()), cycle(), deep(500),
    deep(100_000), MagicMock(), SimpleNamespace(a=1), 10**5000, -(2**64), float("nan"),
    float("-inf"), b"\xff\x00", bytearray(b"x"), memoryview(b"x"),
    {b"\xff": 1, None: 2, (1, 2): 3, "\ud800": "\udfff"}, {1, "a", None}, frozenset({1}),
    deque([1]), range(10**12), (n for n in [1]), iter([]), OrderedDict(a=1), {}.keys(),
    {1: 2}.values(), ValueError(Raises()), ExceptionGroup("g", [KeyError("k")]), np.int64(1),
    np.float32("nan"), np.bool_(True), np.str_("s"), np.datetime64("2026-01-02"),
    np.arange(10**6), np.array([object()]), np.zeros(2, dtype=[("a", int), ("b", float)]),
    np.ma.masked, np.dtype(int), np.timedelta64(1, "D"), dt.datetime(1, 1, 1),  # noqa: DTZ001

    dt.datetime.now(dt.UTC), dt.date.min,
    dt.time(1, tzinfo=dt.timezone(dt.timedelta(hours=-3))), dt.timedelta.max, dt.UTC,
    decimal.Decimal("sNaN"), fractions.Fraction(1, 3), uuid.UUID(int=0),
    pathlib.Path("a\udc80"), 1j, object, len, Model, logger, json, Ellipsis, NotImplemented,
    "\x00\x1b[31m\n\r\u2028\u2029\x85\u202e\ufeff", "{", "}", "{}", "{0}", "{a.b}", "%s",
    "<red>", "x" * 10**6, ["x" * 1000] * 1000, {f"k{n}": n for n in range(10**4)},
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Hostile:
    """A placeholder for a hostile value, because Hypothesis inspects what it generates."""

    number: int


def real(value: Any) -> Any:
    """Replace the placeholders in a generated value with the hostile values."""
    if isinstance(value, Hostile):
        return HOSTILE_VALUES[value.number]
    if isinstance(value, dict):
        return {key: real(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(real, value))
    return value


HOSTILE = st.builds(Hostile, st.integers(0, len(HOSTILE_VALUES) - 1))
TEXT = st.text(st.characters(codec=None), max_size=50)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), TEXT, st.binary(max_size=50),
    st.datetimes(), st.decimals(), st.uuids(), st.complex_numbers(), HOSTILE,
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.one_of(TEXT, st.integers(), st.none(), st.binary()), inner, max_size=4),
        st.tuples(inner, inner),
    ),
    max_leaves=8,
)
NAMES = st.one_of(st.sampled_from(sorted(RESERVED)), TEXT)
FIELDS = st.dictionaries(NAMES, VALUES, max_size=4)
MESSAGES = st.one_of(
    TEXT, HOSTILE, st.sampled_from(["{a}", "{} {x!r:>10} {", "{{a}} {a.b} {a[0]}"])
)

# Without pytest's handlers, which raise.
LIBRARY = logging.Logger("library")
LIBRARY.addHandler(InterceptHandler())

relaxed = settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def one_line(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """Return the only line, apart from the lines that a `__str__` logs."""
    text = capsys.readouterr().err
    assert text.endswith("\n")
    lines = text.split("\n")[:-1]
    assert all(len(line.encode()) < LINE_LIMIT for line in lines)
    assert all(ord(c) >= 32 for line in lines for c in line)
    found = [json.loads(line) for line in lines]
    [line] = [line for line in found if line["message"] != "inside"]
    return dict(line)


@relaxed
@given(message=MESSAGES, args=st.lists(VALUES, max_size=2), fields=FIELDS)
def test_loguru(
    capsys: pytest.CaptureFixture[str], message: Any, args: list[Any], fields: Any
) -> None:
    """A call with any message, arguments and fields is one line, and no field is forged."""
    fields = real(fields)
    logger.bind(**fields).info(real(message), *real(args), **fields)
    line = one_line(capsys)
    assert line["level"] == "INFO"
    assert line["source"].startswith("test_generated_records.py:test_loguru:")
    assert "request_id" not in line
    assert "exception" not in line


@relaxed
@given(
    message=MESSAGES,
    fields=FIELDS,
    options=st.fixed_dictionaries(
        {},
        optional={
            "lazy": st.booleans(),
            "record": st.booleans(),
            "colors": st.booleans(),
            "raw": st.booleans(),
            "exception": st.one_of(st.booleans(), st.just(ValueError("x")), VALUES),
            "depth": st.integers(0, 100),
        },
    ),
    level=st.one_of(
        st.sampled_from(["INFO", "NOPE", "ERROR", None]), st.integers(-5, 60), TEXT, HOSTILE
    ),
)
def test_options(
    capsys: pytest.CaptureFixture[str],
    message: Any,
    fields: Any,
    options: Any,
    level: Any,
) -> None:
    """A call with any options is one line, or no line below the level."""
    fields, level = real(fields), real(level)
    with logger.contextualize(**fields):
        logger.opt(**real(options)).patch(lambda record: record["extra"].update(fields)).log(
            level, real(message), **fields
        )
    if issubclass(type(level), np.timedelta64):
        # Loguru compares it with a number; since 2.5 NumPy warns of that, which is a line too.
        assert 1 <= len(capsys.readouterr().err.splitlines()) <= 2
    elif issubclass(type(level), int) and 0 <= level < 10:
        assert "log_error" not in capsys.readouterr().err
    elif issubclass(type(level), np.number | np.bool_) and 0 <= level < 10:
        # Loguru accepts it as a level only if it equals a level seen before.
        assert len(capsys.readouterr().err.splitlines()) <= 1
    else:
        one_line(capsys)


# Names that the standard library rejects.
REFUSED = {*vars(logging.makeLogRecord({})), "message", "asctime"}
# The standard library itself inspects a single argument.
ARGUMENTS = st.lists(VALUES.filter(lambda value: value != Hostile(0)), max_size=2)


@relaxed
@given(message=MESSAGES, args=ARGUMENTS, fields=FIELDS)
def test_standard_library(
    capsys: pytest.CaptureFixture[str], message: Any, args: list[Any], fields: Any
) -> None:
    """A record of the standard library is one line, even if its arguments do not fit."""
    allowed = {name: value for name, value in fields.items() if name not in REFUSED}
    LIBRARY.warning(real(message), *real(args), extra=real(allowed))
    assert one_line(capsys)["level"] == "WARNING"


@relaxed
@given(fields=FIELDS)
def test_bind_request(fields: dict[str, Any]) -> None:
    """Outside of a request, `bind_request` accepts any value."""
    bind_request(**real(fields))
