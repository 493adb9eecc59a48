"""What the template knows of itself: its version, commit and address, its questions and files.

All of it comes from the template's own folder, never from an answer: answers can be given on a
command line, or replayed from another version.
"""

import json
import os
import re
import subprocess
import tomllib
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

TEMPLATE = Path(__file__).parent
# The folder that cookiecutter renders; its name depends on the delimiters.
[PROJECT] = TEMPLATE.glob("*cookiecutter.project_slug*")
SOURCES = ("cookiecutter.json", "hooks", "template_extension.py", "template_stamp.py", PROJECT.name)

# git's short form of an SSH address, and no path of Windows such as C:\plinth.
SCP = re.compile(r"(?:[\w.-]+@)?[\w.-]{2,}:(?!/?/)\S+", re.ASCII)
GIT_SECONDS = 20
# git sets these for its hooks and aliases. They would point our commands at another repository.
GIT_VARIABLES = {
    f"GIT_{name}"
    for name in (
        "ALTERNATE_OBJECT_DIRECTORIES", "COMMON_DIR", "DIR", "INDEX_FILE", "NAMESPACE",
        "OBJECT_DIRECTORY", "PREFIX", "WORK_TREE",
    )
}  # fmt: skip


@cache
def stamp() -> dict[str, str]:
    """Return `version`, `commit` and `template`, the last two empty if unknown.

    A commit ends in `-dirty` if the sources have changes that it does not contain.
    """
    project = tomllib.loads((TEMPLATE / "pyproject.toml").read_text("utf-8"))["project"]
    with suppress(OSError):  # what `make portable` wrote names the template that it is made from
        exported: dict[str, str] = json.loads((TEMPLATE / "portable.json").read_text("utf-8"))
        return {"version": project["version"]} | exported
    return {"version": project["version"], "commit": commit(), "template": address(origin())}


def commit() -> str:
    """Return the commit of the sources; empty if unknown."""
    top, _, head = git("rev-parse", "--show-toplevel", "HEAD").partition("\n")
    if not head or not Path(top).samefile(TEMPLATE):  # or another repository around a copy
        return ""
    return f"{head}-dirty" if git("status", "--porcelain", "--", *SOURCES) else head


def origin() -> str:
    """Return the address that the template was cloned from, as git has it."""
    return git("config", "--get", "remote.origin.url") if (TEMPLATE / ".git").exists() else ""


def address(url: str) -> str:
    """Return an address that others can use: without credentials, empty for a local path.

    It is empty too if it has characters with a meaning in a shell: `make update` passes it on.
    """
    if re.search(r"[^\w.:/@~%+?=&#\[\]-]", url):
        return ""
    if "://" not in url:
        return url if SCP.fullmatch(url) else ""
    with suppress(ValueError):
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
        if parts.scheme in ("http", "https"):
            return urlunsplit((parts.scheme, host, parts.path, "", ""))
        if parts.scheme in ("git", "ssh"):  # the name of an SSH user is no secret
            user = f"{parts.username}@" if parts.username else ""
            return urlunsplit((parts.scheme, f"{user}{host}", parts.path, "", ""))
    return ""


def git(*arguments: str) -> str:
    """Return the output of git in the template; empty without git or if it fails."""
    kept = {name: value for name, value in os.environ.items() if name not in GIT_VARIABLES}
    with suppress(OSError, subprocess.SubprocessError):
        return subprocess.run(
            ["git", "--no-optional-locks", *arguments],
            cwd=TEMPLATE,
            env=kept,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
            encoding="utf-8",
            errors="replace",
            timeout=GIT_SECONDS,
        ).stdout.strip()
    return ""


# --- Questions and files ------------------------------------------------------------------------


def questions() -> dict[str, Any]:
    """Return the questions with their defaults."""
    context = json.loads((TEMPLATE / "cookiecutter.json").read_text("utf-8"))
    return {name: default for name, default in context.items() if not name.startswith("_")}


def project_files(slug: str) -> list[str]:
    """Return the paths of the files that a project with all options has."""
    found = sorted(path for path in PROJECT.rglob("*") if path.is_file())
    names = (path.relative_to(PROJECT).as_posix() for path in found)
    return [name.replace(PROJECT.name, slug) for name in names]


def modified(output: str, slug: str) -> dict[str, int]:
    """Return when each of those files was modified, in ns, where the folder has it already."""
    times = {}
    for name in project_files(slug):
        with suppress(OSError):
            times[name] = Path(output, slug, name).stat().st_mtime_ns
    return times
