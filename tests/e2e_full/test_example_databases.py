"""The to-do application's own tests on MariaDB and on PostgreSQL."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from tests.e2e.ports import free_port
from tests.e2e.stack import need_engine, until
from tests.renders import TEMPLATE, command, run

PASSWORD = "canary-p@ss/word"


@dataclass(frozen=True)
class Server:
    """A database server in a container.

    Attributes:
        image: the image; its variables begin with `prefix`.
        port: its port inside the container.
        driver: the beginning of URLs for the service.
        ready: the command in the container that succeeds when it answers over TCP.
    """

    image: str
    prefix: str
    port: int
    driver: str
    ready: tuple[str, ...]
    database: str = "DATABASE"


SERVERS = [
    Server(
        "mariadb:11", "MARIADB", 3306, "mysql+aiomysql",
        ("healthcheck.sh", "--connect", "--innodb_initialized"),
    ),
    Server(
        "postgres:17", "POSTGRES", 5432, "postgresql+psycopg",
        ("pg_isready", "--host=127.0.0.1"), "DB",
    ),
]  # fmt: skip


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The application, installed with every driver."""
    folder = tmp_path_factory.mktemp("example")
    project = folder / "todo"
    for words, where in (
        ((sys.executable, "make_example.py", str(folder)), TEMPLATE),
        ((command("uv"), "sync", "--quiet", "--all-groups"), project),
        ((command("uv"), "add", "--quiet", "psycopg[binary]"), project),
    ):
        done = run(*words, cwd=where)
        assert done.returncode == 0, done.stderr
    return project


@pytest.fixture(params=SERVERS, ids=lambda server: server.image)
def variables(request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """The variables of an application with an empty database on a server."""
    need_engine()
    server: Server = request.param
    name, port = f"todo-{uuid4().hex}", free_port()
    settings = {server.database: "todo", "USER": "todo", "PASSWORD": PASSWORD}
    if server.prefix == "MARIADB":
        settings["ROOT_PASSWORD"] = PASSWORD
    environment = [f"--env={server.prefix}_{key}={value}" for key, value in settings.items()]
    published = f"--publish=127.0.0.1:{port}:{server.port}"
    docker("run", "--detach", "--name", name, published, *environment, server.image)
    try:
        until(lambda: exec_succeeds(name, server.ready), 120)
        url = f"{server.driver}://todo@127.0.0.1:{port}/todo"
        secret = url.replace("todo@", "todo:canary-p%40ss%2Fword@")
        yield os.environ | {
            "DATABASE_URL": url, "DATABASE_PASSWORD": PASSWORD, "TEST_DATABASE_URL": secret,
        }  # fmt: skip
    finally:
        docker("rm", "--force", "--volumes", name)


def docker(*words: str) -> None:
    """Run the engine's command."""
    subprocess.run(["docker", *words], stdout=subprocess.DEVNULL, check=True)


def exec_succeeds(container: str, words: tuple[str, ...]) -> bool:
    """Return whether a command in a container succeeds."""
    line = ["docker", "exec", container, *words]
    return not subprocess.run(line, capture_output=True, check=False).returncode


def test_the_application_on_another_database(variables: dict[str, str], project: Path) -> None:
    """Its tests pass, its migrations leave nothing out, and no line has the password."""
    bin_folder = project / ".venv" / "bin"
    for words in (
        ("python", "-m", "pytest", "-q", "--show-capture=no"),
        ("python", "-m", "todo.migrations"),
        ("alembic", "check"),
        ("alembic", "downgrade", "base"),
        ("python", "-m", "todo.migrations"),
    ):
        done = run(str(bin_folder / words[0]), *words[1:], cwd=project, env=variables)
        assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
        assert "canary" not in done.stdout + done.stderr
