"""A rendered project that serves in a subprocess, and its log, read as it is written.

Every line is checked against `docs/log.schema.json` when the service has ended.
"""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
from jsonschema import Draft202012Validator

from tests.conftest import PROJECT

# The answer to `server`.
SERVER = "hypercorn" if (PROJECT / "my_service/_internal/hypercorn").exists() else "uvicorn"
SECONDS = 30  # limit of any operation on a busy machine
LINE_LIMIT = 16_000

# `python -m my_service`, plain and with the routes of `endpoints.py`.
PLAIN = ("-m", "my_service")
WITH_ENDPOINTS = (
    "-c",
    "import my_service._internal.early, runpy, checks.endpoints; runpy.run_module('my_service', run_name='__main__')",
)

Line = dict[str, Any]

# Leave out the lines of the test clients.
for _name in ("hpack", "httpcore", "websockets"):
    logging.getLogger(_name).setLevel(logging.WARNING)

_schema = Draft202012Validator(json.loads((PROJECT / "docs/log.schema.json").read_text("utf-8")))


class Service:
    """A process that serves a rendered project: its log, its responses and its exit code."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.lines: list[Line] = []
        self._raw: list[bytes] = []
        self.may_be_torn = False  # the last line, if the process ends while its log is not read
        self._ended = False
        self._left = False
        self._may_read = threading.Event()
        self._may_read.set()
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        """Read standard error in a thread until it ends or `leave` is called."""
        assert self.process.stderr
        for raw in self.process.stderr:
            with self._news:
                self._raw.append(raw)
                self.lines.append(_parse(raw))
                self._news.notify_all()
            self._may_read.wait()
            if self._left:
                break
        self.process.stderr.close()
        with self._news:
            self._ended = True
            self._news.notify_all()

    def stall(self) -> None:
        """Stop reading standard error after the next line."""
        self._may_read.clear()

    def resume(self) -> None:
        """Continue reading."""
        self._may_read.set()

    def leave(self) -> None:
        """Close the reading end of standard error, after the next line."""
        self._left = True
        self.get("/hello")
        self._reader.join(SECONDS)

    def all(self, message: str, **fields: object) -> list[Line]:
        """Return the lines so far with this message and these fields."""
        wanted = {"message": message, **fields}
        return [line for line in self.lines if wanted == {name: line.get(name) for name in wanted}]

    def wait_until(self, condition: Callable[[], object]) -> None:
        """Wait until the lines fulfil `condition` or the log ends."""
        with self._news:
            self._news.wait_for(lambda: self._ended or condition(), SECONDS)

    def wait_for(self, message: str, count: int = 1, **fields: object) -> Line:
        """Wait for the `count`th line with this message and these fields, and return it."""
        self.wait_until(lambda: len(self.all(message, **fields)) >= count)
        found = self.all(message, **fields)
        assert len(found) >= count, f"no {message} with {fields} in {self.lines}"
        return found[count - 1]

    @cached_property
    def port(self) -> int:
        """The port that the system chose, once the service accepts connections."""

        def running() -> list[str]:
            return re.findall(r"unning on http://[^ ]*:(\d+)", " ".join(self.messages()))

        self.wait_until(running)
        assert running(), self.lines
        return int(running()[0])

    @cached_property
    def url(self) -> str:
        """The base URL of the service."""
        return f"http://127.0.0.1:{self.port}"

    def get(self, path: str, **options: Any) -> httpx.Response:
        """Return the response to a GET on a new connection."""
        return httpx.get(f"{self.url}{path}", timeout=SECONDS, **options)

    def client(self, **options: Any) -> httpx.Client:
        """Return a client that reuses its connections."""
        return httpx.Client(base_url=self.url, timeout=SECONDS, **options)

    def connect(self) -> socket.socket:
        """Return a raw connection."""
        return socket.create_connection(("127.0.0.1", self.port), SECONDS)

    def send(self, raw: bytes) -> bytes:
        """Send bytes and return what the service sends until it closes the connection."""
        with self.connect() as connection:
            connection.sendall(raw)
            return read_all(connection)

    def signal(self, number: int = signal.SIGTERM) -> None:
        """Send a signal to the process."""
        self.process.send_signal(number)

    def stop(self) -> int:
        """Send SIGTERM and return the exit code."""
        self.signal()
        return self.wait()

    def wait(self) -> int:
        """Return the exit code after the process has ended and its log has been read."""
        code = self.process.wait(SECONDS)
        self.resume()
        self._reader.join(SECONDS)
        return code

    def messages(self) -> list[str]:
        """Return the messages of all lines."""
        return [line["message"] for line in self.lines]

    def check(self) -> None:
        """Check that every line is JSON, matches the schema and is not too long."""
        if self.may_be_torn and not self._raw[-1].endswith(b"\n"):
            del self._raw[-1], self.lines[-1]
        for raw, line in zip(self._raw, self.lines, strict=True):
            error = next(_schema.iter_errors(line), None)
            assert error is None, f"{error and error.message}: {raw!r}"
            assert raw.endswith(b"\n")
            assert len(raw) <= LINE_LIMIT


def read_all(connection: socket.socket) -> bytes:
    """Return what the service sends until it closes the connection."""
    return b"".join(iter(lambda: connection.recv(65_536), b""))


def reset(connection: socket.socket) -> None:
    """Close a connection with a TCP reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def _parse(raw: bytes) -> Line:
    """Return a parsed line; a line that is not JSON matches no schema."""
    try:
        line = json.loads(raw)
    except ValueError:
        line = None
    return line if isinstance(line, dict) else {"message": repr(raw)}


@contextmanager
def serve(
    folder: Path, *arguments: str, python: str = sys.executable, **variables: str
) -> Iterator[Service]:
    """Start Python in `folder` with these arguments; after the test, stop it and check its log.

    Without arguments, it serves with the routes of `endpoints.py`.
    """
    process = subprocess.Popen(
        [python, *(arguments or WITH_ENDPOINTS)],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(PROJECT), "ENV": "", "PORT": "0"} | variables,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    service = Service(process)
    try:
        yield service
    except BaseException:
        process.kill()
        raise
    if process.poll() is None:
        process.terminate()
    service.wait()
    service.check()
