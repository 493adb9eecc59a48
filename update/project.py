"""A project: its repository, and the stamp that names the template's version and the answers."""

import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from template_extension import toml

from .commands import UpdateError, git

_TABLE = re.compile(r"^\[tool\.plinth\][^\n]*\n(?:(?!\[)[^\n]*\n?)*", re.MULTILINE)


class Project:
    """A project in a git repository, or in a folder of one.

    Args:
        folder: where its pyproject.toml is.

    Raises:
        UpdateError: the folder is no project, or its repository has uncommitted changes or an
            uncommitted merge.
    """

    def __init__(self, folder: Path) -> None:
        if not (folder / "pyproject.toml").is_file():
            raise UpdateError(f"{folder} has no pyproject.toml: PROJECT must be a project's folder")
        if (folder / ".cruft.json").exists():
            raise UpdateError(
                "this project is updated by cruft; to change over, remove .cruft.json"
            )
        self.folder = folder
        self.top = Path(git(folder, "rev-parse", "--show-toplevel"))
        self.git_dir = git(folder, "rev-parse", "--absolute-git-dir")
        # Empty, or the path of the project in its repository with a slash at the end.
        self.prefix = git(folder, "rev-parse", "--show-prefix")
        if changed := git(folder, "status", "--porcelain", "--untracked-files=no"):
            raise UpdateError(
                f"commit or stash your changes first:{changed.splitlines()[0][2:]}, …"
            )
        if merged := git(folder, "rev-parse", "--verify", "--quiet", "MERGE_HEAD", ok=(0, 1)):
            raise UpdateError(
                f"commit the merge of {merged[:7]} first, or end it: git merge --abort"
            )
        self.pyproject = self.committed("pyproject.toml")
        self.stamp, package = stamp_and_package(self.pyproject)
        # A renamed package is rendered with its new name; git finds one in another folder.
        if not self.has(self.stamp["project_slug"]):
            self.stamp["project_slug"] = package
        self.is_moved = not self.has(package)

    def committed(self, name: str) -> str:
        """Return the text of a file in HEAD."""
        return git(self.top, "show", f"HEAD:{self.prefix}{name}") + "\n"

    def has(self, path: str) -> bool:
        """Return whether HEAD has a file or folder."""
        return bool(git(self.top, "ls-tree", "HEAD", "--", f"{self.prefix}{path}"))


def stamped_answers(stamp: Mapping[str, Any], questions: Iterable[str]) -> dict[str, str]:
    """Return the answers to the questions that a stamp has, as on a command line."""
    given = {name: stamp[name] for name in questions if name in stamp}
    return {
        name: ("yes" if value else "no") if isinstance(value, bool) else str(value)
        for name, value in given.items()
    }


def stamp_and_package(pyproject: str) -> tuple[dict[str, Any], str]:
    """Return the stamp, and the name of the package that is built."""
    try:
        tool = tomllib.loads(pyproject)["tool"]
        stamp: dict[str, Any] = tool["plinth"]
        slug = stamp["project_slug"]
    except tomllib.TOMLDecodeError as error:
        raise UpdateError(f"pyproject.toml cannot be read: {error}") from None
    except KeyError as error:
        raise UpdateError(f"pyproject.toml has no {error} of [tool.plinth]") from None
    packages = tool.get("poetry", {}).get("packages") or [{}]
    return stamp, str(packages[0].get("include", slug))


def with_stamp_of(pyproject: str, other: str) -> str:
    """Return a pyproject.toml with the stamp of another one."""
    [table] = _TABLE.findall(other) or [""]
    return _TABLE.sub(lambda _: table, pyproject)


def with_address(pyproject: str, address: str) -> str:
    """Return a pyproject.toml whose stamp has this address of the template."""
    return _TABLE.sub(lambda table: _set(table[0], "template", address), pyproject)


def _set(table: str, key: str, value: str) -> str:
    return re.sub(rf"^{key} = .*$", lambda _: f"{key} = {toml(value)}", table, flags=re.MULTILINE)
