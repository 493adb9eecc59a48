"""`make release`, and the workflow that publishes a release."""

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from make_release import precedence
from tests.renders import TEMPLATE, command, commit, environment, files, git, run, settings

CHANGELOG = """# Changelog

## [Unreleased]

### Added

- A `#` and a
  # second line.

### Fixed

* Zoë's bug.

[Unreleased]: https://example.com/compare
"""

CHANGES = CHANGELOG.partition("## [Unreleased]\n\n")[2].partition("\n[")[0]


@pytest.fixture
def repository(clone: Path) -> Path:
    """The template with a short changelog, before its first release, version 0.1.0."""
    write_version(clone, "0.1.0")
    write_changelog(clone, CHANGELOG)
    return clone


def write_version(clone: Path, version: str) -> None:
    """Set the version in pyproject.toml."""
    path = clone / "pyproject.toml"
    text = re.sub('^version = ".*"$', f'version = "{version}"', path.read_text("utf-8"), flags=re.M)
    path.write_text(text, "utf-8")


def write_changelog(clone: Path, text: str) -> None:
    """Commit a changelog."""
    (clone / "CHANGELOG.md").write_text(text, "utf-8")
    commit(clone, "Changes")


def make_release(
    clone: Path, home: Path, *arguments: str, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run `make release` with this Python and nothing installed."""
    python = f"PYTHON={sys.executable} -S"
    env = environment(home, **variables)
    return run("make", "release", python, *arguments, cwd=clone, env=env)


def release(clone: Path, home: Path, version: str) -> subprocess.CompletedProcess[str]:
    """Release a version, which must work."""
    done = make_release(clone, home, f"VERSION={version}")
    assert (done.returncode, done.stderr) == (0, "")
    return done


def state(clone: Path) -> dict[str, object]:
    """Return what a release could change."""
    paths = [path for path in files(clone) if "__pycache__" not in path]
    return {
        "files": {path: (clone / path).read_bytes() for path in paths},
        "refs": git(clone, "for-each-ref"),
        "head": (clone / ".git/HEAD").read_text(),
        "index": git(clone, "status", "--porcelain"),
    }


def first_command(clone: Path) -> str:
    """Return the first command in the README."""
    found = re.search(r"^```sh\n(.*)$", (clone / "README.md").read_text("utf-8"), re.MULTILINE)
    assert found
    return found[1]


def test_release(repository: Path, home: Path) -> None:
    """One commit closes the section and sets the version; an annotated tag has the changes."""
    before = git(repository, "rev-parse", "HEAD")
    first = first_command(repository)
    done = release(repository, home, "0.2.0")
    assert "To publish: git push --atomic origin main v0.2.0\n" in done.stdout
    assert git(repository, "status", "--porcelain") == ""
    assert git(repository, "log", "--format=%s", f"{before}..") == "Release 0.2.0"
    changed = git(repository, "diff", "--name-only", before).splitlines()
    assert changed == ["CHANGELOG.md", "README.md", "pyproject.toml"]

    heading = f"## [Unreleased]\n\n## [0.2.0] - {datetime.now(UTC).date()}\n"
    expected = CHANGELOG.replace("## [Unreleased]\n", heading)
    assert (repository / "CHANGELOG.md").read_text("utf-8") == expected
    project = tomllib.loads((repository / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["version"] == "0.2.0"
    assert first_command(repository) == f"{first} --checkout v0.2.0"

    assert git(repository, "cat-file", "-t", "v0.2.0") == "tag"
    assert git(repository, "rev-parse", "v0.2.0^{commit}") == git(repository, "rev-parse", "HEAD")
    message = git(repository, "tag", "--list", "--format=%(contents)", "v0.2.0")
    assert f"{message}\n" == f"Plinth 0.2.0\n\n{CHANGES}"


def test_undo(repository: Path, home: Path) -> None:
    """The command that is printed takes the release back."""
    before = state(repository)
    done = release(repository, home, "0.2.0")
    [undo] = re.findall("^To undo: +(.*)$", done.stdout, re.MULTILINE)
    assert run("sh", "-c", undo, cwd=repository).returncode == 0
    assert state(repository) == before


def test_next_release(repository: Path, home: Path) -> None:
    """A second release has the new entries only, and replaces the version in the README."""
    first = first_command(repository)
    release(repository, home, "0.2.0")
    path = repository / "CHANGELOG.md"
    head, heading, rest = path.read_text("utf-8").partition("## [Unreleased]\n")
    write_changelog(repository, f"{head}{heading}\n- More.\n{rest}")
    release(repository, home, "0.10.0")
    assert first_command(repository) == f"{first} --checkout v0.10.0"
    message = git(repository, "tag", "--list", "--format=%(contents)", "v0.10.0")
    assert message == "Plinth 0.10.0\n\n- More."
    today = datetime.now(UTC).date()
    text = path.read_text("utf-8")
    assert text == f"{head}{heading}\n## [0.10.0] - {today}\n\n- More.\n{rest}"


def test_pre_release(repository: Path, home: Path) -> None:
    """It is only for those who name it, and its release can follow with the same entries."""
    before = first_command(repository)
    release(repository, home, "0.2.0-rc.1")
    assert first_command(repository) == before
    project = tomllib.loads((repository / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["version"] == "0.2.0-rc.1"
    release(repository, home, "0.2.0")
    for tag in ("v0.2.0-rc.1", "v0.2.0"):
        message = git(repository, "tag", "--list", "--format=%(contents)", tag)
        assert f"{message}\n".endswith(f"\n\n{CHANGES}")


def test_first_release(repository: Path, home: Path) -> None:
    """The first release can have the version that pyproject.toml has."""
    release(repository, home, "0.1.0")
    assert git(repository, "tag") == "v0.1.0"


def test_order_of_versions() -> None:
    """Versions are ordered by numbers; a pre-release is before its release."""
    ordered = """
        0.0.1 0.2.0-alpha.1 0.2.0-alpha.10 0.2.0-beta.2 0.2.0-rc.1 0.2.0 0.10.0 1.0.0-rc.1 1.0.0
    """.split()
    assert all(precedence(one) < precedence(other) for one, other in pairwise(ordered))


def test_version_renders(repository: Path, home: Path, tmp_path: Path) -> None:
    """cookiecutter renders a released version from an address, later changes left out."""
    release(repository, home, "0.2.0")
    (repository / "cookiecutter.json").unlink()
    commit(repository, "Later")
    done = run(
        command("cookiecutter"), f"git+file://{repository}", "--checkout", "v0.2.0", "--no-input",
        "--config-file", settings(home), cwd=tmp_path, env=environment(home),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "my_service/pyproject.toml").exists()


# --- Refusals


def tagged(clone: Path) -> None:
    """Tag a version that is greater than that of pyproject.toml, and other names."""
    for name in ("v0.3.0", "v0.4", "nightly"):
        git(clone, "tag", name)


def ahead(clone: Path) -> None:
    """Have a version in pyproject.toml that is greater than the last tag."""
    git(clone, "tag", "v0.2.0")
    write_version(clone, "0.3.0")
    commit(clone, "Version")


def edited(clone: Path) -> None:
    """Change a file."""
    (clone / "LICENSE").write_text("mine")


def on_a_branch(clone: Path) -> None:
    """Work on a branch."""
    git(clone, "switch", "--quiet", "--create", "topic")


def with_a_remote(clone: Path) -> None:
    """Have a remote with another default branch."""
    git(clone, "update-ref", "refs/remotes/origin/trunk", "HEAD")
    git(clone, "symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/trunk")


def without_command(clone: Path) -> None:
    """Have a README without the command."""
    (clone / "README.md").write_text("# Plinth\n")
    commit(clone, "README")


def rejecting(clone: Path) -> None:
    """Have a git hook that refuses commits."""
    hook = clone / ".git/hooks/pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho 'LICENSE is old' >&2\nexit 1\n")
    hook.chmod(0o755)


def signing(clone: Path) -> None:
    """Have tags signed by a program that fails."""
    git(clone, "config", "tag.gpgSign", "true")
    git(clone, "config", "gpg.program", "false")


Change = Callable[[Path], object]
REFUSED: dict[str, tuple[str, Change | None, str]] = {
    "none": ("", None, "VERSION is missing: make release VERSION=0.2.0"),
    "v": ("v0.2.0", None, "VERSION=v0.2.0 is not a version; must be three numbers such as 0.2.0"),
    "two": ("0.2", None, "VERSION=0.2 is not a version"),
    "zero": ("0.02.0", None, "VERSION=0.02.0 is not a version"),
    "pre": ("0.2.0-next", None, "VERSION=0.2.0-next is not a version; must be three numbers such"),
    "lower": ("0.0.9", None, "VERSION=0.0.9 is not greater than 0.1.0; choose a greater version"),
    "pre-of": ("0.1.0-rc.1", None, "VERSION=0.1.0-rc.1 is not greater than 0.1.0"),
    "tagged": ("0.3.0", tagged, "VERSION=0.3.0 has a tag already, v0.3.0; choose a greater"),
    "unreleased": ("0.3.0", ahead, "VERSION=0.3.0 is not greater than 0.3.0; choose a greater"),
    "lower-than-tag": ("0.2.0", tagged, "VERSION=0.2.0 is not greater than 0.3.0"),
    "edited": ("0.2.0", edited, "the working tree has changes; commit, stash or remove them"),
    "untracked": ("0.2.0", lambda clone: (clone / "new").touch(), "the working tree has changes"),
    "branch": (
        "0.2.0",
        on_a_branch,
        "the working tree is on the branch topic; a release needs main",
    ),
    "detached": (
        "0.2.0",
        lambda clone: git(clone, "switch", "--quiet", "--detach"),
        "the working tree is on no branch; a release needs main: git switch main",
    ),
    "trunk": ("0.2.0", with_a_remote, "the working tree is on the branch main; a release needs tr"),
    "no-section": (
        "0.2.0",
        lambda clone: write_changelog(clone, "# Changelog\n\n## [0.1.0] - unreleased\n\n- New.\n"),
        "CHANGELOG.md has no line ## [Unreleased]",
    ),
    "no-entry": (
        "0.2.0",
        lambda clone: write_changelog(clone, "## [Unreleased]\n\n### Added\n\n## [0.1.0]\n\n- A\n"),
        "CHANGELOG.md has no entry under ## [Unreleased]; add one for each change",
    ),
    "no-command": ("0.2.0", without_command, "README.md has no line to replace"),
    "commit-fails": ("0.2.0", rejecting, "git commit failed: LICENSE is old"),
    "tag-fails": ("0.2.0", signing, "git tag failed: "),
}


@pytest.mark.parametrize(("version", "change", "line"), REFUSED.values(), ids=REFUSED)
def test_refusals(
    version: str, change: Change | None, line: str, repository: Path, home: Path
) -> None:
    """A release that cannot be made gives one line, and leaves everything as it was."""
    if change:
        change(repository)
    before = state(repository)
    done = make_release(repository, home, f"VERSION={version}" if version else "--")
    assert done.stderr.startswith(line)
    assert done.stderr.splitlines()[1].startswith("make: ***")
    assert len(done.stderr.splitlines()) == 2
    assert done.stdout == ""
    assert state(repository) == before


def test_no_identity(repository: Path, home: Path) -> None:
    """Without a name and an address for git, one line has the commands that set them."""
    before = state(repository)
    # git guesses the rest from the system.
    without = {"GIT_CONFIG_GLOBAL": os.devnull, "EMAIL": "guess@example.com"}
    done = make_release(repository, home, "VERSION=0.2.0", **without)
    said, _ = done.stderr.splitlines()
    assert said == (
        "git has no user name or e-mail address; set them: "
        "git config user.name '…' && git config user.email '…'"
    )
    assert state(repository) == before


@pytest.mark.parametrize("target", ["portable", "release"])
def test_old_python(target: str, repository: Path, home: Path) -> None:
    """An old Python gives one line with the remedy."""
    env = environment(home)
    done = run("make", target, "PYTHON=false", "VERSION=0.2.0", cwd=repository, env=env)
    said, make_failed = done.stderr.splitlines()
    assert said == "Python 3.11 or newer is required; set its name with PYTHON=python3.13"
    assert make_failed.startswith("make: ***")


# --- Publishing


def pretend_to_install(folder: Path) -> None:
    """Make a `.venv` that make takes for complete, with the Python of the tests."""
    (folder / "bin").mkdir(parents=True)
    (folder / "bin/uv").touch()
    (folder / "bin/python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (folder / "bin/python").chmod(0o755)
    (folder / "new").touch()


@pytest.fixture
def runner(repository: Path, home: Path, tmp_path: Path) -> Callable[[str], list[str]]:
    """A function that releases a version, pushes it, and runs the workflow's steps in a clone.

    It returns the arguments with which `gh` was called.
    """
    origin = tmp_path / "origin.git"
    git(tmp_path, "clone", "--quiet", "--bare", str(repository), str(origin))
    git(repository, "remote", "add", "origin", str(origin))
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "gh").write_text('#!/bin/sh\nprintf "%s\\n" "$@" > "$RUNNER_TEMP/gh"\n')
    (tools / "gh").chmod(0o755)
    (tools / "python").symlink_to(sys.executable)
    workflow = yaml.safe_load((TEMPLATE / ".github/workflows/release.yml").read_text("utf-8"))
    steps = [step for step in workflow["jobs"]["release"]["steps"] if "run" in step]

    def publish(version: str) -> list[str]:
        [push] = re.findall("^To publish: (.*)$", release(repository, home, version).stdout, re.M)
        assert run("sh", "-c", push, cwd=repository).returncode == 0
        work, temporary = tmp_path / f"work-{version}", tmp_path / f"temporary-{version}"
        temporary.mkdir()
        git(tmp_path, "clone", "--quiet", str(origin), str(work))
        git(work, "checkout", "--quiet", f"v{version}")
        pretend_to_install(work / ".venv")
        variables = {
            "TAG": f"v{version}",
            "PRERELEASE": str("-" in version).lower(),
            "RUNNER_TEMP": str(temporary),
            "PATH": f"{tools}:{os.environ['PATH']}",
        }
        for step in steps:
            if "if" in step:
                assert step["if"] == "env.PRERELEASE == 'false'"
                if variables["PRERELEASE"] == "true":
                    continue
            done = run(
                "bash", "-e", "-c", step["run"],
                cwd=work, env=environment(home, **variables, **step.get("env", {})),
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
        return (temporary / "gh").read_text("utf-8").splitlines()

    return publish


def test_workflow(runner: Callable[[str], list[str]], repository: Path, tmp_path: Path) -> None:
    """A pushed tag makes a release with its notes, and a commit on top of `portable`."""
    origin, notes = tmp_path / "origin.git", tmp_path / "temporary-0.2.0/notes.md"
    assert runner("0.2.0") == [
        "release", "create", "v0.2.0", "--verify-tag", "--prerelease=false",
        "--title", "Plinth v0.2.0", "--notes-file", str(notes),
    ]  # fmt: skip
    assert notes.read_text("utf-8") == CHANGES
    # A project with all options, to browse. GitHub refuses a push with a workflow in any commit.
    assert "sample_service/sentry.py" in git(origin, "ls-tree", "-r", "--name-only", "sample")
    for branch in ("portable", "sample"):
        assert git(origin, "log", "--format=%h", branch, "--", ".github/workflows") == ""
    first = git(origin, "rev-parse", "portable")
    assert git(origin, "show", "portable:portable.json").count(git(repository, "rev-parse", "HEAD"))

    text = (repository / "CHANGELOG.md").read_text("utf-8")
    entries = text.replace("## [Unreleased]\n", "## [Unreleased]\n\n- More.\n")
    write_changelog(repository, entries)
    assert "--prerelease=true" in runner("0.3.0-rc.1")
    assert (tmp_path / "temporary-0.3.0-rc.1/notes.md").read_text("utf-8") == "- More.\n"
    assert git(origin, "rev-parse", "portable") == first
    runner("0.3.0")
    assert git(origin, "rev-parse", "portable^") == first


def test_tag_must_be_the_version(repository: Path, home: Path) -> None:
    """The workflow's first step fails for a tag that was not made by `make release`."""
    release(repository, home, "0.2.0")
    notes = (sys.executable, "make_release.py", "--notes")
    done = run(*notes, "v0.2.0", cwd=repository)
    assert (done.returncode, done.stdout) == (0, CHANGES)
    done = run(*notes, "v0.2.1", cwd=repository)
    line = "v0.2.1 is not the tag of version 0.2.0 in pyproject.toml; v0.2.0 is\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", line)


def test_tag_of_a_fork(repository: Path, home: Path) -> None:
    """A fork's release of a version, as docs/forks.md tags it, has that version's notes."""
    release(repository, home, "0.2.0")
    done = run(sys.executable, "make_release.py", "--notes", "v0.2.0+acme.1", cwd=repository)
    assert (done.returncode, done.stdout) == (0, CHANGES)


def test_workflow_starts_with_a_tag() -> None:
    """Tags of versions start the workflow; only the job that publishes may write."""
    workflow = yaml.load(
        (TEMPLATE / ".github/workflows/release.yml").read_text("utf-8"), yaml.BaseLoader
    )
    assert workflow["on"] == {"push": {"tags": ["v*"]}}
    assert workflow["permissions"] == {"contents": "read"}
    may_write = [name for name, job in workflow["jobs"].items() if "permissions" in job]
    assert may_write == ["release"]
    assert workflow["jobs"]["release"]["permissions"] == {"contents": "write"}
    assert workflow["concurrency"] == {"group": "${{ github.workflow }}"}
    checkout = workflow["jobs"]["release"]["steps"][0]
    assert checkout["with"] == {"fetch-depth": "0"}
    # Not a fork's name with a hyphen.
    found = re.findall(
        r"contains\(github\.ref_name, '(.+?)'\)", str(workflow["jobs"]["release"]["env"])
    )
    assert found == ["-alpha.", "-beta.", "-rc."]
