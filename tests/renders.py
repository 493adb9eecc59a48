"""The template under test, and functions that render it."""

import itertools
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from cookiecutter.main import cookiecutter

TEMPLATE = Path(__file__).parents[1]
SOURCES = TEMPLATE / "<<cookiecutter.project_slug>>"
# Heavy tests of the rendered package, and the packages that only they need.
CHECKS = TEMPLATE / "tests" / "rendered"
EXTRA = (
    "h2", "hypothesis", "jsonschema", "numpy", "opentelemetry-sdk", "pyyaml", "types-jsonschema",
    "types-pyyaml", "uvicorn", "websockets",
)  # fmt: skip
CONTEXT: dict[str, Any] = json.loads((TEMPLATE / "cookiecutter.json").read_text("utf-8"))
PYTHON_VERSIONS: list[str] = CONTEXT["python_version"]
OPTIONS = [name for name in CONTEXT if name.startswith("use_")]
# Folders of heavy tests that only projects with an option can run.
OPTION_FOLDERS = {"use_sentry": "sentry", "use_prometheus": "prometheus"}
SERVERS: list[str] = CONTEXT["server"]

Answers = dict[str, str | bool]


def combinations(options: list[str]) -> dict[str, Answers]:
    """Return every choice of a server and of options under a readable name.

    `none`, `docker`, …, `all`; with another server than the default `uvicorn`, …, `uvicorn+all`.
    """
    found: dict[str, Answers] = {}
    for server in SERVERS:
        for choice in itertools.product((False, True), repeat=len(options)):
            answers = dict(zip(options, choice, strict=True))
            chosen = [option.removeprefix("use_") for option in options if answers[option]]
            words = ["all"] if len(chosen) == len(options) else chosen
            words = words if server == SERVERS[0] else [server, *words]
            found["+".join(words) or "none"] = {"server": server, **answers}
    return found


def unwanted_folders(answers: Answers) -> list[str]:
    """Return the folders of heavy tests for other servers and for options that are off."""
    unwanted = [folder for option, folder in OPTION_FOLDERS.items() if not answers[option]]
    return [*unwanted, *(server for server in SERVERS if server != answers["server"])]


COMBINATIONS = combinations(OPTIONS)
# These pass the full tests.
THOROUGH = ["none", "all", "uvicorn"]
# Any two answers are together in one of these. They are installed, type-checked and served; of all
# others only the form is checked.
PAIRWISE = [
    *THOROUGH,
    "uvicorn+sentry+prometheus",
    "uvicorn+sentry+docker",
    "uvicorn+prometheus+docker",
]

# Unusual names of people and projects.
AWKWARD_NAMES = {
    "quotes": 'Sean "Bob" O\'Hara',
    "accents": "Zoë",
    "chinese": "李雷",
    "persian": "می\u200cخواهم",
    "cyrillic": "Сервис",
    "emoji": "😀",
    "family": "👩\u200d👩\u200d👧",
    "backslash": "C:\\new\\",
    "markup": "<b>*a*</b> [x](y) _z_ `q` &amp; # #",
    "braces": "{a} {{b}} ${c} $d %s %(e)s {% f %}",
    "triple": '"""\'\'\'\\"',
    "comma": "Smith, Bob (Jr.); a: b",
    "list": "- 1. # x",
    "truth": "true",
    "number": "3.10",
}

# Variables of the user, a git hook or the calling make that would leak into renders.
FOREIGN = ("ARGS", "COOKIECUTTER_", "EMAIL", "GIT_", "MAKE", "MFLAGS", "OUT")


def render(output: Path, home: Path, **answers: str | bool) -> Path:
    """Render in this process, as `cookiecutter --no-input` does, and return the project."""
    return Path(
        cookiecutter(
            str(TEMPLATE),
            no_input=True,
            extra_context=answers,
            output_dir=str(output),
            config_file=str(settings(home)),
        )
    )


def settings(home: Path) -> Path:
    """Return a cookiecutter config file that keeps replays and templates in `home`."""
    path = home / "cookiecutter.yaml"
    path.write_text(f"{{replay_dir: {home}/replay, cookiecutters_dir: {home}/templates}}")
    return path


def environment(home: Path, **variables: str) -> dict[str, str]:
    """Return this process's variables with another home directory."""
    kept = {name: v for name, v in os.environ.items() if not name.startswith((*FOREIGN, "XDG_"))}
    return kept | {"HOME": str(home), "GIT_CONFIG_NOSYSTEM": "1"} | variables


def run(
    *command: str | Path,
    cwd: Path,
    env: dict[str, str] | None = None,
    typed: str = "",
    seconds: float = 600,
) -> subprocess.CompletedProcess[str]:
    """Run a command without a terminal and return its output and exit code."""
    return subprocess.run(
        command,
        cwd=cwd,
        env=env,
        input=typed,
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="backslashreplace",
        check=False,
        timeout=seconds,
    )


def command(name: str) -> str:
    """Return the path of a program that the dev group installed beside this Python."""
    return shutil.which(name, path=str(Path(sys.executable).parent)) or name


def contents(project: Path) -> dict[str, bytes]:
    """Return the bytes of each file of a project."""
    return {path: (project / path).read_bytes() for path in files(project)}


def git(folder: Path, *arguments: str) -> str:
    """Run git and return its output."""
    done = run("git", *arguments, cwd=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def commit(repository: Path, message: str) -> None:
    """Commit every file."""
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--message", message)


def files(project: Path) -> set[str]:
    """Return the paths of a project's files, without `.git`."""
    found = (path.relative_to(project) for path in project.rglob("*") if path.is_file())
    return {path.as_posix() for path in found if path.parts[0] != ".git"}
