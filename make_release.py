"""Close the changelog's open section, set the version, commit and tag, for `make release`.

With `--notes TAG`, print the section of a release instead.
"""

import re
import sys
import tomllib
from datetime import UTC, datetime
from pathlib import Path

from template_git import find_commit, git

TEMPLATE = Path(__file__).parent

# Semantic Versioning, with those pre-releases that Python's packaging knows as well.
NUMBER = "(0|[1-9][0-9]*)"
VERSION = re.compile(rf"{NUMBER}\.{NUMBER}\.{NUMBER}(?:-(alpha|beta|rc)\.{NUMBER})?")

UNRELEASED = "## [Unreleased]"
# The first command of the README, with or without a version.
COMMAND = r"(pipx run cookiecutter .*?)( --checkout v\S+)?"


class ReleaseError(Exception):
    """A release that cannot be made; the message is one line for the user."""


def main(arguments: list[str]) -> None:
    """Release a version, or print the notes of a tag."""
    try:
        if arguments[:-1] == ["--notes"]:
            print(notes(TEMPLATE, arguments[-1]), end="")
        elif len(arguments) == 1:
            print(release(TEMPLATE, arguments[0]))
        else:
            sys.exit("usage: make_release.py VERSION, or make_release.py --notes TAG")
    except (ReleaseError, ValueError, OSError) as error:
        sys.exit(str(error))


def release(repository: Path, version: str) -> str:
    """Make the commit and the tag of a release; return what to do next.

    Raise `ReleaseError` or `ValueError` with the reason, and leave the repository as it was, if no
    release can be made.
    """
    check_version(version, repository)
    branch = check_repository(repository)
    changes, texts = edit(repository, version)
    before = find_commit(repository, "HEAD")
    try:
        for path, text in texts.items():
            path.write_bytes(text.encode("utf-8"))
        git(repository, "add", "--", *map(str, texts))
        git(repository, "commit", "--quiet", "--message", f"Release {version}")
        message = f"Plinth {version}\n\n{changes}"
        # git would take headings for comments.
        options = ("--annotate", "--cleanup=whitespace", "--file=-")
        git(repository, "tag", *options, f"v{version}", typed=message)
    except BaseException:
        git(repository, "reset", "--quiet", "--hard", before)  # the tree had no changes
        raise
    return (
        f"Release {version} is a commit and the tag v{version}.\n\n"
        f"To publish: git push --atomic origin {branch} v{version}\n"
        f"To undo:    git tag --delete v{version} && git reset --hard {before[:7]}"
    )


def notes(repository: Path, tag: str) -> str:
    """Return the changelog's section for the tag of the version, `v0.2.0` or a fork's `v0.2.0+…`.

    Raise `ReleaseError` for another tag.
    """
    version = project_version(repository)
    if tag.partition("+")[0] != f"v{version}":
        raise ReleaseError(
            f"{tag} is not the tag of version {version} in pyproject.toml; v{version} is"
        )
    heading = UNRELEASED if "-" in version else f"## [{version}]"
    return section(read(repository / "CHANGELOG.md"), heading)


# --- Checking -----------------------------------------------------------------------------------


def check_repository(repository: Path) -> str:
    """Return the branch; refuse another than the default one, changes and a missing identity."""
    if git(repository, "status", "--porcelain", "--untracked-files=normal"):
        raise ReleaseError(
            "the working tree has changes; commit, stash or remove them (git status)"
        )
    branch = git(repository, "branch", "--show-current").decode("utf-8").strip()
    default = default_branch(repository)
    if branch != default:
        where = f"on the branch {branch}" if branch else "on no branch"
        raise ReleaseError(
            f"the working tree is {where}; a release needs {default}: git switch {default}"
        )
    for person in ("AUTHOR", "COMMITTER"):
        try:
            git(repository, "-c", "user.useConfigOnly=true", "var", f"GIT_{person}_IDENT")
        except ValueError:
            identity = "git config user.name '…' && git config user.email '…'"
            raise ReleaseError(
                f"git has no user name or e-mail address; set them: {identity}"
            ) from None
    return branch


def default_branch(repository: Path) -> str:
    """Return the branch that a clone of the remote gets, else `main`."""
    shown = "--format=%(symref:lstrip=3)"
    found = git(repository, "for-each-ref", shown, "refs/remotes/origin/HEAD")
    return found.decode("utf-8").strip() or "main"


def check_version(version: str, repository: Path) -> None:
    """Refuse a version that is not valid, or not greater than those before it."""
    if not version:
        raise ReleaseError("VERSION is missing: make release VERSION=0.2.0")
    if not VERSION.fullmatch(version):
        allowed = (
            "three numbers such as 0.2.0, or a pre-release such as 0.2.0-rc.1 (alpha, beta, rc)"
        )
        raise ReleaseError(f"VERSION={version} is not a version; must be {allowed}")
    names = git(repository, "tag", "--list", "v*").decode("utf-8").split()
    if f"v{version}" in names:
        raise ReleaseError(
            f"VERSION={version} has a tag already, v{version}; choose a greater version"
        )
    tagged = [name[1:] for name in names if VERSION.fullmatch(name[1:])]
    current = project_version(repository)
    newest = max([*tagged, current], key=precedence)
    # The first release can be the version that pyproject.toml has had from the start.
    if precedence(version) < precedence(newest) or (version == newest and tagged):
        raise ReleaseError(
            f"VERSION={version} is not greater than {newest}; choose a greater version"
        )


def precedence(version: str) -> tuple[int, int, int, str, int]:
    """Return the key that orders versions as Semantic Versioning 2.0.0 does (paragraph 11)."""
    match = VERSION.fullmatch(version)
    if not match:
        raise ReleaseError(f"version {version!r} in pyproject.toml is not a version such as 0.2.0")
    major, minor, patch, name, number = match.groups()
    return int(major), int(minor), int(patch), name or "~", int(number or 0)  # `~` is after letters


def project_version(repository: Path) -> str:
    """Return the version in pyproject.toml."""
    version: str = tomllib.loads(read(repository / "pyproject.toml"))["project"]["version"]
    return version


# --- Editing ------------------------------------------------------------------------------------


def edit(repository: Path, version: str) -> tuple[str, dict[Path, str]]:
    """Return the changes of the release, and the new text of each file that it changes."""
    changelog, project, readme = (
        repository / name for name in ("CHANGELOG.md", "pyproject.toml", "README.md")
    )
    changes = section(read(changelog), UNRELEASED)
    if not re.search(r"^[-*] +\S", changes, re.MULTILINE):
        raise ReleaseError(f"CHANGELOG.md has no entry under {UNRELEASED}; add one for each change")
    texts = {project: replace_line(project, r'version = ".*"', f'version = "{version}"')}
    if "-" not in version:  # a pre-release is only for those who ask, and its section stays open
        heading = f"{UNRELEASED}\n\n## [{version}] - {datetime.now(UTC).date()}"
        texts[changelog] = replace_line(changelog, re.escape(UNRELEASED), heading)
        texts[readme] = replace_line(readme, COMMAND, rf"\1 --checkout v{version}")
    return changes, texts


def section(changelog: str, heading: str) -> str:
    """Return the text between a heading of the changelog and the next one, with one line end."""
    pattern = rf"^{re.escape(heading)}.*\n((?:(?!## |\[.*\]: ).*\n)*)"
    found = re.search(pattern, changelog, re.MULTILINE)
    if not found:
        raise ReleaseError(f"CHANGELOG.md has no line {heading}")
    return f"{found[1].strip()}\n"


def replace_line(path: Path, pattern: str, replacement: str) -> str:
    """Return the text of a file with the first line that matches replaced."""
    text, count = re.subn(rf"^{pattern}$", replacement, read(path), count=1, flags=re.MULTILINE)
    if not count:
        raise ReleaseError(f"{path.name} has no line to replace that matches {pattern}")
    return text


def read(path: Path) -> str:
    """Return the text of a file with its line ends."""
    return path.read_bytes().decode("utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
