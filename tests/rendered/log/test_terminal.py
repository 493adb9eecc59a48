"""terminal.py: colours in development, on a terminal."""

import io
import json
import re
import sys

import pytest
from loguru import logger

from my_service.logging import init


def test_colours_on_a_terminal_in_development(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only development on a terminal shows the object indented and coloured."""
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stderr", terminal)
    init(pygments_style="monokai")
    logger.info("hello\nworld", user="ann")
    init(level="DEBUG")
    logger.info("plain")
    coloured, _, plain = terminal.getvalue().rpartition("}")[0].rpartition("\n")
    assert "\x1b[" in coloured
    text = re.sub(r"\x1b\[[0-9;]*m", "", coloured)
    assert json.loads(text)["user"] == "ann"
    assert json.loads(text)["message"] == ["hello", "world"]
    assert json.loads(f"{plain}}}")["message"] == "plain"
