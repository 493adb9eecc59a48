"""The Makefiles of the template and of a project, without installing anything."""

import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.renders import COMBINATIONS, TEMPLATE, environment, files, run

MAKEFILE = (TEMPLATE / "Makefile").read_text("utf-8")

# Scripts in place of Python, and the error of `make new`.
LACKING = {
    "old-python": ("exit 1", "Python 3.11 or newer is required"),
    "no-venv": (
        'case "$2" in *ensurepip*) echo "No module named ensurepip" >&2; exit 1; esac',
        "Python has no venv; on Debian and Ubuntu: sudo apt install python3-venv",
    ),
}


def make_new(clone: Path, home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `make new` with the tools that are installed beside this Python."""
    tools = f"BIN={Path(sys.executable).parent}"
    return run(
        "make", "-o", ".venv/new", "new", tools, *arguments, cwd=clone, env=environment(home)
    )


def test_every_target_is_explained() -> None:
    """Each target has a comment, and `make help` shows all of them."""
    targets = re.findall(r"^([a-z0-9-]+):", MAKEFILE, re.MULTILINE)
    explained = re.findall(r"^# .+\n([a-z0-9-]+):", MAKEFILE, re.MULTILINE)
    assert explained == targets
    shown = run("make", "help", cwd=TEMPLATE).stdout.splitlines()
    assert [line.split()[1] for line in shown] == targets
    assert f".PHONY: {' '.join(targets)}\n" in MAKEFILE


def test_new_scaffolds_beside_the_clone(clone: Path, home: Path) -> None:
    """The project is next to the template, and the template does not change."""
    before = files(clone)
    done = make_new(clone, home, "ARGS=--no-input")
    assert (done.returncode, done.stderr) == (0, "")
    assert (clone.parent / "my_service" / "pyproject.toml").exists()
    assert {path for path in files(clone) - before if "__pycache__" not in path} == set()


def test_new_forwards_answers(clone: Path, home: Path) -> None:
    """ARGS can contain spaces, quotes, dollars and hashes, quoted as in a shell."""
    answers = """ project_name="My \\"\\$5\\" API" 'author_name=#1 $$'"""
    done = make_new(clone, home, f"ARGS=--no-input {answers}")
    assert done.returncode == 0
    assert '  project_name    My "$5" API\n' in done.stdout
    assert "  author_name     #1 $$\n" in done.stdout


def test_new_does_not_render_answers(clone: Path, home: Path) -> None:
    """Answers that look like a template are texts, other than with the cookiecutter command."""
    answers = """ 'project_name=<< 7*7 >>' 'author_name=# <% if' 'description=<# \\ "é" 😀'"""
    done = make_new(clone, home, f"ARGS=--no-input {answers}")
    assert (done.returncode, done.stderr) == (0, "")
    stamp = tomllib.loads((clone.parent / "service_7_7" / "pyproject.toml").read_text("utf-8"))
    shown = stamp["tool"]["plinth"]
    assert shown["project_name"] == "<< 7*7 >>"
    assert shown["author_name"] == "# <% if"
    assert shown["description"] == '<# \\ "é" 😀'


def test_new_scaffolds_into_out(clone: Path, home: Path, tmp_path: Path) -> None:
    """OUT can have spaces and need not exist."""
    done = make_new(clone, home, "ARGS=--no-input", f"OUT={tmp_path}/a b/c")
    assert done.returncode == 0
    assert (tmp_path / "a b/c/my_service/pyproject.toml").exists()


BAD_ARGUMENTS = {
    "unknown": ("use_sentri=yes", "use_sentri: there is no such question; did you mean use_s"),
    "strange": ("colour=red", "colour: there is no such question; they are project_name"),
    "private": ("_extensions=x", "_extensions: there is no such question"),
    "yes-or-no": ("use_sentry=maybe", "use_sentry: 'maybe' is neither yes nor no; must be yes or"),
    "empty": ("use_sentry=", "use_sentry: '' is neither yes nor no"),
    "python": (
        "python_version=3.9",
        "python_version: '3.9' is not one of the choices; must be 3.11, 3.12, 3.13 or 3.14",
    ),
    "server": ("server=Uvicorn", "server: 'Uvicorn' is not one of the choices; must be hyper"),
    "text": ("author_email=a@b", "author_email: 'a@b' is not an e-mail address"),
    "no-value": ("use_sentry", "ARGS: Invalid value for '[EXTRA_CONTEXT]...': EXTRA_CONTEXT"),
    "option": ("--nope", "ARGS: No such option"),
}  # fmt: skip


@pytest.mark.parametrize("asks", [True, False])
@pytest.mark.parametrize(("answer", "line"), BAD_ARGUMENTS.values(), ids=BAD_ARGUMENTS)
def test_new_refuses_arguments(
    answer: str, line: str, asks: bool, clone: Path, home: Path, tmp_path: Path
) -> None:
    """A wrong answer on the command line is one line, before any question and any file."""
    before = files(tmp_path)
    done = make_new(clone, home, f"ARGS={'' if asks else '--no-input'} {answer}")
    assert done.returncode != 0
    said, make_failed = done.stderr.splitlines()
    assert said.startswith(line)
    assert make_failed.startswith("make: ***")
    assert "[1/" not in done.stdout
    assert {path for path in files(tmp_path) - before if "__pycache__" not in path} == set()


@pytest.mark.parametrize(
    "answers",
    ["use_sentry=YES server=uvicorn python_version=3.14", "project_slug=Todo-API use_docker=off"],
)
def test_new_accepts_what_cookiecutter_accepts(answers: str, clone: Path, home: Path) -> None:
    """Every spelling of yes and no, every choice and a slug with hyphens are answers."""
    done = make_new(clone, home, f"ARGS=--no-input {answers}")
    assert (done.returncode, done.stderr) == (0, "")


def test_new_shows_help(clone: Path, home: Path) -> None:
    """Options of cookiecutter that only print something work."""
    done = make_new(clone, home, "ARGS=--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "--no-input" in done.stdout


@pytest.mark.parametrize("out", ["", ".", "docs", "../plinth/x"])
def test_new_never_scaffolds_into_the_clone(out: str, clone: Path, home: Path) -> None:
    """`make new` fails with one line and creates nothing if OUT is inside the clone."""
    before = files(clone)
    done = make_new(clone, home, "ARGS=--no-input", f"OUT={out}")
    assert done.returncode != 0
    assert done.stderr.startswith(f"OUT={out} is inside the template; choose a folder outside")
    assert files(clone) == before


def test_update_needs_a_project(clone: Path, home: Path) -> None:
    """`make update` without PROJECT says how to name one."""
    done = run("make", "-o", ".venv/update", "update", cwd=clone, env=environment(home))
    assert done.returncode != 0
    assert "PROJECT is empty: make update PROJECT=../my_service." in done.stderr


@pytest.mark.parametrize(("script", "line"), LACKING.values(), ids=LACKING)
def test_missing_requirements(
    script: str, line: str, clone: Path, home: Path, tmp_path: Path
) -> None:
    """An old Python, or one without venv, gives one line with the remedy."""
    (tmp_path / "python").write_text(f"#!/bin/sh\n{script}\n")
    (tmp_path / "python").chmod(0o755)
    done = run("make", "new", f"PYTHON={tmp_path}/python", cwd=clone, env=environment(home))
    said, make_failed = done.stderr.splitlines()
    assert said.startswith(line)
    assert make_failed.startswith("make: ***")
    assert not (clone / ".venv").exists()


# --- In a project

# `dev` has a text in the Makefile; a comment elsewhere explains no target.
OWN_TARGETS = """# The next line is for Alembic
export PYTHONUTF8 = 1

dev: migrate

# Change the database
.PHONY: migrate
migrate:
	@false
"""


@pytest.fixture
def project(bake: Callable[..., Path]) -> Path:
    """A project with all options, and with a uv that does nothing."""
    project = bake(**COMBINATIONS["all"])
    (project / "uv").write_text("#!/bin/sh\n")
    (project / "uv").chmod(0o755)
    return project


def make(project: Path, home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run make in a project with its uv."""
    variables = environment(home)
    variables["PATH"] = f"{project}:{variables['PATH']}"
    return run("make", *arguments, cwd=project, env=variables)


def test_every_target_is_phony(project: Path) -> None:
    """Each target has a `.PHONY` line, then a comment."""
    text = (project / "Makefile").read_text("utf-8")
    targets = re.findall(r"^([a-z0-9-]+):", text, re.MULTILINE)
    declared = re.findall(r"^\.PHONY: ([a-z0-9-]+)\n(?:# .+\n)+\1:", text, re.MULTILINE)
    assert declared == targets
    assert {"install", "monitoring-test", "smoke"} <= set(targets)


def test_make_alone_shows_the_targets(project: Path, home: Path) -> None:
    """`make` shows each target with one sentence, those of own.mk too, and does nothing else."""
    text = (project / "Makefile").read_text("utf-8")
    targets = re.findall(r"^([a-z0-9-]+):", text, re.MULTILINE)
    for names in (targets, [*targets, "migrate"]):
        done = make(project, home)
        assert (done.returncode, done.stderr) == (0, "")
        shown = re.findall(r"^make ([a-z-]+) +(\S.*)$", done.stdout, re.MULTILINE)
        assert [name for name, _ in shown] == names
        assert len(shown) == len(done.stdout.splitlines())
        (project / "own.mk").write_text(OWN_TARGETS)


def test_add(project: Path, home: Path) -> None:
    """`make add` adds a package with its version; without a package it says how."""
    done = make(project, home, "add", "PACKAGE=httpx[http2]>=0.28")
    assert (done.returncode, done.stdout) == (0, f'{project}/uv add "httpx[http2]>=0.28"\n')
    assert not (project / "=0.28").exists()
    done = make(project, home, "add")
    assert "PACKAGE is empty: make add PACKAGE=httpx." in done.stderr
    assert done.returncode != 0


def test_update_needs_an_address(project: Path, home: Path) -> None:
    """Without an address in the stamp, `make update` says which variable it needs."""
    done = make(project, home, "update")
    assert done.returncode != 0
    assert "TEMPLATE is empty: make update TEMPLATE=<address of Plinth>." in done.stderr


def test_update_from_the_stamped_address(project: Path, home: Path) -> None:
    """`make update` gets the template from its address, and hands the rest over to it."""
    (project / "git").write_text(f'#!/bin/sh\nmkdir "$6"\necho "$@" > {project}/called\n')
    (project / "git").chmod(0o755)
    pyproject = project / "pyproject.toml"
    text = pyproject.read_text("utf-8").replace(
        'template = ""', 'template = "https://example.com/a"'
    )
    other = '[tool.towncrier]\ntemplate = "news.md"\n'
    pyproject.write_text(f"{other}{text}\n{other}", "utf-8")
    done = make(project, home, "update", "ARGS=use_x=yes")
    *called, folder = (project / "called").read_text().split()
    assert called == ["clone", "--quiet", "--origin", "origin", "https://example.com/a"]
    assert not Path(folder).exists()
    assert "No rule to make target" in done.stderr


def test_own_targets_are_optional(project: Path, home: Path) -> None:
    """Without own.mk nothing is printed about it."""
    done = make(project, home, "install")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{project}/uv sync --all-groups\n"


def test_own_targets(project: Path, home: Path) -> None:
    """Targets of own.mk run, use the Makefile's variables and are never the default one."""
    (project / "own.mk").write_text("migrate: $(UV)\n\t@echo $(UV) run migrate\n")
    done = make(project, home, "migrate")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{project}/uv run migrate\n"
    assert make(project, home).stdout.startswith("make help ")


def test_own_variables(project: Path, home: Path) -> None:
    """Variables of own.mk replace those of the Makefile in every target."""
    (project / "own.mk").write_text(
        "UV := ./uv\nexport COLOUR = blue\ntest: before\nbefore:\n\t@echo $$COLOUR\n"
    )
    done = make(project, home, "test")
    assert (done.returncode, done.stderr) == (0, "")
    before, _, tests, *_ = done.stdout.splitlines()
    assert (before, tests.split()) == ("blue", "./uv run coverage run -m pytest".split())


def test_coverage_of_greenlets(project: Path, home: Path) -> None:
    """Coverage follows greenlets if they are installed, as SQLAlchemy's asyncio does."""
    (project / ".venv/lib/python3.13/site-packages/greenlet").mkdir(parents=True)
    done = make(project, home, "test")
    assert "coverage run --concurrency=thread,greenlet -m pytest\n" in done.stdout
