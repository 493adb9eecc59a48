"""Which commits of the template an update is about."""

import re
from dataclasses import dataclass
from pathlib import Path

from .commands import UpdateError, git
from .project import Project

# A fork adds its name and a number to the release that it is based on: v1.2.0+acme.1
_RELEASE = re.compile(r"v(\d+)\.(\d+)\.(\d+)(?:\+[\w.-]*?(\d+))?", re.ASCII)


@dataclass(frozen=True)
class Version:
    """A commit of the template, with a name to show."""

    commit: str
    name: str


def base_version(template: Path, project: Project) -> Version:
    """Return what the project was made from or last updated to.

    Raises:
        UpdateError: the template has neither the stamped commit nor the tag of the stamped version;
            a shallow clone lacks older ones.
    """
    version = str(project.stamp.get("version", ""))
    stamped = str(project.stamp.get("commit", "")).removesuffix("-dirty")
    for ref in filter(None, (stamped, f"v{version}")):
        if commit := resolve(template, ref):
            return Version(commit, described(template, commit))
    if git(template, "rev-parse", "--is-shallow-repository") == "true":
        raise UpdateError(
            f"the clone of the template is shallow and lacks version {version}; run in it:"
            " git fetch --unshallow --tags"
        )
    raise UpdateError(
        f"the template has neither commit {stamped or '(none is stamped)'} nor tag v{version}:"
        " name the template that made the project with TEMPLATE=…, or write the commit that made it"
        " into [tool.plinth] of pyproject.toml"
    )


def wanted_version(template: Path, base: Version, to: str) -> Version:
    """Return `to`, or the newest release that contains the base; otherwise the base.

    Raises:
        UpdateError: there is no such commit, tag or branch.
    """
    if to:
        for ref in (to, f"v{to}", f"origin/{to}"):
            if commit := resolve(template, ref):
                return Version(commit, described(template, commit))
        raise UpdateError(f"TO={to}: the template has no such tag, branch or commit")
    if not newest_release(template):
        newest = "HEAD"
    elif not (newest := newest_release(template, "--contains", base.commit)):
        return base
    commit = resolve(template, newest)
    return (
        base
        if is_ancestor(template, commit, base.commit)
        else Version(commit, described(template, commit))
    )


def passed_over(template: Path, base: Version) -> str:
    """Return a newer release that lacks what the project was made from, or an empty text.

    It is a release of another fork, one from before the fork, or a fix of an older release that was
    not merged back.
    """
    newest = newest_release(template)
    if not newest or is_ancestor(template, newest, base.commit):
        return ""
    return "" if is_ancestor(template, base.commit, newest) else newest


def newest_release(template: Path, *filters: str) -> str:
    """Return the tag of the newest release, or an empty text."""
    tags = git(template, "tag", "--list", *filters).split()
    releases = [match for tag in tags if (match := _RELEASE.fullmatch(tag))]
    newest = max(releases, key=lambda match: [int(n or 0) for n in match.groups()], default=None)
    return newest[0] if newest else ""


def resolve(template: Path, ref: str) -> str:
    """Return the commit of a tag, branch or commit, or an empty text."""
    ref = f"{ref}^{{commit}}"
    return git(
        template, "rev-parse", "--verify", "--quiet", "--end-of-options", ref, ok=(0, 1, 128)
    )


def described(template: Path, commit: str) -> str:
    """Return the name of a release, or the short commit with the release before it."""
    return git(template, "describe", "--tags", "--match=v[0-9]*", "--always", commit)


def is_ancestor(template: Path, commit: str, other: str) -> bool:
    """Return whether `other` is the commit or a later one."""
    return git(template, "merge-base", commit, other, ok=(0, 1)) == resolve(template, commit)
