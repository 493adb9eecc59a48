"""From a fresh clone to a running service, with every available Python and installer."""

import os
import re
import shutil
import sys
from pathlib import Path

import pytest

from tests.rendered_tests import folders_of_tests, in_project
from tests.renders import (
    CHECKS,
    COMBINATIONS,
    EXTRA,
    SERVERS,
    command,
    render,
    run,
    settings,
    unwanted_folders,
)
from tests.serving import check, serve

# A router without a test, in place of the example.
ITEMS = '''"""Items."""

from fastapi import APIRouter, HTTPException
from loguru import logger

router = APIRouter(tags=["items"])
found: dict[int, str] = {}


@router.get("/items/{number}")
async def item(number: int) -> str:
    """Return the name of an item."""
    if number not in found:
        logger.info("no such item", number=number)
        raise HTTPException(404)
    return found[number]
'''


def interpreters() -> list[str]:
    """Return one interpreter of each minor version: this one, then those in SITE_PYTHONS."""
    found = {"{}.{}".format(*sys.version_info): sys.executable}
    for path in os.environ.get("SITE_PYTHONS", "").split():
        version = run(
            path, "-c", "import sys; print('%d.%d' % sys.version_info[:2])", cwd=Path("/")
        )
        found.setdefault(version.stdout.strip(), path)
    return list(found.values())


def isolated(home: Path, **variables: str) -> dict[str, str]:
    """Return this process's variables without its virtual environment."""
    kept = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    return kept | {"COOKIECUTTER_CONFIG": str(settings(home))} | variables


def make(project: Path, env: dict[str, str], *targets: str) -> None:
    """Run make in a project and assert that it succeeds."""
    done = run("make", *targets, cwd=project, env=env)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


@pytest.mark.parametrize("python", interpreters())
def test_make_targets(python: str, tmp_path: Path, home: Path) -> None:
    """On every Python a new project installs, passes its own lint and tests, and serves."""
    version = run(python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])", cwd=tmp_path)
    project = render(tmp_path, home, python_version=version.stdout.strip())
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "uv").symlink_to(command("uv"))
    env = isolated(home, UV_PYTHON=python, PATH=f"{tools}:{os.environ['PATH']}")
    make(project, env, "install")
    assert (project / "uv.lock").exists()
    make(project, env | {"UV_LOCKED": "1"}, "lint", "test", "format")
    assert run("git", "status", "--porcelain", cwd=project).stdout == "?? uv.lock\n"
    check(serve(project / ".venv/bin/python", project.name, tmp_path))
    # A first endpoint without a test passes the coverage gate.
    routers = project / project.name / "routers"
    (routers / "items.py").write_text(ITEMS)
    wiring = routers / "__init__.py"
    wiring.write_text(wiring.read_text("utf-8").replace("hello", "items"))
    (routers / "hello.py").unlink()
    (project / "tests/test_hello.py").unlink()
    make(project, env, "test", "lint")


@pytest.mark.parametrize("python", interpreters())
def test_other_server(python: str, tmp_path: Path, home: Path) -> None:
    """On every Python a project with the other server serves."""
    version = run(python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])", cwd=tmp_path)
    project = render(tmp_path, home, python_version=version.stdout.strip(), server=SERVERS[-1])
    env = isolated(home, UV_PYTHON=python)
    done = run(command("uv"), "sync", "--quiet", "--no-dev", cwd=project, env=env)
    assert done.returncode == 0, done.stderr
    check(serve(project / ".venv/bin/python", project.name, tmp_path))


def test_pipx_and_no_uv(tmp_path: Path, home: Path) -> None:
    """After `pipx run cookiecutter`, `make install` without uv installs a local copy of uv."""
    if not shutil.which("make", path="/usr/bin:/bin"):
        pytest.skip("make is not where Debian has it")
    env = isolated(home, PIPX_HOME=str(tmp_path / "pipx"), PIPX_DEFAULT_PYTHON=sys.executable)
    template = Path(__file__).parents[2]
    pipx = (command("pipx"), "run", "cookiecutter", template, "--no-input")
    done = run(*pipx, "--output-dir", tmp_path, cwd=tmp_path, env=env)
    assert done.returncode == 0, done.stderr
    project = tmp_path / "my_service"
    python = tmp_path / "bin"
    python.mkdir()
    (python / "python3").symlink_to(sys.executable)
    make(project, env | {"PATH": f"{python}:/usr/bin:/bin"}, "install", "test")
    assert (project / ".uv/bin/uv").exists()


def test_pip(tmp_path: Path, home: Path) -> None:
    """pip alone installs the project with its tools, and the installed package serves."""
    project, venv = render(tmp_path, home), tmp_path / "venv"
    pip = (venv / "bin/python", "-m", "pip", "--quiet", "--disable-pip-version-check", "install")
    for words in (
        (sys.executable, "-m", "venv", venv),
        (*pip, "--upgrade", "pip>=25.1"),
        (*pip, project, "--group", f"{project}/pyproject.toml:dev"),
        (venv / "bin/python", "-m", "pytest", "-q", project),
    ):
        done = run(*words, cwd=tmp_path)
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    check(serve(venv / "bin/python", "my_service", tmp_path))


def pip_index() -> str:
    """Return the URL of pip's configured index."""
    done = run(sys.executable, "-m", "pip", "install", "--help", cwd=Path("/"))
    found = re.search(r"--index-url <url> .*?\(default ([^)]+)\)", " ".join(done.stdout.split()))
    assert found, done.stdout + done.stderr
    return found[1]


def test_poetry(tmp_path: Path, home: Path) -> None:
    """Poetry 2 accepts and installs the project with its tools, and the project's tests pass."""
    project = render(tmp_path, home)
    poetry = (command("uv"), "tool", "run", "poetry>=2.2")
    env = isolated(home, POETRY_HOME=str(home), POETRY_CACHE_DIR=str(tmp_path / "cache"),
                   POETRY_VIRTUALENVS_IN_PROJECT="true")  # fmt: skip
    done = run(*poetry, "check", cwd=project, env=env)
    assert (done.returncode, done.stdout) == (0, "All set!\n"), done.stdout + done.stderr
    for words in (
        # Poetry's own source needs a JSON API, which mirrors lack.
        ("source", "add", "--priority=primary", "index", pip_index()),
        ("install", "--with", "dev"),
        ("run", "python", "-m", "pytest", "-q"),
    ):
        done = run(*poetry, *words, cwd=project, env=env)
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


@pytest.mark.parametrize("server", os.environ.get("SERVERS", SERVERS[0]).split())
def test_lowest_versions(server: str, tmp_path: Path, home: Path) -> None:
    """A project's tests pass with the oldest versions that it allows; so do all in `e2e-full`."""
    combination = "all" if server == SERVERS[0] else f"{server}+all"
    answers = COMBINATIONS[combination]
    project = render(tmp_path, home, **answers)
    unwanted = shutil.ignore_patterns(*unwanted_folders(answers))
    shutil.copytree(CHECKS, project / "checks", ignore=unwanted)
    env = isolated(home, UV_PYTHON=sys.executable)
    for words in (
        ("sync", "--quiet", "--all-groups", "--resolution=lowest-direct"),
        ("pip", "install", "--quiet", "--python=.venv", *EXTRA),
    ):
        done = run(command("uv"), *words, cwd=project, env=env)
        assert done.returncode == 0, done.stderr
    for tests in folders_of_tests(combination) if "SERVERS" in os.environ else ["tests"]:
        in_project(project, "pytest", "-q", tests)
