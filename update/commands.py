"""Calls of git and other programs, and the error that ends an update."""

import os
import subprocess
from collections.abc import Container, Iterable, Mapping
from pathlib import Path

from template_stamp import GIT_VARIABLES

# A hook of the user, such as Git LFS's after a checkout, could end an update.
NO_HOOKS = f"core.hooksPath={os.devnull}"


class UpdateError(Exception):
    """Nothing was merged; the text says why, and what to do."""


def git(
    folder: Path,
    *arguments: str | Path,
    ok: Container[int] = (0,),
    env: Mapping[str, str] | None = None,
    settings: Iterable[str] = (),
) -> str:
    """Return the output of git in a folder, with settings such as `core.safecrlf=false`.

    Raises:
        UpdateError: git ended with an exit code that is not in `ok`.
    """
    given = [word for setting in (NO_HOOKS, *settings) for word in ("-c", setting)]
    done = run("git", *given, *arguments, cwd=folder, env=env)
    if done.returncode not in ok:
        reason = " ".join((done.stderr or done.stdout).split()) or f"exit code {done.returncode}"
        raise UpdateError(f"git {arguments[0]}: {reason}")
    return done.stdout.rstrip("\n")


def run(
    *command: str | Path, cwd: Path, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a program without a terminal, and without the variables of a calling git or make.

    Raises:
        UpdateError: there is no such program.
    """
    foreign = {*GIT_VARIABLES, "MAKEFLAGS", "MAKELEVEL", "MFLAGS"}
    kept = {name: value for name, value in os.environ.items() if name not in foreign}
    try:
        return subprocess.run(
            command,
            cwd=cwd,
            env=kept | {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C.UTF-8", **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            encoding="utf-8",
            errors="surrogateescape",
        )
    except OSError as error:
        raise UpdateError(f"{command[0]} cannot be run: {error}") from None
