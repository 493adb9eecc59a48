"""tracebacks.py: values of the service's frames, without secrets, at bounded size."""

import json
from pathlib import Path
from typing import Any

import pytest

from my_service._internal.log import tracebacks
from my_service._internal.log.tracebacks import TEXT_LIMIT, format_exception


def connect(password: str) -> None:
    options = {"host": "db", "api_key": "k-98765"}
    raise ConnectionError(f"{password} and k-98765 refused by {options['host']}")


def test_own_frames_show_their_values() -> None:
    """A traceback shows variables without secrets, which are also masked in the message."""
    with pytest.raises(ConnectionError) as caught:
        connect("hunter2")
    text = format_exception(caught.value)
    assert "in connect" in text
    assert "password = ***" in text
    assert "ConnectionError: *** and *** refused by db" in text
    assert "hunter2" not in text
    assert "k-98765" not in text


def test_frames_of_libraries_are_only_counted() -> None:
    """Library frames are counted, and only the one that raised is shown."""
    with pytest.raises(json.JSONDecodeError) as caught:
        json.loads("{")
    text = format_exception(caught.value)
    assert "frames not shown" in text
    assert "json/decoder.py" in text


def test_causes_notes_and_groups_are_shown() -> None:
    """Causes, notes and groups of an exception are shown."""
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


def test_a_recursion_is_truncated() -> None:
    """The traceback of a deep recursion fits into the limit of a text."""

    def descend() -> None:
        descend()

    with pytest.raises(RecursionError) as caught:
        descend()
    assert len(format_exception(caught.value)) <= TEXT_LIMIT


def test_a_long_chain_is_truncated() -> None:
    """Of many causes, only the last are shown."""
    error: Exception = KeyError("0")
    for number in range(1, 10):
        later = ValueError(str(number))
        later.__cause__ = error
        error = later
    text = format_exception(error)
    assert "(earlier exceptions not shown)" in text
    assert "ValueError: 9" in text
    assert "KeyError" not in text


def test_from_none_hides_the_context() -> None:
    """`from None` hides the context of an exception."""
    try:
        try:
            raise KeyError("old")
        except KeyError:
            raise ValueError("new") from None
    except ValueError as error:
        text = format_exception(error)
    assert "while that was handled" not in text
    assert text.endswith("ValueError: new")


def test_a_frame_that_cannot_be_shown_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A frame that cannot be shown loses its values, not its name."""

    def fail(*args: object) -> None:
        raise RuntimeError("no source")

    monkeypatch.setattr(tracebacks, "_listing", fail)
    with pytest.raises(ConnectionError) as caught:
        connect("hunter2")
    text = format_exception(caught.value)
    assert "in connect (RuntimeError('no source'))" in text
    assert "hunter2" not in text


def test_code_without_a_file_is_shown_without_source() -> None:
    """Code compiled from a string has its file name and line number."""
    with pytest.raises(ZeroDivisionError) as caught:
        exec(compile("def f(n):\n    return n / 0\nf(1)", "made.py", "exec"), {})
    assert 'File "made.py", line 2, in f' in format_exception(caught.value)


def test_attributes_are_shown_without_running_properties() -> None:
    """Attributes are shown, and properties are not called."""

    class Account:
        def __init__(self) -> None:
            self.balance = 5
            self.api_key = "hunter2"

        @property
        def owner(self) -> str:
            raise AssertionError("called")

        def close(self) -> None:
            if self.balance or self.owner or self.api_key:
                raise ValueError("not empty")

    with pytest.raises(ValueError, match="not empty") as caught:
        Account().close()
    text = format_exception(caught.value)
    assert "self.balance = 5" in text
    assert "self.api_key = ***" in text
    assert "self.owner =" not in text


def test_secrets_in_the_source_are_masked(tmp_path: Path) -> None:
    """A literal in a source line is masked even if no variable holds it."""
    file = tmp_path / "app.py"
    file.write_text("def failing(call):\n    call(user='ann', api_key='k-123456')\n")
    scope: dict[str, Any] = {}
    exec(compile(file.read_text(), str(file), "exec"), scope)
    with pytest.raises(TypeError) as caught:
        scope["failing"](None)
    text = format_exception(caught.value)
    assert "call(user='ann', api_key='***')" in text
    assert "k-123456" not in text


def test_syntax_errors_show_where_they_are() -> None:
    """A syntax error shows its line and position, as Python does."""
    try:
        compile("a = 1 +\n", "own.py", "exec")
    except SyntaxError as error:
        text = format_exception(error)
    assert 'File "own.py", line 1' in text
    assert text.endswith("SyntaxError: invalid syntax")
