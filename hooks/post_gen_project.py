"""Finish a new project: remove what no answer asks for, make a git repository, say what comes next.

cookiecutter renders this file, then runs it inside the project with its own Python, from a
temporary copy: only the standard library can be imported. An exit code other than 0 makes
cookiecutter delete the project, so nothing here may fail for a reason that is not the template's.
"""

import json
import os
import shlex
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

ANSWERS = json.loads(r"""<< cookiecutter | tojson >>""")

PACKAGE = ANSWERS["project_slug"]

# Option -> what it needs; several joined by + -> what only all of them together need. A path goes
# when nothing that lists it was chosen.
OPTIONS: dict[str, tuple[str, ...]] = {
    "use_sentry": (
        f"{PACKAGE}/route.py",
        f"{PACKAGE}/sentry.py",
        f"{PACKAGE}/sentry_events.py",
        f"{PACKAGE}/sentry_reporting.py",
        "tests/test_sentry.py",
    ),
    "use_prometheus": (
        f"{PACKAGE}/metrics.py",
        f"{PACKAGE}/metrics_server.py",
        f"{PACKAGE}/route.py",
        "monitoring",
        "tests/test_metrics.py",
    ),
    "use_docker": (".dockerignore", "Caddyfile", "Dockerfile", "compose.yaml", "smoke.py"),
    "use_docker+use_prometheus": ("compose.monitoring.yaml",),
}

# Set by git for its own hooks and aliases: they would point our commands at somebody else's
# repository.
FOREIGN_REPOSITORY = {
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_DIR",
    "GIT_INDEX_FILE",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_WORK_TREE",
}

# No guessed identity, no password for a signature, no hook of the user's: nothing that could ask,
# wait or change the files.
GIT = (
    "git",
    "-c", "init.defaultBranch=main",
    "-c", "user.useConfigOnly=true",
    "-c", "commit.gpgSign=false",
    "-c", f"core.hooksPath={os.devnull}",
)  # fmt: skip
GIT_SECONDS = 20

MESSAGE = f"Scaffold with Plinth {ANSWERS['_plinth_version']}"
BY_HAND = f"git add -A && git commit -m {shlex.quote(MESSAGE)}"


def main() -> None:
    """Leave a project that holds what was asked for, and tell its owner how to go on."""
    remove_unwanted()
    hint = make_repository(Path.cwd())
    show(summary(Path.cwd(), hint))


def remove_unwanted() -> None:
    """Remove every path that only options need that were answered with no."""
    chosen = [paths for options, paths in OPTIONS.items()
              if all(ANSWERS[option] for option in options.split("+"))]  # fmt: skip
    for path in set().union(*OPTIONS.values()).difference(*chosen):
        remove(Path(path))


def remove(path: Path) -> None:
    """Remove a file or a folder; a path that is not there is a mistake of the template."""
    if path.is_dir():
        shutil.rmtree(path)
    elif path.exists():
        path.unlink()
    else:
        sys.exit(f"hooks/post_gen_project.py: OPTIONS lists {path}, which no template file makes")


def make_repository(project: Path) -> str:
    """Make a repository with a first commit where none is yet; return a hint where that failed."""
    if "_commit" in ANSWERS:  # Only cruft defines it, and its updates fail on a repository of ours.
        return ""
    if not shutil.which("git"):
        return f"git is not installed. Once it is: git init -b main && {BY_HAND}"
    try:
        for folder in (project, *project.parents):
            if (folder / ".git").exists():
                return f"{folder} is a git repository already: commit the project there."
        git("init", "--quiet")
        git("add", "--all")
        git("commit", "--quiet", "--message", MESSAGE)
    except subprocess.CalledProcessError as error:
        return repair(error.stderr)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"git did not answer ({type(error).__name__}). By hand: git init && {BY_HAND}"
    return ""


def git(*arguments: str) -> None:
    """Run git in the project, and nowhere else, without ever asking anybody anything."""
    environment = {name: v for name, v in os.environ.items() if name not in FOREIGN_REPOSITORY}
    subprocess.run(
        [*GIT, *arguments],
        env=environment | {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
        text=True,
        errors="replace",
        timeout=GIT_SECONDS,
    )


def repair(complaint: str) -> str:
    """Return the one line that tells what git lacks and the command that mends it."""
    if "user.name" in complaint or "user.email" in complaint:
        identity = "git config --global user.name '…' && git config --global user.email '…'"
        return f"git does not know who you are. To commit: {identity} && {BY_HAND}"
    reason = next((line for line in complaint.splitlines() if line.strip()), "no reason given")
    return f"git made no first commit ({reason}). By hand: git init && {BY_HAND}"


def summary(project: Path, hint: str) -> str:
    """Return the choices (a misspelt name on the command line shows here) and the next commands."""
    choices = {name: v for name, v in ANSWERS.items() if not name.startswith("_")}
    width = max(map(len, choices))
    lines = [f"  {name:{width}}  {value}".rstrip() for name, value in choices.items()]
    folder = shlex.quote(way_to(project))
    return "\n".join(
        [
            "",
            f"{ANSWERS['project_name']} is ready:",
            "",
            *lines,
            "",
            *([f"Hint: {hint}", ""] if hint else []),
            "Next:",
            "",
            f"  cd {folder}",
            "  make install dev",
            "",
        ]
    )


def way_to(project: Path) -> str:
    """Return the shorter of the two paths to `project`: absolute, or from the user's own folder.

    cookiecutter runs hooks inside the project; the shell's PWD still tells where the user is.
    """
    start = os.environ.get("PWD", "")
    # Behind a symbolic link the shell and the system disagree on what `..` is.
    if start != os.path.realpath(start):
        return str(project)
    return min(os.path.relpath(project, start), str(project), key=len)


def show(text: str) -> None:
    """Print `text`; neither a closed pipe nor a terminal without Unicode may undo the project."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    with suppress(OSError):
        os.write(1, f"{text}\n".encode(encoding, "backslashreplace"))


if __name__ == "__main__":
    main()
