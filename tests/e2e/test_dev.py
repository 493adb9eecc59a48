"""`make dev` on a terminal: colours, and a reload that survives a broken edit."""

import json
import os
import pty
import re
import select
import signal
import subprocess
from collections.abc import Generator
from pathlib import Path

import httpx
import pytest

from tests.template import command

COLOR = re.compile(r"\x1b\[[0-9;]*m")


class Terminal:
    """A pseudo-terminal whose screen is read until something is on it."""

    def __init__(self) -> None:
        self.reader, self.writer = pty.openpty()
        self.screen = ""

    def read_until(self, text: str) -> str:
        """Return what was written up to `text`, which is waited for."""
        while text not in COLOR.sub("", self.screen):
            assert select.select([self.reader], [], [], 60)[0], f"no {text!r} in: {self.screen}"
            self.screen += os.read(self.reader, 65536).decode("utf-8")
        screen, self.screen = self.screen, ""
        return screen


@pytest.fixture
def terminal(installed: Path, tmp_path: Path) -> Generator[Terminal]:
    """The terminal of a `make dev`, which is stopped in the end."""
    (tmp_path / "uv").symlink_to(command("uv"))
    terminal = Terminal()
    process = subprocess.Popen(
        ["make", "dev"],
        cwd=installed,
        env=os.environ | {"PORT": "0", "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        stdin=subprocess.DEVNULL,
        stdout=terminal.writer,
        stderr=terminal.writer,
        start_new_session=True,
    )
    try:
        yield terminal
    finally:
        os.killpg(process.pid, signal.SIGINT)
        try:
            process.wait(timeout=30)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def test_dev(terminal: Terminal, installed: Path) -> None:
    """The log is coloured; a broken edit is one error, and the next edit serves again."""
    greeting = installed / "my_service/routers/hello.py"
    source = greeting.read_text()
    assert "\x1b[" in terminal.read_until("CTRL + C to quit")
    try:
        greeting.write_text(source + "def broken(:\n")
        broken = terminal.read_until("SyntaxError")
        assert "uncaught exception" in broken
        greeting.write_text(source.replace("Hello World", "Hello again"))
        screen = COLOR.sub("", terminal.read_until("CTRL + C to quit"))
        [url] = re.findall(r"http://[0-9.:]+", screen)
        assert httpx.get(f"{url}/hello").json() == {"message": "Hello again"}
        request = COLOR.sub("", terminal.read_until('"user_agent": "python-httpx'))
        assert json.dumps("log request") in request
    finally:
        greeting.write_text(source)
