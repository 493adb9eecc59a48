"""Start, request, inspect and remove the containers of a rendered project."""

import json
import os
import shutil
import ssl
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import httpx
import pytest

from tests.e2e.ports import free_port
from tests.renders import run

TRIAL = Path(__file__).with_name("trial.py")
STRANGER = 12_345  # no user of a container
Found = TypeVar("Found")
ROOT = "/data/caddy/pki/authorities/local/root.crt"


def need_engine() -> None:
    """Skip the test without a container engine, and name what is missing."""
    if not shutil.which("docker"):
        pytest.skip("no container engine: docker is not installed")
    if subprocess.run(
        ["docker", "compose", "version"], capture_output=True, check=False
    ).returncode:
        pytest.skip("no Compose v2 for the engine: `docker compose` is no command (images)")
    if subprocess.run(["docker", "version"], capture_output=True, check=False).returncode:
        pytest.skip("no container engine answers")


def until(look: Callable[[], Found | None], seconds: float = 10) -> Found:
    """Poll `look` and return its first true result."""
    end = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < end, f"nothing was found in {seconds} s"
        time.sleep(0.05)
    return found


@dataclass
class Container:
    """One container of the engine."""

    id: str

    @property
    def inspected(self) -> dict[str, Any]:
        """The output of `docker inspect`."""
        done = subprocess.run(
            ["docker", "inspect", self.id], capture_output=True, text=True, check=True
        )
        shown: dict[str, Any] = json.loads(done.stdout)[0]
        return shown

    def log(self) -> list[str]:
        """Return every line so far."""
        done = subprocess.run(
            ["docker", "logs", self.id],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True,
        )  # fmt: skip
        return done.stdout.splitlines()


class Stack:
    """The containers of one project, under a unique name and on loopback ports."""

    def __init__(self, project: Path, **variables: str) -> None:
        self.project = project
        self.rebuilt_in = 0.0  # seconds
        self.https_port, self.http_port = str(free_port()), str(free_port())
        self.url = f"https://localhost:{self.https_port}"
        self.environment = os.environ | {
            "COMPOSE_PROJECT_NAME": f"plinth-{uuid4().hex[:8]}",
            "PUBLISH": "127.0.0.1",
            "HTTP_PORT": self.http_port,
            "HTTPS_PORT": self.https_port,
            "PROMETHEUS_PORT": str(free_port()),
            "ALERTMANAGER_PORT": str(free_port()),
            **variables,
        }

    def __call__(self, *words: str) -> str:
        """Run a command in the project, assert that it succeeds and return its output."""
        done = run(*words, cwd=self.project, env=self.environment)
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        return done.stdout

    def compose(self, *words: str) -> str:
        """Run `docker compose`."""
        return self("docker", "compose", *words)

    def up(self, **variables: str) -> None:
        """Start the stack with `make up`."""
        self.environment |= variables
        self("make", "up")

    def make_private(self) -> None:
        """Give the project's files the modes of umask 077; for root, also another owner."""
        for path in self.project.rglob("*"):
            if ".git" not in path.parts:  # git refuses another owner's repository
                path.chmod(path.stat().st_mode & 0o700)
                if os.geteuid() == 0:
                    os.chown(path, STRANGER, STRANGER)

    def add_trial(self) -> None:
        """Add the routes of `trial.py` to the service."""
        package = self.project / self.project.name
        shutil.copy(TRIAL, package / "routers")
        routers = package / "routers/__init__.py"
        text = routers.read_text("utf-8")
        text = text.replace("\nrouters:", "from .trial import router as trial_router\n\nrouters:")
        routers.write_text(
            text.replace("    health_router,\n", "    health_router,\n    trial_router,\n")
        )

    def remove(self) -> None:
        """Remove the containers, volumes, networks and images."""
        down = ("down", "--volumes", "--rmi", "local", "--remove-orphans", "--timeout", "1")
        self.compose("--profile", "*", *down)
        # Remove images that lost their name to a later build.
        label = f"label=com.docker.compose.project={self.environment['COMPOSE_PROJECT_NAME']}"
        self("docker", "image", "prune", "--force", "--filter", label)

    def containers(self, service: str) -> list[Container]:
        """Return the containers of a service, stopped ones too."""
        return [*map(Container, self.compose("ps", "--all", "--quiet", service).split())]

    def container(self, service: str) -> Container:
        """Return the only container of a service."""
        (container,) = self.containers(service)
        return container

    def log(self, service: str) -> list[dict[str, Any]]:
        """Return every line of a service's existing containers."""
        lines = self.compose("logs", "--no-color", "--no-log-prefix", service).splitlines()
        return [*map(json.loads, lines)]

    def line(self, service: str, request_id: str) -> dict[str, Any]:
        """Wait for the summary line of a request and return it."""

        def find() -> list[dict[str, Any]]:
            return [line for line in self.log(service)
                    if line.get("request_id") == request_id
                    and line["message"] in SUMMARIES]  # fmt: skip

        (line,) = until(find)
        return line

    def gateway(self, network: str) -> str:
        """Return the address at which a network's containers reach this machine."""
        name = f"{self.environment['COMPOSE_PROJECT_NAME']}_{network}"
        found = self(
            "docker", "network", "inspect", "-f", "{{(index .IPAM.Config 0).Gateway}}", name
        )
        return found.strip()

    def tls(self) -> ssl.SSLContext:
        """Return a context that trusts only Caddy's CA."""
        context = ssl.create_default_context(cadata=self.root())
        assert context.get_ca_certs()
        return context

    def root(self) -> str:
        """Return the certificate of Caddy's CA."""
        return self.compose("exec", "-T", "caddy", "cat", ROOT)

    def client(self, protocol: str = "2") -> httpx.Client:
        """Return a client for one version of HTTP that verifies Caddy's certificate."""
        return httpx.Client(
            base_url=self.url,
            verify=self.tls(),
            http1=protocol == "1.1",
            http2=protocol == "2",
            timeout=20,
            trust_env=False,
        )


# Messages of a request's summary line, in the logs of the service and of Caddy.
SUMMARIES = {"handled request", "log request", "log websocket", "unhandled exception"}
