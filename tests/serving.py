"""Run a rendered service as a process, send requests and check its log.

As a program, do so for the project in the working directory, on any platform.
"""

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

# Prefixes of variables that a service would read as settings.
SETTINGS = (
    "ENV",
    "HOST",
    "PORT",
    "LOG_",
    "SHUTDOWN_",
    "ROOT_PATH",
    "TRUSTED_",
    "REDACT",
    "DOCS",
    "SENTRY_",
    "METRICS_",
)

EVERY_LINE = {"timestamp", "level", "message", "source"}
REQUEST_LINE = {
    *EVERY_LINE, "request_id", "remote_ip", "schema", "protocol", "method", "path_with_query",
    "status_code", "response_length", "elapsed", "referer", "user_agent",
}  # fmt: skip
# Windows ends a process on SIGTERM; Ctrl+Break reaches a process group.
STOP = getattr(signal, "CTRL_BREAK_EVENT", signal.SIGTERM)
FLAGS = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)
# Requests to the example router, with the status and the level of the log line.
REQUESTS = {
    ("GET", "/hello"): (200, "INFO"),
    ("GET", "/nowhere"): (404, "INFO"),
    ("POST", "/hello"): (405, "INFO"),
    ("GET", "/divide?a=1&b=x"): (422, "INFO"),
    ("GET", "/divide?a=1&b=0"): (500, "ERROR"),
    ("GET", "/health/ready"): (200, "DEBUG"),
}


@dataclass
class Served:
    """The responses, log lines and exit code of a service."""

    responses: list[httpx.Response] = field(default_factory=list)
    lines: list[dict[str, Any]] = field(default_factory=list)
    exit_code: int | None = None


def serve(python: Path, slug: str, folder: Path, **variables: str) -> Served:
    """Start `python -m slug` in `folder`, send `REQUESTS`, stop it and wait."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(SETTINGS)}
    process = subprocess.Popen(
        [python, "-m", slug],
        cwd=folder,
        env=kept | {"PORT": "0", "METRICS_PORT": "0", "LOG_LEVEL": "DEBUG"} | variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        creationflags=FLAGS,
    )
    served = Served()
    with process:
        try:
            assert process.stdout
            for text in process.stdout:
                served.lines.append(json.loads(text))
                if "Running on" in text:
                    break
            url = served.lines[-1]["message"].split()[2]
            with httpx.Client(base_url=url, headers={"user-agent": "tests"}) as client:
                served.responses = [client.request(*request) for request in REQUESTS]
            process.send_signal(STOP)
            served.lines += map(json.loads, process.stdout)
            served.exit_code = process.wait(timeout=30)
        finally:
            process.kill()
    return served


def check(served: Served) -> None:
    """Assert that each line has the documented fields and the exit code is 0."""
    assert served.exit_code == 0
    messages = [line["message"] for line in served.lines]
    known = [message for message in messages if not message.startswith("on this platform")]
    assert known[:2] == ["settings", "started"]
    assert served.lines[-1]["message"] == "shutdown"
    assert all(line.keys() >= EVERY_LINE for line in served.lines)
    told = [line for line in served.lines if "status_code" in line]
    for line, response, expected in zip(told, served.responses, REQUESTS.items(), strict=True):
        (method, path), (status, level) = expected
        assert response.status_code == status
        assert line.keys() == REQUEST_LINE | ({"exception"} if status == 500 else set())
        assert line["request_id"] == response.headers["x-request-id"]
        assert 0 < float(response.headers["x-processed-time"]) <= line["elapsed"]
        assert line["response_length"] == len(response.content)
        assert (line["method"], line["path_with_query"]) == (method, path)
        assert (line["status_code"], line["level"]) == (status, level)
        assert (line["remote_ip"], line["user_agent"]) == ("127.0.0.1", "tests")
    assert served.responses[4].text == "Internal Server Error"
    assert "ZeroDivisionError" in told[4]["exception"]


if __name__ == "__main__":
    check(serve(Path(sys.executable), "my_service", Path.cwd()))
