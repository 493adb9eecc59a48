"""main.py, and the process that `python -m << cookiecutter.project_slug >>` starts."""

import json
import os
import re
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
    stop = getattr(signal, "CTRL_BREAK_EVENT", signal.SIGTERM)  # Windows ends a process on SIGTERM
    flags = 0x200 if os.name == "nt" else 0  # CREATE_NEW_PROCESS_GROUP
    process = Popen(command, cwd=tmp_path, env=env, stderr=PIPE, creationflags=flags)
    limit = threading.Timer(30, process.kill)
    limit.start()
    messages = []
    with process:
        for line in process.stderr or ():
            messages.append(json.loads(line)["message"])
            if address := re.search(r"unning on (http://127\S+)", messages[-1]):
                httpx.get(f"{address[1]}/nowhere", trust_env=False)
                process.send_signal(stop)
    limit.cancel()
    expected = ["started", "log request", "stopping", "shutdown"]
    assert [message for message in messages if message in expected] == expected
    assert process.returncode == 0
