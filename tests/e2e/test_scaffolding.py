"""Scaffold from a fresh clone, and with other versions of Python and cookiecutter."""

import os
import sys
from pathlib import Path

import pytest

from template_extension import SLUG, TAKEN
from tests.renders import TEMPLATE, command, contents, render, run, settings

ANSWERS = ("project_name=Zoë's 😀 API", "author_name=李雷", "project_slug=zoe")
PYTHONS = [sys.executable, *os.environ.get("SITE_PYTHONS", "").split()]


def isolated(home: Path) -> dict[str, str]:
    """Return this process's variables, package caches included, with isolated settings."""
    return os.environ | {"COOKIECUTTER_CONFIG": str(settings(home))}


def test_fresh_clone(clone: Path, home: Path) -> None:
    """In a fresh clone, `make new` needs no other step."""
    python = f"PYTHON={sys.executable}"
    done = run("make", "new", "ARGS=--no-input", python, cwd=clone, env=isolated(home))
    assert done.returncode == 0, done.stderr
    assert "  make install dev" in done.stdout.splitlines()
    assert (clone.parent / "my_service" / "pyproject.toml").exists()
    assert run("git", "status", "--porcelain", cwd=clone).stdout == ""


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("version", ["cookiecutter==2.6.0", "cookiecutter"])
def test_every_version_renders_the_same(
    python: str, version: str, tmp_path: Path, home: Path
) -> None:
    """Every version of Python and of cookiecutter renders a byte-identical project."""
    done = run(
        command("uv"), "run", "--no-project", "--isolated", "--python", python, "--with", version,
        "cookiecutter", TEMPLATE, "--no-input", "--output-dir", tmp_path / "out", *ANSWERS,
        cwd=tmp_path, env=isolated(home),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answers = dict(answer.split("=") for answer in ANSWERS)
    here = render(tmp_path / "here", home, **answers)
    assert contents(tmp_path / "out" / here.name) == contents(here)


# Prints the names that can be imported and the names that are installed.
NAMES = """
from importlib.metadata import distributions, packages_distributions
print(*packages_distributions(), *[found.metadata["Name"] for found in distributions()])
"""


def test_every_dependency_is_a_reserved_slug(tmp_path: Path, home: Path) -> None:
    """No project can have the name of a direct or indirect dependency."""
    project, venv = render(tmp_path, home), tmp_path / "venv"
    for line in (
        f"venv --python {sys.executable} {venv}",
        f"pip install --python {venv} --requirements pyproject.toml --group dev",
    ):
        done = run(command("uv"), *line.split(), cwd=project)
        assert done.returncode == 0, done.stderr
    printed = run(venv / "bin" / "python", "-c", NAMES, cwd=tmp_path).stdout
    names = printed.lower().replace("-", "_").split()
    assert {name for name in names if SLUG.fullmatch(name)} - TAKEN == set()
