"""main.py, and the process that `python -m << cookiecutter.project_slug >>` starts."""

import json
import os
import signal
import sys
import threading
from pathlib import Path
from subprocess import PIPE, Popen

import httpx

from .conftest import PROJECT


def test_every_line_of_the_process_is_json(tmp_path: Path) -> None:
    """Every line is JSON, and a stop ends the process with exit code 0."""
    command = [sys.executable, "-m", "<< cookiecutter.project_slug >>"]
    env = os.environ | {"ENV": "production", "PORT": "0", "PYTHONPATH": str(PROJECT)}
    group = 0x200 if os.name == "nt" else 0  # CREATE_NEW_PROCESS_GROUP, for Ctrl+Break
    messages = []
    with Popen(command, cwd=tmp_path, env=env, stderr=PIPE, creationflags=group) as process:
        limit = threading.Timer(30, process.kill)
        limit.start()
        for line in process.stderr or ():
            messages.append(json.loads(line)["message"])
            if "unning on http" in messages[-1]:
                httpx.get(f"{messages[-1].split()[2]}/nowhere", trust_env=False)
                process.send_signal(getattr(signal, "CTRL_BREAK_EVENT", signal.SIGTERM))
        limit.cancel()
    expected = ["started", "log request", "stopping", "shutdown"]
    assert [message for message in messages if message in expected] == expected
    assert process.returncode == 0
