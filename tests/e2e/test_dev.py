"""`make dev` on a terminal: colours, reloads after a broken edit, and signals."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Generator
from pathlib import Path

import httpx
import pytest
from websockets.sync.client import connect

from tests.e2e.terminal import COLOR, Terminal, dev


@pytest.fixture
def terminal(installed: Path, tmp_path: Path) -> Generator[Terminal]:
    """The terminal of `make dev`, which is stopped after the test."""
    with dev(installed, tmp_path) as terminal:
        yield terminal


def test_dev(terminal: Terminal, installed: Path) -> None:
    """The log is coloured, a broken edit logs one error, and the next edit reloads the service."""
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
        assert " log request GET /hello 200 " in COLOR.sub("", terminal.read_until(" ms "))
    finally:
        greeting.write_text(source)


DEAF = """

@router.websocket("/deaf")
async def deaf(websocket: __import__("fastapi").WebSocket) -> None:
    await websocket.accept()
    await __import__("asyncio").Event().wait()
"""


def test_a_deaf_websocket_does_not_delay_a_reload(terminal: Terminal, installed: Path) -> None:
    """The service stops long before the usual limit, although an endpoint never learns of it."""
    greeting = installed / "my_service/routers/hello.py"
    source = greeting.read_text()
    terminal.read_until("CTRL + C to quit")
    try:
        greeting.write_text(source + DEAF)
        terminal.read_until("stopping")
        screen = COLOR.sub("", terminal.read_until("CTRL + C to quit"))
        [url] = re.findall(r"http://([0-9.:]+)", screen)
        with connect(f"ws://{url}/deaf"):
            greeting.write_text(source)
            terminal.read_until("stopping")
            stopping = time.monotonic()
            terminal.read_until("limit passed")
            terminal.read_until(" shutdown ")
            # The usual limit is 8 s, that of `make dev` half a second.
            assert time.monotonic() - stopping < 4
    finally:
        greeting.write_text(source)


def watcher_of(make: int) -> int:
    """Return the process id of watchfiles, the parent of the service."""
    listed = subprocess.check_output(["ps", "-ww", "-A", "-o", "pgid=,ppid=,args="], text=True)
    processes = [line.split(None, 2) for line in listed.splitlines()]
    [parent] = [
        int(parent)
        for group, parent, arguments in processes
        if group == str(make) and arguments.endswith("python -m my_service")
    ]
    return parent


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP", "SIGKILL"])
def test_signal_to_watchfiles_ends_every_process(name: str, terminal: Terminal) -> None:
    """The service shuts down cleanly, and no process keeps the terminal open."""
    terminal.read_until("CTRL + C to quit")
    os.kill(watcher_of(terminal.process.pid), getattr(signal, name))
    assert " shutdown " in terminal.read_to_the_end()


def test_sigterm_to_make_ends_every_process(terminal: Terminal) -> None:
    """SIGTERM to make, which service managers and IDEs send, ends every process."""
    terminal.read_until("CTRL + C to quit")
    terminal.process.terminate()
    assert " shutdown " in terminal.read_to_the_end()


@pytest.mark.parametrize("name", ["SIGINT", "SIGHUP"])
def test_signal_of_the_terminal_ends_every_process(name: str, terminal: Terminal) -> None:
    """Ctrl-C or a closed window ends every process, although make forwards neither signal."""
    terminal.read_until("CTRL + C to quit")
    os.killpg(terminal.process.pid, getattr(signal, name))
    terminal.read_to_the_end()
