"""`make run` starts the service as in production."""

import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.renders import command


@pytest.mark.parametrize("combination", ["none", "uvicorn"])
def test_run(combination: str, install: Callable[[str], Path], tmp_path: Path) -> None:
    """The service runs with production settings until its process group gets SIGTERM."""
    (tmp_path / "uv").symlink_to(command("uv"))
    process = subprocess.Popen(
        ["make", "--silent", "run"],
        cwd=install(combination),
        env=os.environ | {"PORT": "0", "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with process:
        try:
            assert process.stderr
            started, running = (json.loads(process.stderr.readline()) for _ in range(2))
            url = running["message"].split()[2]
            assert httpx.get(f"{url}/hello").json() == {"message": "Hello World"}
            os.killpg(process.pid, signal.SIGTERM)
            lines = process.stderr.read().splitlines()
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
    assert (started["message"], started["level"]) == ("started", "INFO")
    # make itself prints the lines after it: the signal that ended it.
    last = [line for line in lines if line.startswith("{")][-1]
    assert json.loads(last)["message"] == "shutdown"
