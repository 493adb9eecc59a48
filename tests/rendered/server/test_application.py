"""application.py: the application is imported by its name."""

import sys
from types import ModuleType
from typing import Any

import pytest

from my_service._internal.server.application import load
from my_service.main import app
from tests.conftest import Log


class Ending:
    """A finder that raises SystemExit when its module is imported."""

    def __init__(self, code: Any) -> None:
        self.code = code

    def find_spec(self, name: str, *_: object) -> None:
        if name == "ending":
            raise SystemExit(self.code)


def test_the_application_of_a_module() -> None:
    """`load` accepts a module and a name in it, as ASGI servers do."""
    assert load("my_service.main:app") is app


@pytest.mark.parametrize(("code", "expected", "messages"), [("no database", 1, 1), (7, 7, 0)])
def test_an_import_that_ends_the_process(
    code: object, expected: int, messages: int, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A SystemExit with a text becomes a line and the exit code 1; a code is kept."""
    monkeypatch.setattr(sys, "meta_path", [Ending(code), *sys.meta_path])
    with pytest.raises(SystemExit) as raised:
        load("ending:app")
    assert raised.value.code == expected
    assert [line["message"] for line in log()] == ["no database"][:messages]


def test_a_module_without_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the missing attribute."""
    monkeypatch.setitem(sys.modules, "empty", ModuleType("empty"))
    with pytest.raises(AttributeError, match="'app'"):
        load("empty:app")
