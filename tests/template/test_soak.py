"""`make soak` notices what is wrong with a log."""

import json

import pytest

from bench.soak_log import LogCheck
from bench.soak_requests import kind_of

REQUESTS = 200
PIECE = 100  # bytes that arrive at once


def line(**fields: object) -> bytes:
    """Return a line of a log."""
    return json.dumps(fields).encode() + b"\n"


def good_log() -> list[bytes]:
    """Return the lines of all requests, as the service writes them."""
    lines = []
    for number in range(REQUESTS):
        kind = kind_of(number)
        if kind.line:
            lines.append(line(message=kind.line, request_id="x"))
        path, status = f"{kind.target}?n={number}", min(kind.statuses)
        lines.append(
            line(
                message=kind.request_line, request_id="x", status_code=status, path_with_query=path
            )
        )
    return lines


def problems(*lines: bytes) -> str:
    """Return what is wrong with a log that arrives in pieces."""
    check = LogCheck(REQUESTS)
    check.serving = True
    log = b"".join(lines)
    for start in range(0, len(log), PIECE):
        check.feed(log[start : start + PIECE])
    check.check_complete()
    return "\n".join(check.problems)


def test_a_complete_log() -> None:
    """A line for each request, and its further lines, are what a soak expects."""
    assert problems(*good_log()) == ""


def test_a_request_without_a_line() -> None:
    """A request without a line is a problem."""
    assert problems(*good_log()[:-1]).startswith(f"1 requests without a line, the first: [{199}]")


def test_a_request_with_two_lines() -> None:
    """A request with two lines is a problem."""
    assert problems(*good_log(), good_log()[-1]).startswith("a second line")


@pytest.mark.parametrize(
    ("bad", "problem"),
    [
        (b"Traceback (most recent call last):\n", "not a JSON object"),
        (b"[1]\n", "not a JSON object"),
        (line(message="x"), "no request id"),
        (line(message="x" * 20_000, request_id="x"), "a line of 20,0"),
        (line(message="x", request_id="x"), "lines by message"),
    ],
    ids=["text", "list", "no-id", "long", "unexpected"],
)
def test_a_bad_line(bad: bytes, problem: str) -> None:
    """A line that is no JSON object, has no id, is too long or unexpected is a problem."""
    assert problems(*good_log(), bad).startswith(problem)


def test_a_wrong_status() -> None:
    """A status that its kind of request never has is a problem."""
    first, *others = [
        one.replace(b'"status_code": 404', b'"status_code": 200') for one in good_log()
    ]
    assert problems(first, *others).startswith("404: ")
