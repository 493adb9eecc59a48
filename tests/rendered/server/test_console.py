"""What a developer sees in a terminal."""

import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import httpx

from tests.conftest import PROJECT


def lines_of(descriptor: int) -> Iterator[str]:
    """Yield the lines that a terminal shows, without colours, until its last writer has ended."""
    with open(descriptor, "rb", buffering=0) as terminal:
        rest = b""
        while True:
            try:
                rest += terminal.read(65_536)
            except OSError:  # EIO: the end, on Linux
                return
            *lines, rest = rest.split(b"\r\n")
            for line in lines:
                yield re.sub(r"\x1b\[[0-9;]*m", "", line.decode())


def test_requests_in_a_terminal(tmp_path: Path) -> None:
    """Each record of `/hello` is one line, a 422 one more for each error, a 500 at most 15."""
    ours, theirs = pty.openpty()
    variables = {"ENV": "development", "PORT": "0", "PYTHONPATH": str(PROJECT), "METRICS_PORT": ""}
    process = subprocess.Popen(
        [sys.executable, "-m", "my_service"],
        cwd=tmp_path,
        env=os.environ | variables,
        stderr=theirs,
    )
    os.close(theirs)
    shown: list[str] = []
    lines = lines_of(ours)
    try:
        for line in lines:
            if address := re.search(r"unning on (http://127\S+)", line):
                for target in ("/hello", "/divide?a=x&b=y", "/divide?a=1&b=0"):
                    httpx.get(f"{address[1]}{target}", trust_env=False)
                process.terminate()
            shown.append(line)
    finally:
        process.kill()
        process.wait()
    begin = "greeting the world|request validation|unhandled exception|stopping"
    places = [place for place, line in enumerate(shown) if re.search(begin, line)]
    sizes = [end - start for start, end in pairwise(places)]
    assert sizes[:2] == [2, 4]
    assert 10 < sizes[2] <= 15
    assert " shutdown " in shown[-1]
