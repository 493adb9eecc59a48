"""The files of `use_docker`, checked without starting a container."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.renders import COMBINATIONS, PYTHON_VERSIONS, SOURCES, command, run

Bake = Callable[..., Path]

WITH_DOCKER = {name: answers for name, answers in COMBINATIONS.items() if answers["use_docker"]}
SERVER = SOURCES / "<<cookiecutter.project_slug>>/_internal/server/settings.py"

# Variables that a user can set for the stack.
VARIABLES = {
    "by-default": {},
    "a-domain": {"DOMAIN": "shop.example.com"},
    "other-ports": {"HTTP_PORT": "8080", "HTTPS_PORT": "8443", "PUBLISH": "127.0.0.1"},
    "h2c": {"UPSTREAM_HTTP": "h2c"},
    "at-the-root": {"ROOT_PATH": ""},
}


@pytest.fixture(params=list(WITH_DOCKER.values()), ids=list(WITH_DOCKER))
def project(request: pytest.FixtureRequest, bake: Bake) -> Path:
    """A project with Docker, in every combination with the other options."""
    return bake(**request.param)


def compose(project: Path, *words: str, **variables: str) -> dict[str, Any]:
    """Return the configuration that Compose reads from the project's files."""
    if not shutil.which("docker") or run("docker", "compose", "version", cwd=project).returncode:
        pytest.skip("Compose v2 is not installed (images)")
    done = run(
        "docker", "compose", *words, "config", "--format", "json",
        cwd=project, env=os.environ | variables,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    config: dict[str, Any] = json.loads(done.stdout)
    return config


def adapt(project: Path, home: Path, **variables: str) -> dict[str, Any]:
    """Validate the Caddyfile and return the configuration that Caddy reads from it."""
    if not shutil.which("caddy"):
        pytest.skip("caddy is not installed")
    env = os.environ | {"HOME": str(home), "XDG_DATA_HOME": str(home)} | variables
    done = run("caddy", "validate", "--config", "Caddyfile", cwd=project, env=env)
    assert "Valid configuration" in done.stdout + done.stderr
    adapted = subprocess.run(
        ["caddy", "adapt", "--config", "Caddyfile"],
        cwd=project, env=env, capture_output=True, check=True,
    )  # fmt: skip
    config: dict[str, Any] = json.loads(adapted.stdout)
    return config


@pytest.mark.parametrize("variables", VARIABLES.values(), ids=VARIABLES)
def test_compose(variables: dict[str, str], project: Path) -> None:
    """Compose reads the files without a warning and publishes the configured ports."""
    services = compose(project, **variables)["services"]
    assert {"app", "caddy"} <= services.keys()
    ports = [(port.get("host_ip", ""), port["published"], port["target"], port["protocol"])
             for port in services["caddy"]["ports"]]  # fmt: skip
    http, https = variables.get("HTTP_PORT", "80"), variables.get("HTTPS_PORT", "443")
    address = variables.get("PUBLISH", "")
    assert ports == [
        (address, http, int(http), "tcp"),
        (address, https, int(https), "tcp"),
        (address, https, int(https), "udp"),
    ]


def test_each_compose_file_is_complete(project: Path) -> None:
    """Every additional Compose file can be removed or used alone."""
    for path in project.glob("compose.?*.yaml"):
        assert compose(project, "--file", path.name)["services"]


def test_files_of_any_mode(project: Path) -> None:
    """Containers get readable copies of files: other users cannot read those of a strict umask."""
    for path in project.glob("compose*.yaml"):
        text = path.read_text("utf-8")
        assert set(re.findall(r"- (\./\S+)", text)) <= {"./monitoring:/srv/monitoring:ro"}
        for copied in re.findall(r"COPY .*", text):
            assert re.match(r"COPY --chmod=(644|755) ", copied)


@pytest.mark.parametrize("variables", VARIABLES.values(), ids=VARIABLES)
def test_caddy(variables: dict[str, str], project: Path, home: Path) -> None:
    """The Caddyfile is valid for localhost, a domain, other ports and HTTP/2 to the service."""
    config = adapt(project, home, **variables)
    assert variables.get("DOMAIN", "localhost") in json.dumps(config)
    formatted = run("caddy", "fmt", "--diff", "Caddyfile", cwd=project)
    assert not re.search(r"^[+-]", formatted.stdout, re.MULTILINE), formatted.stdout


def test_hsts_needs_a_domain(bake: Bake, home: Path) -> None:
    """Every host sends HSTS except localhost, which other servers use too."""
    config = json.dumps(adapt(bake(use_docker=True), home, DOMAIN="shop.example.com"))
    assert "Strict-Transport-Security" in config
    assert '"not": [{"host": ["localhost"]}]' in config


def test_dockerfile(project: Path) -> None:
    """hadolint reports no problem."""
    if not shutil.which(command("hadolint")):
        pytest.skip("hadolint is not installed")
    done = run(command("hadolint"), "Dockerfile", cwd=project)
    assert (done.returncode, done.stdout) == (0, "")


def test_data_volume(project: Path) -> None:
    """Without their `#`, the commented lines give the service a volume that its user owns."""
    dockerfile = project / "Dockerfile"
    text = re.sub(r"^# (?=RUN )", "", dockerfile.read_text("utf-8"), flags=re.MULTILINE)
    dockerfile.write_text(text)
    user = re.findall(r"^USER (\d+):(\d+)$", text, re.MULTILINE)
    assert re.findall(r"^RUN install .*--owner=(\d+) --group=(\d+) /data$", text, re.M) == user
    assert text.index("RUN install") < text.index("USER ")
    test_dockerfile(project)
    file = project / "compose.yaml"
    file.write_text(re.sub(r"# (?=volumes:|  - app_data:|app_data:)", "", file.read_text("utf-8")))
    config = yaml.safe_load(file.read_text("utf-8"))
    assert config["services"]["app"]["volumes"] == ["app_data:/data"]
    assert config["volumes"].keys() == {"app_data", "caddy_data"}
    [volume] = compose(project)["services"]["app"]["volumes"]
    assert (volume["type"], volume["source"], volume["target"]) == ("volume", "app_data", "/data")


@pytest.mark.parametrize("version", PYTHON_VERSIONS)
def test_python_of_the_image(version: str, bake: Bake) -> None:
    """Every stage uses Python 3.13, or the chosen version if that is newer."""
    text = (bake(use_docker=True, python_version=version) / "Dockerfile").read_text("utf-8")
    newest = max("3.13", version)
    images = re.findall(r"^FROM (\S+)", text, re.MULTILINE)
    assert images == [f"python:{newest}-slim", "base", "base"]


def test_dockerfile_builds_with_old_engines(project: Path) -> None:
    """Engines since 20.10 can build the Dockerfile, without a syntax image from a registry."""
    text = (project / "Dockerfile").read_text("utf-8")
    assert not re.search(r"^# *syntax=|@sha256:|--link|--mount|<<", text, re.MULTILINE)


def test_idle_connections(bake: Bake, home: Path) -> None:
    """Caddy closes an idle connection before the service does, so that no request is lost."""
    config = json.dumps(adapt(bake(use_docker=True), home))
    idle = {int(value) / 1e9 for value in re.findall(r'"idle_timeout": (\d+)', config)}
    limit = re.search(r"IDLE_TIMEOUT = (\d+)", SERVER.read_text("utf-8"))
    assert limit
    assert 0 < max(idle) < int(limit[1])


def test_grace_periods(project: Path, home: Path) -> None:
    """The engine waits longer than the service and Caddy take to stop."""
    services = compose(project)["services"]
    settings = services["app"]["environment"]
    needed = float(settings["SHUTDOWN_DELAY"]) + float(settings["SHUTDOWN_TIMEOUT"])
    # Two more seconds for cancelled requests and for `shutdown`.
    assert seconds(services["app"]["stop_grace_period"]) > needed + 2
    caddy = adapt(project, home)["apps"]["http"]["grace_period"] / 1e9
    assert needed < caddy < seconds(services["caddy"]["stop_grace_period"])


def seconds(text: str) -> int:
    """Return the seconds in a duration such as `15s`."""
    return int(text.removesuffix("s"))
