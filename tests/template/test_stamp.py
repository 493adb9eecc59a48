"""template_stamp.py: what a project is stamped with; and answers that are replayed."""

import json
import re
import shutil
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cookiecutter.main import cookiecutter

from template_stamp import SOURCES, address
from tests.renders import (
    CONTEXT,
    TEMPLATE,
    command,
    commit,
    environment,
    files,
    git,
    render,
    run,
    settings,
)

ADDRESSES = {
    "https": ("https://example.com/plinth.git", "https://example.com/plinth.git"),
    "port": ("https://example.com:8443/a/plinth", "https://example.com:8443/a/plinth"),
    "token": ("https://ghp_canary@example.com/plinth", "https://example.com/plinth"),
    "password": ("https://zoe:canary@example.com/plinth", "https://example.com/plinth"),
    "two signs": ("https://zoe:c@nary@example.com/plinth", "https://example.com/plinth"),
    "query": ("https://example.com/plinth?token=canary#canary", "https://example.com/plinth"),
    "ssh": ("ssh://git@example.com:22/plinth.git", "ssh://git@example.com:22/plinth.git"),
    "ssh with a password": ("ssh://git:canary@example.com/p", "ssh://git@example.com/p"),
    "short ssh": ("git@example.com:team/plinth.git", "git@example.com:team/plinth.git"),
    "absolute": ("/home/canary/plinth", ""),
    "relative": ("../canary/plinth", ""),
    "home": ("~/canary/plinth", ""),
    "file": ("file:///home/canary/plinth", ""),
    "windows": (r"C:\Users\canary\plinth", ""),
    "windows with slashes": ("C:/Users/canary/plinth", ""),
    "helper": ("ext::sh -c canary", ""),
    "command": ("https://example.com/$(touch${IFS}canary)", ""),
    "quote": ("ssh://git@example.com/`canary`", ""),
    "no address": ("https://[canary", ""),
    "none": ("", ""),
}

# Answers that only a replay file can contain.
REPLAYED: dict[str, tuple[str, Any, str]] = {
    "escape": ("project_slug", "../x", "project_slug: '../x' is not a valid name"),
    "hidden": ("description", "a\nb", "description: 'a\\nb' contains a line break"),
    "choice": ("server", "gunicorn", "server: 'gunicorn' is not one of the choices; must be hyp"),
    "python": ("python_version", "3.9", "python_version: '3.9' is not one of the choices"),
    "yes": ("use_sentry", "yes", "use_sentry: 'yes' is neither yes nor no; must be true or false"),
    "number": ("use_docker", 1, "use_docker: 1 is neither yes nor no"),
}


def stamp_of(project: Path) -> dict[str, Any]:
    """Return the stamp of a project."""
    pyproject = tomllib.loads((project / "pyproject.toml").read_text("utf-8"))
    stamp: dict[str, Any] = pyproject["tool"]["plinth"]
    return stamp


@pytest.fixture
def scaffold(tmp_path: Path, home: Path) -> Callable[..., Path]:
    """A function that renders a copy of the template into `out` with the `cookiecutter` command."""

    def scaffold(template: Path, *arguments: str, **variables: str) -> Path:
        done = run(
            command("cookiecutter"), template, *(arguments or ["--no-input"]),
            "--output-dir", tmp_path / "out", cwd=tmp_path, env=environment(home, **variables),
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        [project] = (tmp_path / "out").iterdir()
        return project

    return scaffold


# --- The stamp


@pytest.mark.parametrize(("url", "shown"), ADDRESSES.values(), ids=ADDRESSES)
def test_address(url: str, shown: str) -> None:
    """The address has no credentials and is no local path."""
    assert address(url) == shown


def test_commit_and_address(clone: Path, scaffold: Callable[..., Path]) -> None:
    """The stamp has the commit that the project was made from, and where it was cloned from."""
    git(clone, "remote", "add", "origin", "https://zoe:canary@example.com/plinth.git")
    stamp = stamp_of(scaffold(clone))
    assert stamp["commit"] == git(clone, "rev-parse", "HEAD")
    assert stamp["template"] == "https://example.com/plinth.git"


@pytest.mark.parametrize("source", SOURCES)
def test_uncommitted_change(source: str, clone: Path, scaffold: Callable[..., Path]) -> None:
    """A commit that lacks a change of what is rendered is marked, also for an untracked file."""
    path = clone / source
    path = path / "new.txt" if path.is_dir() else path
    path.write_text(f"{path.read_text('utf-8') if path.exists() else ''}\n", "utf-8")
    commit = git(clone, "rev-parse", "HEAD")
    assert stamp_of(scaffold(clone))["commit"] == f"{commit}-dirty"


def test_other_changes_do_not_count(clone: Path, scaffold: Callable[..., Path]) -> None:
    """A change that no project contains does not mark the commit."""
    (clone / "README.md").write_text("changed")
    (clone / "tests" / "new.py").touch()
    assert stamp_of(scaffold(clone))["commit"] == git(clone, "rev-parse", "HEAD")


def test_archive_inside_a_repository(
    clone: Path, scaffold: Callable[..., Path], tmp_path: Path
) -> None:
    """An unpacked archive knows only its version, and not the repository around it."""
    shutil.rmtree(clone / ".git")
    git(tmp_path, "init")
    git(tmp_path, "remote", "add", "origin", "https://example.com/other.git")
    commit(tmp_path, "Other")
    stamp = stamp_of(scaffold(clone))
    assert stamp["version"]
    assert (stamp["commit"], stamp["template"]) == ("", "")


def test_without_git(clone: Path, scaffold: Callable[..., Path]) -> None:
    """Without git the stamp has a version."""
    stamp = stamp_of(scaffold(clone, PATH="/nowhere"))
    assert stamp["version"]
    assert (stamp["commit"], stamp["template"]) == ("", "")


def test_other_repository_in_the_environment(clone: Path, scaffold: Callable[..., Path]) -> None:
    """Variables that git sets for its hooks do not change the stamp."""
    other = {"GIT_DIR": f"{TEMPLATE}/.git", "GIT_WORK_TREE": str(TEMPLATE)}
    assert stamp_of(scaffold(clone, **other))["commit"] == git(clone, "rev-parse", "HEAD")


def test_exported_tree(clone: Path, scaffold: Callable[..., Path]) -> None:
    """A portable template stamps the commit and the address of the template that it is made of."""
    exported = {"commit": "0123", "template": "https://example.com/plinth"}
    (clone / "portable.json").write_text(json.dumps(exported))
    stamp = stamp_of(scaffold(clone))
    assert {name: stamp[name] for name in exported} == exported


# --- Replays


def replay(path: Path, **answers: Any) -> Path:
    """Write a replay file: all answers, and everything else that could be forged."""
    defaults = {name: v[0] if isinstance(v, list) else v for name, v in CONTEXT.items()}
    forged = {"_plinth_version": "9.9", "commit": "forged", "_commit": "forged", "version": "9.9"}
    texts = {"project_slug": "replayed", "_extensions": CONTEXT["_extensions"]}
    path.write_text(json.dumps({"cookiecutter": defaults | forged | texts | answers}))
    return path


def test_replayed_stamp(clone: Path, scaffold: Callable[..., Path], tmp_path: Path) -> None:
    """Replayed answers are used, but version and commit are those of the template."""
    path = replay(tmp_path / "replay.json", use_sentry=True, project_slug="Todo-API")
    project = scaffold(clone, f"--replay-file={path}")
    stamp = stamp_of(project)
    assert (project.name, stamp["project_slug"], stamp["use_sentry"]) == (*["todo_api"] * 2, True)
    assert stamp["version"] != "9.9"
    assert stamp["commit"] == git(clone, "rev-parse", "HEAD")
    assert "forged" not in (project / "pyproject.toml").read_text("utf-8")


@pytest.mark.parametrize(("name", "value", "line"), REPLAYED.values(), ids=REPLAYED)
def test_replayed_answers_are_checked(
    name: str, value: Any, line: str, home: Path, tmp_path: Path
) -> None:
    """A bad answer in a replay file is refused like a typed one, before any file."""
    path = replay(tmp_path / "replay.json", **{name: value})
    with pytest.raises(SystemExit, match=f"^{re.escape(line)}"):
        cookiecutter(
            str(TEMPLATE),
            replay=str(path),
            output_dir=str(tmp_path / "deep" / "out"),
            config_file=str(settings(home)),
        )
    assert files(tmp_path) == {"replay.json"}
    assert not (tmp_path / "deep").exists()


def test_old_cookiecutter(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, home: Path) -> None:
    """A cookiecutter that does not know the delimiters is refused in one line."""
    monkeypatch.setattr("cookiecutter.__version__", "2.5.1")
    with pytest.raises(SystemExit, match=r"^cookiecutter 2.5.1 is too old; must be 2.6 or newer$"):
        render(tmp_path / "out", home)
    assert not (tmp_path / "out").exists()
