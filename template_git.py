"""Read the template from git: commits, and files as git stores them."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from template_stamp import GIT_VARIABLES


class File(NamedTuple):
    """A file in git: its mode, `100644` or `100755`, and its bytes."""

    mode: str
    content: bytes


def git(repository: Path, *arguments: str, typed: str | bytes = b"") -> bytes:
    """Run git in a repository and return its output; raise `ValueError` with git's reason."""
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=repository,
            env={name: v for name, v in os.environ.items() if name not in GIT_VARIABLES},
            input=typed.encode("utf-8") if isinstance(typed, str) else typed,
            capture_output=True,
            check=False,
        )
    except FileNotFoundError:
        raise ValueError("git is not installed") from None
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").splitlines()
        reason = next((line for line in said if line.strip()), "no reason given")
        raise ValueError(f"git {arguments[0]} failed: {reason}")
    return done.stdout


def find_commit(repository: Path, name: str) -> str:
    """Return the 40 digits of the commit that git knows by this name, or an empty text."""
    found = git(repository, "cat-file", "--batch-check", typed=f"{name}^{{commit}}\n").split()
    return found[0].decode("ascii") if found[1:2] == [b"commit"] else ""


def read_files(
    repository: Path, commit: str, unwanted: tuple[str, ...]
) -> Iterator[tuple[str, File]]:
    """Yield the path and the contents of each file of a commit, without the unwanted folders.

    Nothing is checked out, and no setting changes the bytes. Raise `ValueError` for a symbolic link
    or a submodule.
    """
    listed = git(repository, "ls-tree", "-r", "-z", "--full-tree", commit).decode("utf-8")
    wanted = []
    for entry in listed.split("\0")[:-1]:
        fields, path = entry.split("\t", 1)
        mode, _, identifier = fields.split()
        if path.startswith(unwanted):
            continue
        if mode not in ("100644", "100755"):
            raise ValueError(f"{path} is a symbolic link or a submodule; must be a file")
        wanted.append((path, mode, identifier))
    identifiers = "".join(f"{identifier}\n" for *_, identifier in wanted)
    contents = git(repository, "cat-file", "--batch", typed=identifiers)
    start = 0
    for path, mode, _ in wanted:  # for each: "<identifier> blob <size>\n<bytes>\n"
        header_end = contents.index(b"\n", start) + 1
        end = header_end + int(contents[start:header_end].split()[2])
        yield path, File(mode, contents[header_end:end])
        start = end + 1
