"""The service and its tests without what Windows and macOS lack (`imitated_platforms.py`)."""

import asyncio
import importlib
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import tty
from contextvars import ContextVar, copy_context
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from checks.served import SECONDS, WITH_ENDPOINTS, read_all, serve
from my_service._internal.log import blocking_stream, terminal
from my_service._internal.log import stream as stream_module
from my_service._internal.log.blocking_stream import WAITING_LIMIT, BlockingStream
from my_service._internal.server import listener, process
from my_service._internal.server.listener import Listener
from tests.conftest import PROJECT

# The signal that stops the service, and its name; SIGUSR1 stands for Ctrl+Break.
STOP = {"windows": (signal.SIGUSR1, "SIGBREAK"), "macos": (signal.SIGTERM, "SIGTERM")}
LIMITS = (
    "on this platform only Ctrl+C and Ctrl+Break stop the service in order;"
    " a stalled reader of standard error blocks the service"
)


def imitated(platform: str, *arguments: str) -> tuple[str, ...]:
    """Return the arguments for Python to run its arguments on an imitated platform."""
    return ("-m", "checks.imitated_platforms", platform, *arguments)


@pytest.mark.parametrize("platform", STOP)
def test_the_tests_pass(platform: str) -> None:
    """The tests that a project keeps pass."""
    done = subprocess.run(
        [sys.executable, *imitated(platform, "-m", "pytest", "-q", "tests")],
        check=False,
        cwd=PROJECT,
        timeout=10 * SECONDS,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("platform", "guarded"), [("win32", {"stream", "http1"}), ("darwin", set())]
)
def test_names_that_a_platform_lacks(platform: str, guarded: set[str]) -> None:
    """Only modules that do without them elsewhere use them."""
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file=checks/mypy.ini", "--platform", platform, "my_service"],
        check=False,
        cwd=PROJECT,
        timeout=10 * SECONDS,
        capture_output=True,
        text=True,
    )  # fmt: skip
    assert done.returncode < 2, done.stderr
    lacking = r'(\w+)\.py:\d+: error: (?:Module has no attribute|Name ".+" is not defined)'
    assert {*re.findall(lacking, done.stdout)} <= guarded, done.stdout


@pytest.mark.parametrize("platform", STOP)
def test_a_service(platform: str, tmp_path: Path) -> None:
    """It answers, logs JSON, says once what the platform lacks and ends in order."""
    command = imitated(platform, *WITH_ENDPOINTS)
    with serve(tmp_path, *command) as service:
        assert service.get("/divide?a=1&b=0").status_code == 500
        assert "a = 1" in service.wait_for("unhandled exception")["exception"]
        assert len(service.get("/large?size=1000000").content) == 1_000_000
        two = b"GET /slow?seconds=1.1 HTTP/1.1\r\nhost: a\r\n\r\nGET /hello HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"
        assert service.send(two).count(b"HTTP/1.1 200") == 2
        with serve(tmp_path, *command, PORT=str(service.port)) as second:
            assert second.wait() == 1
            assert "set PORT to a free port" in second.messages()[-1]
        with service.connect() as connection:
            connection.sendall(b"GET /slow?seconds=0.5 HTTP/1.1\r\nhost: a\r\n\r\n")
            service.wait_for("slow begins", 2)
            service.signal(STOP[platform][0])
            assert b'{"seconds":0.5}' in read_all(connection)
        assert service.wait() == 0
        assert service.wait_for("stopping")["signal"] == STOP[platform][1]
        assert service.messages()[-1] == "shutdown"
        assert [line["level"] for line in service.all(LIMITS)] == ["INFO"] * (platform == "windows")


async def test_a_port_without_shutdown_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a listening socket has no shutdown, new connections are refused all the same."""

    def fail(*_: object) -> None:
        raise OSError

    monkeypatch.setattr(socket.socket, "shutdown", fail)
    used = Listener("127.0.0.1", 0)
    address = used.port.getsockname()
    async with await asyncio.start_server(lambda *_: None, sock=used.port):
        used.close()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address)


def test_no_process_shares_the_port(monkeypatch: pytest.MonkeyPatch) -> None:
    """The port has Windows' option against other processes, where it exists."""
    monkeypatch.setattr(listener, "_PORT_OPTION", socket.SO_KEEPALIVE)
    used = Listener("127.0.0.1", 0)
    with used.port, used._socket:
        assert used.port.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert not used.port.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR)


def test_a_signal_outside_of_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python's own handler leaves the request that it interrupts, and ignores a late signal."""
    handlers: dict[int, Any] = {}
    monkeypatch.setattr(signal, "signal", handlers.__setitem__)
    variable = ContextVar("variable", default="")
    seen: list[str] = []
    stop: Any = SimpleNamespace(on_signal=lambda _: seen.append(variable.get()))
    loop = asyncio.new_event_loop()
    monkeypatch.setattr(loop, "add_signal_handler", _not_implemented)
    process._on_signal(loop, signal.SIGINT, stop)

    def send() -> None:
        variable.set("a request")
        handlers[signal.SIGINT](signal.SIGINT, None)

    copy_context().run(send)
    loop.run_until_complete(asyncio.sleep(0))
    assert seen == [""]
    loop.close()
    send()


def _not_implemented(*_: object) -> None:
    raise NotImplementedError


def use(standard_error: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace standard error for the streams only."""
    for module in (stream_module, blocking_stream):
        monkeypatch.setattr(module, "sys", SimpleNamespace(stderr=standard_error))


def test_a_blocking_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    """It writes lines whole and in order to a slow reader, and survives its end."""
    lines = [b"%06d" % number + b"x" * 99_993 + b"\n" for number in range(10)]
    reader, writer = os.pipe()
    with os.fdopen(writer, "wb") as file:
        use(file, monkeypatch)
        stream = BlockingStream(on_dropped=lambda _: None)
        writing = threading.Thread(target=lambda: [*map(stream.write, lines)])
        writing.start()
        with os.fdopen(reader, "rb") as slow:
            assert slow.read(1_000_000) == b"".join(lines)
            writing.join(SECONDS)
        stream.write(lines[0])


def test_lines_that_wait_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """While one thread is blocked, the memory that others' lines take is limited."""
    with open(os.devnull, "wb") as file:
        use(file, monkeypatch)
        stream = BlockingStream(on_dropped=lambda _: None)
        with stream._lock:
            for _ in range(WAITING_LIMIT + 10):
                stream.write(b"\n")
            assert len(stream._new) == WAITING_LIMIT


def test_a_console_gets_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """A console receives text: it could show bytes in another encoding."""
    reader, writer = os.openpty()
    tty.setraw(writer)
    with open(reader, "rb", buffering=0) as screen, open(writer, "w", encoding="cp1252") as file:
        use(file, monkeypatch)
        BlockingStream(on_dropped=lambda _: None).write("é\n".encode())
        assert screen.read(2) == b"\xe9\n"


def test_colours_of_an_older_console(monkeypatch: pytest.MonkeyPatch) -> None:
    """colorama, which Loguru installs on Windows, lets a console show colours."""
    calls: list[bool] = []
    colorama = SimpleNamespace(just_fix_windows_console=lambda: calls.append(True))
    monkeypatch.setitem(sys.modules, "colorama", colorama)
    importlib.reload(terminal)
    assert calls == [True]


def test_an_older_colorama(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another package may need a colorama that lacks the function: the formats work all the same."""
    monkeypatch.setitem(sys.modules, "colorama", SimpleNamespace())
    importlib.reload(terminal)
