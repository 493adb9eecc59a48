"""Finish a new project: remove unwanted files, make a git repository, print the next commands.

cookiecutter renders this file and runs it with its own Python inside the project, from a temporary
copy: it can import only the standard library. A non-zero exit code makes cookiecutter delete the
project, so only an error in the template may cause one.
"""

import json
import os
import shlex
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

ANSWERS, STAMP, FILES = json.loads(
    r"""<< (cookiecutter, stamp(), project_files(cookiecutter.project_slug)) | tojson >>"""
)

PACKAGE = ANSWERS["project_slug"]

# Option, or an answer such as `server=uvicorn` -> its paths; several joined by + -> paths that need
# all of them. A path is removed unless a chosen entry lists it.
OPTIONS: dict[str, tuple[str, ...]] = {
    "use_sentry": (
        f"{PACKAGE}/_internal/reports",
        f"{PACKAGE}/_internal/sentry",
        f"{PACKAGE}/sentry.py",
        "docs/sentry.md",
        "local_sentry.py",
        "tests/test_sentry.py",
    ),
    "use_prometheus": (
        f"{PACKAGE}/_internal/reports",
        f"{PACKAGE}/_internal/prometheus",
        f"{PACKAGE}/metrics.py",
        "docs/prometheus.md",
        "monitoring",
        "tests/test_metrics.py",
    ),
    "use_docker": (
        ".dockerignore",
        "Caddyfile",
        "Dockerfile",
        "compose.yaml",
        "deploy",
        "docs/deploy.md",
        "docs/docker.md",
        "smoke.py",
    ),
    "use_docker+use_prometheus": ("compose.monitoring.yaml",),
    "server=hypercorn": (f"{PACKAGE}/_internal/hypercorn",),
    "server=uvicorn": (f"{PACKAGE}/_internal/uvicorn",),
}

# git sets these for its hooks and aliases. They would point our commands at another repository.
GIT_VARIABLES = {
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_DIR",
    "GIT_INDEX_FILE",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_WORK_TREE",
}

# No guessed identity, no signature and no user hooks: git must not prompt, wait or change files.
GIT = (
    "git",
    "-c", "init.defaultBranch=main",
    "-c", "user.useConfigOnly=true",
    "-c", "commit.gpgSign=false",
    "-c", f"core.hooksPath={os.devnull}",
)  # fmt: skip
GIT_SECONDS = 20
HINT_NAMES = 5

MESSAGE = f"Scaffold with Plinth {STAMP['version']}"
BY_HAND = f"git add -A && git commit -m {shlex.quote(MESSAGE)}"


def main() -> None:
    """Remove unwanted files, make the repository and print the summary."""
    existed = set(ANSWERS.get("_modified", {}))
    kept = kept_files()
    remove_unwanted(kept)
    removed = {path for path in existed if not Path(path).exists()}
    hints = [
        listed("these files existed and were not changed", kept),
        listed("these files existed and were removed, since their option is off", removed),
        make_repository(Path.cwd()),
    ]
    show(summary(Path.cwd(), list(filter(None, hints))))


def kept_files() -> set[str]:
    """Return the files that cookiecutter found and, with `-s`, did not write."""
    found = ANSWERS.get("_modified", {})
    return {path for path in found if Path(path).stat().st_mtime_ns == found[path]}


def listed(text: str, paths: set[str]) -> str:
    """Return one line with the text and some of the paths; empty without paths."""
    if not paths:
        return ""
    names = ", ".join(sorted(paths, key=lambda path: (path.count("/"), path))[:HINT_NAMES])
    more = f" and {len(paths) - HINT_NAMES} more" if len(paths) > HINT_NAMES else ""
    return f"{text}: {names}{more}."


def remove_unwanted(kept: set[str]) -> None:
    """Remove every path that no chosen option needs, without the files that were kept."""
    chosen = [OPTIONS[options] for options in OPTIONS if all(map(is_chosen, options.split("+")))]
    for path in set().union(*OPTIONS.values()).difference(*chosen):
        remove(path, kept)


def is_chosen(option: str) -> bool:
    """Return whether an option was answered with yes, or `name=value` with that value."""
    name, _, value = option.partition("=")
    return bool(ANSWERS[name] == value if value else ANSWERS[name])


def remove(path: str, kept: set[str]) -> None:
    """Remove a file, or the template's files in a folder and the folder if nothing is left in it.

    A missing path is an error in the template.
    """
    found = [file for file in FILES if file == path or file.startswith(f"{path}/")]
    if not found:
        sys.exit(f"hooks/post_gen_project.py: OPTIONS lists {path}, which does not exist")
    for file in set(found) - kept:
        Path(file).unlink(missing_ok=True)
        with suppress(OSError):  # the folder is not empty
            os.removedirs(Path(file).parent)


def make_repository(project: Path) -> str:
    """Make a repository with a first commit, unless inside another; return a hint if not made."""
    if "_commit" in ANSWERS:  # Only cruft sets it, and its updates fail if we make a repository.
        return ""
    if not shutil.which("git"):
        return f"git is not installed. After you install it: git init -b main && {BY_HAND}"
    try:
        for folder in (project, *project.parents):
            if (folder / ".git").exists():
                return f"{folder} is already a git repository: commit the project there."
        git("init", "--quiet")
        git("add", "--all")
        git("commit", "--quiet", "--message", MESSAGE)
    except subprocess.CalledProcessError as error:
        return failure_hint(error.stderr)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"git did not answer ({type(error).__name__}). By hand: git init && {BY_HAND}"
    return ""


def git(*arguments: str) -> None:
    """Run git in the project only, without prompts."""
    environment = {name: v for name, v in os.environ.items() if name not in GIT_VARIABLES}
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


def failure_hint(error: str) -> str:
    """Return one line with the reason why git failed and the command to run by hand."""
    if "user.name" in error or "user.email" in error:
        identity = "git config --global user.name '…' && git config --global user.email '…'"
        return f"git has no user name or e-mail address. To commit: {identity} && {BY_HAND}"
    reason = next((line for line in error.splitlines() if line.strip()), "no reason given")
    return f"git failed ({reason}). By hand: git init && {BY_HAND}"


def summary(project: Path, hints: list[str]) -> str:
    """Return the answers, to reveal a misspelt name on the command line, and the next commands."""
    answers = {name: v for name, v in ANSWERS.items() if not name.startswith("_")}
    width = max(map(len, answers))
    lines = [f"  {name:{width}}  {value}".rstrip() for name, value in answers.items()]
    folder = shlex.quote(shorter_path(project))
    return "\n".join(
        [
            "",
            f"{ANSWERS['project_name']} is ready:",
            "",
            *lines,
            "",
            *[line for hint in hints for line in (f"Hint: {hint}", "")],
            "Next:",
            "",
            f"  cd {folder}",
            "  make install dev",
            "",
        ]
    )


def shorter_path(project: Path) -> str:
    """Return the path to `project`, absolute or from the user's folder, whichever is shorter.

    cookiecutter runs hooks inside the project; the shell's PWD is still the user's folder.
    """
    start = os.environ.get("PWD", "")
    # Inside a symbolic link, `..` differs between the shell and the system.
    if start != os.path.realpath(start):
        return str(project)
    return min(os.path.relpath(project, start), str(project), key=len)


def show(text: str) -> None:
    """Print `text`; a closed pipe or a terminal without Unicode must not delete the project.

    `cruft diff` prints a patch to standard output.
    """
    stream = sys.stderr if "_commit" in ANSWERS else sys.stdout
    encoding = getattr(stream, "encoding", None) or "utf-8"
    with suppress(OSError):
        os.write(2 if stream is sys.stderr else 1, f"{text}\n".encode(encoding, "backslashreplace"))


if __name__ == "__main__":
    main()
