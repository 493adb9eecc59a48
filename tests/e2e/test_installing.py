"""From a fresh clone to a running service, with every available Python and installer."""

import os
import shutil
import sys
from pathlib import Path

import pytest

from tests.renders import SERVERS, command, render, run, settings
from tests.serving import check, serve


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


def test_poetry(tmp_path: Path, home: Path) -> None:
    """`poetry check` of Poetry 2 accepts the project."""
    project = render(tmp_path, home)
    poetry = (command("uv"), "tool", "run", "poetry>=2.2")
    done = run(*poetry, "check", cwd=project, env=isolated(home, POETRY_HOME=str(home)))
    assert (done.returncode, done.stdout) == (0, "All set!\n"), done.stdout + done.stderr
