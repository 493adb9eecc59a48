"""server.py and __main__.py, in a process of their own."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx

from .conftest import PROJECT


def test_every_line_of_the_process_is_json(tmp_path: Path) -> None:
    """From the first line to `shutdown`; SIGTERM ends it with exit code 0."""
    process = subprocess.Popen(
        [sys.executable, "-m", "<< cookiecutter.project_slug >>"],
        cwd=tmp_path,
        env=os.environ | {"PORT": "0", "ENV": "production", "PYTHONPATH": str(PROJECT)},
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stderr
        lines = []
        try:
            while "Running on" not in (line := process.stderr.readline()):
                lines.append(line)
            url = json.loads(line)["message"].split()[2]
            assert httpx.get(f"{url}/hello").status_code == 200
            process.send_signal(signal.SIGTERM)
            lines += [line, *process.stderr]
        finally:
            process.kill()
    assert process.wait() == 0
    messages = [json.loads(line)["message"] for line in lines]
    assert messages[0] == "started"
    assert messages[-4:] == ["greeting the world", "log request", "stopping", "shutdown"]
