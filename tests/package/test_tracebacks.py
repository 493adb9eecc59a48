"""tracebacks.py"""

import json

import pytest

from my_service.tracebacks import TEXT_LIMIT, format_exception


def connect(password: str) -> None:
    options = {"host": "db", "api_key": "k-98765"}
    raise ConnectionError(f"{password} and k-98765 refused by {options['host']}")


def test_own_frames_show_their_values() -> None:
    """A traceback tells what the variables were, and no secret: not in the message either."""
    with pytest.raises(ConnectionError) as caught:
        connect("hunter2")
    text = format_exception(caught.value)
    assert "in connect" in text
    assert "password = ***" in text
    assert "ConnectionError: *** and *** refused by db" in text
    assert "hunter2" not in text
    assert "k-98765" not in text


def test_frames_of_libraries_are_only_counted() -> None:
    """The reader starts in the own code, and sees where a library raised."""
    with pytest.raises(json.JSONDecodeError) as caught:
        json.loads("{")
    text = format_exception(caught.value)
    assert "frames not shown" in text
    assert "json/decoder.py" in text


def test_causes_notes_and_groups_are_shown() -> None:
    """Nothing that Python tells about an exception is lost."""
    try:
        try:
            raise KeyError("first")
        except KeyError as error:
            raise ExceptionGroup("several", [ValueError("one"), OSError("two")]) from error
    except ExceptionGroup as group:
        group.add_note("seen at night")
        text = format_exception(group)
    for part in (
        "KeyError: 'first'",
        "directly caused",
        "seen at night",
        "ValueError: one",
        "OSError: two",
    ):
        assert part in text


def test_a_recursion_is_cut() -> None:
    """A thousand frames are as readable as ten."""

    def descend() -> None:
        descend()

    with pytest.raises(RecursionError) as caught:
        descend()
    assert len(format_exception(caught.value)) <= TEXT_LIMIT
