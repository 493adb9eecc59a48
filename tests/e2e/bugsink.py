"""Run Bugsink, a server for Sentry's events, in a temporary folder and query its API."""

import subprocess
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.e2e.ports import free_port
from tests.renders import command, run

SETTINGS = "\nBUGSINK['PHONEHOME'] = False\n"
MAKE_PROJECT = """
from projects.models import Project
print(Project.objects.create(name="service").dsn)
"""


@dataclass
class Bugsink:
    """A running server with one project."""

    url: str
    dsn: str
    token: str

    def get(self, path: str, **parameters: str) -> Any:
        """Return the response of the API."""
        response = httpx.get(
            f"{self.url}/api/canonical/0/{path}/",
            params=parameters,
            headers={"authorization": f"Bearer {self.token}"},
            timeout=30,
        )
        return response.raise_for_status().json()

    def wait_for(self, count: int) -> None:
        """Wait until the server has `count` events, for at most 30 seconds."""
        deadline = time.monotonic() + 30
        while len(self.events()) < count and time.monotonic() < deadline:
            time.sleep(0.2)

    def events(self) -> list[dict[str, Any]]:
        """Return the events of all issues as sent, each with the id of its issue."""
        found = []
        for issue in self.get("issues", project="1")["results"]:
            for event in self.get("events", issue=issue["id"])["results"]:
                detail = self.get(f"events/{event['id']}")
                found.append({**detail["data"], "issue": issue["id"]})
        return found

    def event_of(self, request_id: str) -> dict[str, Any] | None:
        """Return the event of a request, or None before it arrives."""
        events = (event for event in self.events() if event["tags"].get("request_id") == request_id)
        return next(events, None)


@contextmanager
def serve(host: str = "127.0.0.1") -> Generator[Bugsink]:
    """Install and run Bugsink, and remove it at the end."""
    with tempfile.TemporaryDirectory() as name:
        server, process = _start(_install(Path(name), host), Path(name))
        try:
            yield server
        finally:
            process.terminate()
            process.wait(timeout=30)


def _install(folder: Path, host: str) -> Path:
    """Install Bugsink and create its databases; return the folder of its programs."""
    uv, programs = command("uv"), folder / "venv" / "bin"
    for words in (
        (uv, "venv", "--quiet", folder / "venv"),
        (uv, "pip", "install", "--quiet", "--python", folder / "venv", "bugsink>=2.6,<3"),
        (programs / "bugsink-create-conf", "--template", "local", "--host", host,
         "--port", str(free_port(host))),
    ):  # fmt: skip
        _succeed(*words, cwd=folder)
    with (folder / "bugsink_conf.py").open("a") as settings:
        settings.write(SETTINGS)
    _succeed(programs / "bugsink-manage", "migrate", cwd=folder)
    _succeed(programs / "bugsink-manage", "migrate", "snappea", "--database=snappea", cwd=folder)
    return programs


def _start(programs: Path, folder: Path) -> tuple[Bugsink, subprocess.Popen[bytes]]:
    """Run Bugsink with a new project and a token for its API."""
    dsn = _succeed(programs / "bugsink-manage", "shell", "-c", MAKE_PROJECT, cwd=folder)
    token = _succeed(programs / "bugsink-manage", "create_auth_token", cwd=folder)
    dsn = dsn.split()[-1]
    scheme, _, rest = dsn.partition("://")
    url = f"{scheme}://{rest.partition('@')[2].partition('/')[0]}"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [programs / "gunicorn", "--bind", url.partition("://")[2], "bugsink.wsgi"],
            cwd=folder, stdout=log, stderr=log,
        )  # fmt: skip
    for _ in range(600):
        try:
            httpx.get(url, timeout=5)
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return Bugsink(url, dsn, token.split()[-1]), process
    process.kill()
    raise TimeoutError(f"Bugsink does not answer: {(folder / 'log').read_text()}")


def _succeed(*words: str | Path, cwd: Path) -> str:
    """Run a command, assert that it succeeds and return its output."""
    done = run(*words, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return done.stdout
