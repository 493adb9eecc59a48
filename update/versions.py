"""Which commits of the template an update is about."""

import re
from dataclasses import dataclass
from pathlib import Path

from .commands import UpdateError, git
from .project import Project

_RELEASE = re.compile(r"v(\d+)\.(\d+)\.(\d+)")


@dataclass(frozen=True)
class Version:
    """A commit of the template, with a name to show."""

    commit: str
    name: str


def base_version(template: Path, project: Project) -> Version:
    """Return what the project was made from or last updated to.

    Raises:
        UpdateError: the template has neither the stamped commit nor the tag of the stamped version.
    """
    version = str(project.stamp.get("version", ""))
    stamped = str(project.stamp.get("commit", "")).removesuffix("-dirty")
    for ref in filter(None, (stamped, f"v{version}")):
        if commit := resolve(template, ref):
            return Version(commit, described(template, commit))
    raise UpdateError(
        f"the template has neither commit {stamped or '(none is stamped)'} nor tag v{version}:"
        " name the template that made the project with TEMPLATE=…, or write the commit that made it"
        " into [tool.plinth] of pyproject.toml"
    )


def wanted_version(template: Path, base: Version, to: str) -> Version:
    """Return `to`, or the newest release; the base if that is not older.

    Raises:
        UpdateError: the template has no such commit, tag or branch.
    """
    if not to:
        newest = newest_version(template)
        return base if is_ancestor(template, newest.commit, base.commit) else newest
    for ref in (to, f"v{to}", f"origin/{to}"):
        if commit := resolve(template, ref):
            return Version(commit, described(template, commit))
    raise UpdateError(f"TO={to}: the template has no such tag, branch or commit")


def newest_version(template: Path) -> Version:
    """Return the newest release, or what is checked out if there is no release."""
    tags = git(template, "tag", "--list").split()
    releases = {tag: match for tag in tags if (match := _RELEASE.fullmatch(tag))}
    newest = max(releases, key=lambda tag: [*map(int, releases[tag].groups())], default="HEAD")
    commit = resolve(template, newest)
    return Version(commit, described(template, commit))


def resolve(template: Path, ref: str) -> str:
    """Return the commit of a tag, branch or commit; empty if there is none."""
    ref = f"{ref}^{{commit}}"
    return git(
        template, "rev-parse", "--verify", "--quiet", "--end-of-options", ref, ok=(0, 1, 128)
    )


def described(template: Path, commit: str) -> str:
    """Return the name of a release, or the short commit with the release before it."""
    return git(template, "describe", "--tags", "--match=v[0-9]*", "--always", commit)


def is_ancestor(template: Path, commit: str, other: str) -> bool:
    """Return whether `other` contains everything of `commit`."""
    return git(template, "merge-base", commit, other, ok=(0, 1)) == commit
