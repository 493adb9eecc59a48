"""What `make new` and the other targets of the template promise, without building anything."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.renders import TEMPLATE, environment, files, run

MAKEFILE = (TEMPLATE / "Makefile").read_text("utf-8")

# Programs in place of Python, and what `make new` then says.
LACKING = {
    "old-python": ("exit 1", "Python 3.11 or newer is needed"),
    "no-venv": (
        'case "$2" in *ensurepip*) echo "No module named ensurepip" >&2; exit 1; esac',
        "Python has no venv; on Debian and Ubuntu: sudo apt install python3-venv",
    ),
}


def make_new(clone: Path, home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `make new` with the tools that are already installed beside this Python."""
    tools = f"BIN={Path(sys.executable).parent}"
    return run(
        "make", "-o", ".venv/new", "new", tools, *arguments, cwd=clone, env=environment(home)
    )


def test_every_target_is_explained() -> None:
    """A comment stands above each target, and `make help` shows all of them."""
    targets = re.findall(r"^([a-z0-9-]+):", MAKEFILE, re.MULTILINE)
    explained = re.findall(r"^# .+\n([a-z0-9-]+):", MAKEFILE, re.MULTILINE)
    assert explained == targets
    shown = run("make", "help", cwd=TEMPLATE).stdout.splitlines()
    assert [line.split()[1] for line in shown] == targets
    assert f".PHONY: {' '.join(targets)}\n" in MAKEFILE


def test_new_scaffolds_beside_the_clone(clone: Path, home: Path) -> None:
    """The project lands next to the template, and the template stays as it was."""
    before = files(clone)
    done = make_new(clone, home, "ARGS=--no-input")
    assert (done.returncode, done.stderr) == (0, "")
    assert (clone.parent / "my_service" / "pyproject.toml").exists()
    assert {path for path in files(clone) - before if "__pycache__" not in path} == set()


def test_new_passes_answers_on(clone: Path, home: Path) -> None:
    """Blanks, quotes, dollars and hashes in ARGS arrive, quoted as in a shell."""
    answers = """ project_name="My \\"\\$5\\" API" 'author_name=#1 $$'"""
    done = make_new(clone, home, f"ARGS=--no-input {answers}")
    assert done.returncode == 0
    assert '  project_name    My "$5" API\n' in done.stdout
    assert "  author_name     #1 $$\n" in done.stdout


def test_new_scaffolds_where_out_says(clone: Path, home: Path, tmp_path: Path) -> None:
    """OUT may have blanks and need not exist yet."""
    done = make_new(clone, home, "ARGS=--no-input", f"OUT={tmp_path}/a b/c")
    assert done.returncode == 0
    assert (tmp_path / "a b/c/my_service/pyproject.toml").exists()


@pytest.mark.parametrize("out", ["", ".", "docs", "../plinth/x"])
def test_new_never_scaffolds_into_the_clone(out: str, clone: Path, home: Path) -> None:
    """One line tells so, and nothing is made."""
    before = files(clone)
    done = make_new(clone, home, "ARGS=--no-input", f"OUT={out}")
    assert done.returncode != 0
    assert done.stderr.startswith(f"OUT={out} lies inside the template; choose a folder outside")
    assert files(clone) == before


@pytest.mark.parametrize(("script", "line"), LACKING.values(), ids=LACKING)
def test_what_the_machine_lacks_is_said(
    script: str, line: str, clone: Path, home: Path, tmp_path: Path
) -> None:
    """Too old a Python, or one without venv, gives one line with the remedy."""
    (tmp_path / "python").write_text(f"#!/bin/sh\n{script}\n")
    (tmp_path / "python").chmod(0o755)
    done = run("make", "new", f"PYTHON={tmp_path}/python", cwd=clone, env=environment(home))
    said, make_failed = done.stderr.splitlines()
    assert said.startswith(line)
    assert make_failed.startswith("make: ***")
    assert not (clone / ".venv").exists()
