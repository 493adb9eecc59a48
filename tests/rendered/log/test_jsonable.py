"""jsonable.py: any value becomes JSON of bounded size, without secrets."""

import json
import math
from collections import namedtuple
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from urllib.parse import urlsplit

import pytest
from pydantic import BaseModel, SecretStr

from my_service._internal.log.jsonable import to_jsonable, validation_errors
from my_service._internal.log.known_secrets import find_secrets
from my_service._internal.log.lines import LINE_LIMIT, dumps
from my_service._internal.log.scrubbing import scrub
from my_service._internal.log.texts import TEXT_LIMIT


class Broken:
    def __str__(self) -> str:
        raise RuntimeError("no text")


class Color(Enum):
    RED = "red"


class User(BaseModel):
    name: str = "ann"
    pin: SecretStr = SecretStr("1234")


@dataclass
class Point:
    x: int
    api_key: str


Pair = namedtuple("Pair", ["token", "n"])
cycle: list[object] = []
cycle.append(cycle)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (2**64, "18446744073709551616"),
        (math.nan, "nan"),
        (b"\xff", "\\xff"),
        ("\udc80", "\\udc80"),
        ({1: {2}}, {"1": [2]}),
        (datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02T00:00:00+00:00"),
        (Decimal("1.50"), "1.50"),
        (Color.RED, "red"),
        (User(), {"name": "ann", "pin": "***"}),
        (Point(1, "k"), {"x": 1, "api_key": "***"}),
        (Pair("t", 1), {"token": "***", "n": 1}),
        ([(b"cookie", b"a=b")], [["cookie", "***"]]),
        (ValueError("bad"), "ValueError: bad"),
        (Broken(), "<unprintable Broken>"),
        (cycle, ["<cycle: list>"]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_any_value_becomes_json(value: object, expected: object) -> None:
    """Any logged value becomes valid JSON, with secrets masked at any depth."""
    assert to_jsonable(value) == expected


def test_long_values_are_truncated() -> None:
    """A long text and a long line are truncated, and say so."""
    assert "[1000 characters cut]" in to_jsonable("x" * (TEXT_LIMIT + 1000))
    line = dumps({"n": 5} | {f"field{number}": "x" * 4000 for number in range(60)})
    assert len(line) <= LINE_LIMIT
    assert "cut" in json.loads(line)["field0"]
    assert json.loads(line)["n"] == 5


def test_a_line_stays_one_line() -> None:
    """Control characters are escaped, so that no terminal or reader interprets them."""
    line = dumps({"text": "\n\x1b[31m\x7f\x85\u2028\u202e"})
    assert line == b'{"text":"\\n\\u001b[31m\\u007f\\u0085\\u2028\\u202e"}\n'


def test_excess_fields_are_dropped() -> None:
    """Of thousands of fields the first are kept: those that every line has."""
    fields = {"message": "kept"} | {f"field{number}": ["x" * 100] * 50 for number in range(5000)}
    line = dumps(fields)
    assert len(line) <= LINE_LIMIT
    assert json.loads(line)["message"] == "kept"
    assert json.loads(line)["field1"] == "<cut: list>"
    assert json.loads(line)["…"] == "4977 more"


def test_find_secrets_returns_the_masked_values() -> None:
    """`find_secrets` returns the masked values, so that a caller can mask them elsewhere."""
    secrets = [SecretStr("a"), {"x": b"b"}, 1, [["c"]], object()]
    assert find_secrets({"token": secrets, "n": "d", "pwd": None}) == ({"a", "b", "1", "c"}, True)


def test_secrets_in_the_text_of_an_object_are_masked() -> None:
    """A `__repr__` that shows an attribute with a secret name shows the mask."""

    class Connection:
        def __init__(self) -> None:
            self.user, self.password, self.token = "ann", "hunter2", None

        def __repr__(self) -> str:
            return f"<{self.user} {self.password}>"

    assert to_jsonable([Connection()]) == ["<ann ***>"]


def test_a_secret_is_masked_in_the_error_of_another_field() -> None:
    """A value that the body names as secret is masked in the error of another field."""
    body = {"user": "ann", "password": "hunter2x"}
    message = "Value error, ann cannot have hunter2x"
    [error] = validation_errors(
        [{"type": "value_error", "loc": ("body",), "msg": message, "input": body}]
    )
    assert error["msg"] == "Value error, ann cannot have ***"
    assert error["input"] == {"user": "ann", "password": "***"}


@pytest.mark.parametrize(
    ("value", "derived"),
    [
        ({"authorization": "Bearer canary-1"}, "canary-1"),
        ({"cookie": "sid=canary-1; b=2"}, "canary-1"),
        ({"dsn": "postgresql://u:canary-1@h/db"}, "canary-1"),
        ({"key": SecretStr("canary-1")}, "canary-1"),
        ({"password": "p/s@canary"}, "p%2Fs%40canary"),
        ({"password": "p\u00e4ss canary"}, "p\\xe4ss canary"),
        ({"db": {"password": "canary-1"}, "body": [[n] * 90 for n in range(90)]}, "canary-1"),
    ],
)
def test_derived_forms_of_secrets_are_masked(value: object, derived: str) -> None:
    """Parts and encodings of a secret are masked in other texts."""
    assert scrub(f"bad {derived}", find_secrets(value).secrets) == "bad ***"


def test_large_secrets_are_searched_in_bounded_time() -> None:
    """Nested containers under a secret name end the search, and the result says so."""
    value: list[object] = []
    for _ in range(6):
        value = [value] * 100
    assert not find_secrets({"token": value, "other": list(range(101))}).complete


def test_the_total_length_of_texts_is_limited() -> None:
    """Once the limit is reached, further texts are not masked only to be discarded."""
    shown = to_jsonable([f"{number} " + "a=1 " * 1_000 for number in range(100)])
    assert shown[0].startswith("0 a=1")
    assert shown[-1] == "<not shown: str>"


def test_a_split_url() -> None:
    """The password in the `netloc` of a split URL is masked."""
    assert to_jsonable(urlsplit("postgres://u:canary@h/db"))["netloc"] == "u:***@h"


def test_errors_of_a_large_body_quote_nothing() -> None:
    """Errors of a body that is too large to search keep only their type and location."""
    body = {"items": list(range(200)), "password": "hunter2x"}
    [error] = validation_errors(
        [{"type": "a", "loc": ("n",), "msg": "hunter2x", "input": body}], body=body
    )
    assert error == {"type": "a", "loc": ["n"]}
