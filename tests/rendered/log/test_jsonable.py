"""jsonable.py"""

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
    """Nothing that is logged can break the line, and secrets are masked at any depth."""
    assert to_jsonable(value) == expected


def test_what_is_too_long_is_cut_and_says_so() -> None:
    """A text has a limit of its own, and so has the whole line."""
    assert "[1000 characters cut]" in to_jsonable("x" * (TEXT_LIMIT + 1000))
    line = dumps({"n": 5} | {f"field{number}": "x" * 4000 for number in range(60)})
    assert len(line) <= LINE_LIMIT
    assert "cut" in json.loads(line)["field0"]
    assert json.loads(line)["n"] == 5


def test_a_line_stays_one_line() -> None:
    """Line separators, control and colour characters are escaped, so that nobody acts on them."""
    line = dumps({"text": "\n\x1b[31m\x7f\x85\u2028\u202e"})
    assert line == b'{"text":"\\n\\u001b[31m\\u007f\\u0085\\u2028\\u202e"}\n'


def test_thousands_of_fields_are_cut_to_the_first() -> None:
    """The fields of every line come first, and stay."""
    fields = {"message": "kept"} | {f"field{number}": ["x" * 100] * 50 for number in range(5000)}
    line = dumps(fields)
    assert len(line) <= LINE_LIMIT
    assert json.loads(line)["message"] == "kept"
    assert json.loads(line)["field1"] == "<cut: list>"
    assert json.loads(line)["…"] == "4977 more"


def test_masked_values_are_known() -> None:
    """A caller can mask them elsewhere too."""
    secrets = [SecretStr("a"), {"x": b"b"}, 1, [["c"]], object()]
    assert find_secrets({"token": secrets, "n": "d", "pwd": None}) == ({"a", "b", "1", "c"}, True)


def test_the_text_of_an_object_is_without_its_secrets() -> None:
    """A `__repr__` that shows an attribute with a secret name shows the mask."""

    class Connection:
        def __init__(self) -> None:
            self.user, self.password, self.token = "ann", "hunter2", None

        def __repr__(self) -> str:
            return f"<{self.user} {self.password}>"

    assert to_jsonable([Connection()]) == ["<ann ***>"]


def test_a_secret_is_masked_in_the_error_of_another_field() -> None:
    """A validator of the whole body may quote what only its input names as secret."""
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
def test_parts_of_secrets_are_known(value: object, derived: str) -> None:
    """What code takes out of a secret, or writes it as, is masked in other texts too."""
    assert scrub(f"bad {derived}", find_secrets(value).secrets) == "bad ***"


def test_large_secrets_are_searched_in_bounded_time() -> None:
    """Containers in containers under a secret name end the search, which then is not complete."""
    value: list[object] = []
    for _ in range(6):
        value = [value] * 100
    assert not find_secrets({"token": value, "other": list(range(101))}).complete


def test_a_walk_has_a_limit_of_characters() -> None:
    """Many long texts are not all masked to be thrown away later."""
    shown = to_jsonable([f"{number} " + "a=1 " * 1_000 for number in range(100)])
    assert shown[0].startswith("0 a=1")
    assert shown[-1] == "<not shown: str>"


def test_a_url_that_was_split() -> None:
    """The user and the password of `urlsplit` stand in a field of their own."""
    assert to_jsonable(urlsplit("postgres://u:canary@h/db"))["netloc"] == "u:***@h"


def test_errors_of_a_large_body_quote_nothing() -> None:
    """Where not all of a body was searched for secrets, its errors keep their type and place."""
    body = {"items": list(range(200)), "password": "hunter2x"}
    [error] = validation_errors(
        [{"type": "a", "loc": ("n",), "msg": "hunter2x", "input": body}], body=body
    )
    assert error == {"type": "a", "loc": ["n"]}
