"""`make dev` of a project on a terminal."""

import os
import pty
import re
import select
import signal
import subprocess
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.renders import command

COLOR = re.compile(r"\x1b\[[0-9;]*m")


class Terminal:
    """A pseudo-terminal, and the process that writes to it."""

    def __init__(self, process: Callable[[int], subprocess.Popen[bytes]]) -> None:
        self.reader, writer = pty.openpty()
        self.screen = ""
        self.process = process(writer)
        os.close(writer)

    def read_until(self, text: str) -> str:
        """Wait for `text` and return the output so far."""
        while text not in COLOR.sub("", self.screen):
            assert select.select([self.reader], [], [], 60)[0], f"no {text!r} in: {self.screen}"
            self.screen += os.read(self.reader, 65536).decode("utf-8")
        screen, self.screen = self.screen, ""
        return screen

    def read_to_the_end(self) -> str:
        """Return the output up to the end of the last process on the terminal."""
        with suppress(OSError):  # on Linux the end of a terminal is an error
            while select.select([self.reader], [], [], 60)[0]:
                if not (part := os.read(self.reader, 65536)):
                    break
                self.screen += part.decode("utf-8")
            else:
                pytest.fail(f"no end of: {self.screen}")
        return COLOR.sub("", self.screen)


@contextmanager
def dev(project: Path, folder: Path) -> Generator[Terminal]:
    """Run `make dev`, with a link to uv in a folder, and stop it."""
    with suppress(FileExistsError):
        (folder / "uv").symlink_to(command("uv"))

    def make_dev(writer: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            ["make", "dev"],
            cwd=project,
            env=os.environ
            | {"PORT": "0", "METRICS_PORT": "", "PATH": f"{folder}:{os.environ['PATH']}"},
            stdin=subprocess.DEVNULL,
            stdout=writer,
            stderr=writer,
            start_new_session=True,
        )

    terminal = Terminal(make_dev)
    group = terminal.process.pid
    try:
        yield terminal
    finally:
        with suppress(ProcessLookupError):
            os.killpg(group, signal.SIGINT)
        try:
            terminal.process.wait(timeout=30)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)
