"""update/: which version is merged, what is printed, and what is refused.

`tests/updates` has edited projects and later versions; here a change is one line.
"""

import re
import shutil
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.renders import TEMPLATE, command, commit, contents, environment, git, run
from update.__main__ import main

SOURCES = Path("<<cookiecutter.project_slug>>")
PACKAGE = SOURCES / "<<cookiecutter.project_slug>>"
NOT_SOURCES = shutil.ignore_patterns(".git", ".venv", ".hypothesis", ".*_cache", "__pycache__")


@dataclass
class Versions:
    """A template with two releases, and a project of the first one."""

    template: Path
    project: Path
    first: str
    second: str

    def update(self, *arguments: str) -> int:
        """Update the project."""
        return main([str(self.project), "--template", str(self.template), *arguments])

    def stamp(self) -> dict[str, Any]:
        """Return the project's stamp."""
        tool = tomllib.loads((self.project / "pyproject.toml").read_text("utf-8"))["tool"]
        return dict(tool["plinth"])

    def edit(self, path: str, old: str, new: str) -> None:
        """Replace text in a file of the project."""
        replace(self.project / path, old, new)


def replace(path: Path, old: str, new: str) -> None:
    """Replace text that a file must contain."""
    text = path.read_text("utf-8")
    assert old in text, path
    path.write_text(text.replace(old, new), "utf-8")


def append(path: Path, text: str) -> None:
    """Append text to a file."""
    path.write_text(path.read_text("utf-8") + text, "utf-8")


def release(template: Path, version: str) -> str:
    """Commit and tag a version and return the commit."""
    pyproject = template / "pyproject.toml"
    text = pyproject.read_text("utf-8")
    pyproject.write_text(re.sub(r'^version = ".*"', f'version = "{version}"', text, flags=re.M))
    commit(template, version)
    git(template, "tag", "--annotate", f"v{version}", "--message", version)
    return git(template, "rev-parse", "HEAD")


def second_version(template: Path) -> None:
    """Change some files of the project, add one, and add a question."""
    append(template / SOURCES / "README.md", "\nNews.\n")
    append(template / PACKAGE / "_internal" / "context.py", "\n# Mended.\n")
    append(template / PACKAGE / "routers" / "hello.py", "\n# News.\n")
    (template / SOURCES / "docs" / "news.md").write_text("News.\n")
    option = "use_docker = << cookiecutter.use_docker | tojson >>\n"
    replace(
        template / SOURCES / "pyproject.toml", option, option + option.replace("docker", "queue")
    )
    option = '    "use_docker": false,\n'
    replace(template / "cookiecutter.json", option, option + option.replace("docker", "queue"))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, home: Path) -> Versions:
    """Both versions and the project, to be copied."""
    folder = tmp_path_factory.mktemp("update")
    template = folder / "template"
    shutil.copytree(TEMPLATE, template, ignore=NOT_SOURCES)
    git(template, "init", "--initial-branch", "main")
    git(template, "remote", "add", "origin", "https://example.com/plinth.git")
    first = release(template, "1.0.0")
    done = run(
        command("cookiecutter"), template, "--no-input", "description=It's «so»",
        cwd=folder, env=environment(home),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    second_version(template)
    second = release(template, "1.1.0")
    return Versions(template, folder / "my_service", first, second)


@pytest.fixture
def versions(made: Versions, tmp_path: Path) -> Versions:
    """A template with two releases, and a project of the first one, to be changed."""
    template, project = tmp_path / "template", tmp_path / "my_service"
    git(tmp_path, "clone", "--quiet", str(made.template), "template")
    git(template, "remote", "set-url", "origin", "https://example.com/plinth.git")
    shutil.copytree(made.project, project)
    return Versions(template, project, made.first, made.second)


def changes(project: Path) -> str:
    """Return the state of the working tree."""
    return git(project, "status", "--porcelain")


# --- Merging


def test_clean_merge(versions: Versions, capsys: pytest.CaptureFixture[str]) -> None:
    """The news are staged, nothing is committed, and the next steps are printed."""
    before = git(versions.project, "rev-parse", "HEAD")
    assert versions.update() == 0
    assert git(versions.project, "rev-parse", "HEAD") == before
    assert changes(versions.project).splitlines() == [
        "M  README.md",
        "A  docs/news.md",
        "M  my_service/_internal/context.py",
        "M  my_service/routers/hello.py",
        "M  pyproject.toml",
    ]
    assert capsys.readouterr().out.splitlines() == [
        "Plinth v1.0.0 -> v1.1.0",
        'new answer: use_queue = no; to change it: make update ARGS="use_queue=…"',
        "merged: 5 files",
        "Nothing is committed. See it: git diff --staged. Take it back: git reset --merge",
        "Then: make install lint test",
    ]


def test_new_stamp(versions: Versions) -> None:
    """The stamp has the new version, the address, the answers, and the new question."""
    old = versions.stamp()
    versions.update()
    news = {"version": "1.1.0", "commit": versions.second, "use_queue": False}
    assert versions.stamp() == old | news
    assert old["template"] == "https://example.com/plinth.git"
    assert old["commit"] == versions.first


@pytest.mark.parametrize(
    ("origin", "address"),
    [
        ("/srv/plinth", "https://example.com/plinth.git"),
        ("https://zoe:canary@example.com/fork.git", "https://example.com/fork.git"),
    ],
)
def test_address(origin: str, address: str, versions: Versions) -> None:
    """The stamp keeps its address after a local clone, and takes that of a fork."""
    git(versions.template, "remote", "set-url", "origin", origin)
    versions.update()
    assert versions.stamp()["template"] == address


def test_conflict(versions: Versions, capsys: pytest.CaptureFixture[str]) -> None:
    """A conflict has git's markers, its file is named, and one command takes all of it back."""
    append(versions.project / "README.md", "\nMine.\n")
    commit(versions.project, "Mine")
    assert versions.update() == 1
    text = (versions.project / "README.md").read_text("utf-8")
    assert "<<<<<<< HEAD\nMine.\n=======\nNews.\n>>>>>>> " in text
    printed = capsys.readouterr().out.splitlines()
    assert "conflict: README.md: 1 hunk" in printed
    assert "Edit these files, then commit; or take all of it back: git reset --merge" in printed
    git(versions.project, "reset", "--merge")
    assert changes(versions.project) == ""
    assert not (versions.project / "docs" / "news.md").exists()


def test_edited_machinery_is_named_first(
    versions: Versions, capsys: pytest.CaptureFixture[str]
) -> None:
    """An edit in `_internal` is kept, and named before anything else."""
    path = "my_service/_internal/log/sink.py"
    append(versions.project / path, "\n# Patched.\n")
    commit(versions.project, "Emergency")
    assert versions.update() == 0
    assert capsys.readouterr().out.splitlines()[1] == f"edited in _internal: {path}"
    assert "# Patched." in (versions.project / path).read_text("utf-8")


def test_moved_machinery_is_not_edited(
    versions: Versions, capsys: pytest.CaptureFixture[str]
) -> None:
    """A package in another folder is updated there; only edited files are named as edited."""
    (versions.project / "src").mkdir()
    git(versions.project, "mv", "my_service", "src")
    append(versions.project / "src" / "my_service" / "_internal" / "log" / "sink.py", "\n# Mine.\n")
    commit(versions.project, "Move")
    assert versions.update() == 0
    mended = versions.project / "src" / "my_service" / "_internal" / "context.py"
    assert mended.read_text("utf-8").endswith("\n# Mended.\n")
    named = [line for line in capsys.readouterr().out.splitlines() if line.startswith("edited")]
    assert named == ["edited in _internal: my_service/_internal/log/sink.py"]


def test_deleted_files_stay_deleted(versions: Versions, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that the owner deleted is no conflict and does not come back."""
    git(versions.project, "rm", "--quiet", "my_service/routers/hello.py")
    commit(versions.project, "No example")
    assert versions.update() == 0
    assert not (versions.project / "my_service" / "routers" / "hello.py").exists()
    deleted = "deleted by you, and not restored: my_service/routers/hello.py"
    assert deleted in capsys.readouterr().out.splitlines()


def test_file_that_the_template_deleted(
    versions: Versions, capsys: pytest.CaptureFixture[str]
) -> None:
    """An edited file that the template deleted stays, as a conflict."""
    (versions.template / SOURCES / "docs" / "recipes.md").unlink()
    third = release(versions.template, "1.2.0")
    append(versions.project / "docs" / "recipes.md", "Mine.\n")
    commit(versions.project, "Mine")
    assert versions.update() == 1
    assert (versions.project / "docs" / "recipes.md").read_text("utf-8").endswith("Mine.\n")
    line = "conflict: docs/recipes.md: one side deleted, renamed or replaced it; see git status"
    assert line in capsys.readouterr().out.splitlines()
    assert versions.stamp()["commit"] == third


@pytest.mark.parametrize("ignored", [False, True])
def test_untracked_file_in_the_way(
    ignored: bool, versions: Versions, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that git does not know is not overwritten, even if ignored: nothing is merged."""
    if ignored:
        append(versions.project / ".gitignore", "news.md\n")
        commit(versions.project, "Ignore")
    (versions.project / "docs" / "news.md").write_text("Mine.\n")
    before = changes(versions.project)
    assert versions.update() == 2
    assert (versions.project / "docs" / "news.md").read_text() == "Mine.\n"
    assert changes(versions.project) == before
    line = "git does not overwrite files that it does not track; move them: docs/news.md\n"
    assert capsys.readouterr().err == line


def test_folder_where_a_file_is_added(
    versions: Versions, capsys: pytest.CaptureFixture[str]
) -> None:
    """A new file of the template that has no place is left under another name, as a conflict."""
    (versions.project / "docs" / "news.md").mkdir()
    (versions.project / "docs" / "news.md" / "mine").touch()
    commit(versions.project, "A folder")
    assert versions.update() == 1
    [path] = versions.project.glob("docs/news.md~*")
    assert path.read_text() == "News.\n"
    assert f"conflict: docs/{path.name}: one side deleted, " in capsys.readouterr().out


def test_changed_answers(versions: Versions) -> None:
    """Options can be turned on later, texts that look like a template included."""
    assert versions.update("use_sentry=yes", 'description=<< 7*7 >> # <% {{ }} "é" 😀') == 0
    stamp = versions.stamp()
    assert (stamp["use_sentry"], stamp["use_docker"]) == (True, False)
    assert stamp["description"] == '<< 7*7 >> # <% {{ }} "é" 😀'
    assert (versions.project / "my_service" / "sentry.py").exists()


def test_option_turned_off(versions: Versions) -> None:
    """An answer can change without a newer version; an option that is turned off goes."""
    versions.update()
    commit(versions.project, "Newest")
    assert versions.update("use_sentry=true") == 0
    commit(versions.project, "With")
    assert (versions.project / "my_service" / "sentry.py").exists()
    assert versions.update("use_sentry=false") == 0
    assert not (versions.project / "my_service" / "sentry.py").exists()
    assert not (versions.project / "my_service" / "_internal" / "sentry").exists()


def test_windows(versions: Versions, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the template cannot be checked out, an update has the same result."""
    assert versions.update() == 0
    here = contents(versions.project)
    git(versions.project, "reset", "--merge")
    monkeypatch.setattr("update.rendering.IS_WINDOWS", True)
    assert versions.update() == 0
    assert contents(versions.project) == here


# --- Repositories and settings of users


def monorepo(versions: Versions) -> Path:
    """Make a repository with the project and a second one like it, and return its folder."""
    repository = versions.project.parent / "mono"
    shutil.rmtree(versions.project / ".git")
    shutil.copytree(versions.project, repository / "one project")
    shutil.move(versions.project, repository / "another")
    versions.project = repository / "one project"
    git(repository, "init", "--initial-branch", "main")
    commit(repository, "Both")
    return repository


def test_neighbour_in_a_monorepo(versions: Versions) -> None:
    """A file that was deleted here is not updated in another project that still has it."""
    repository = monorepo(versions)
    (versions.project / "README.md").unlink()
    commit(repository, "Delete")
    assert versions.update() == 0
    changed = git(repository, "diff", "--staged", "--name-only").splitlines()
    assert changed[0] == "one project/docs/news.md"
    assert all(path.startswith("one project/") for path in changed)


def test_sparse_checkout(versions: Versions) -> None:
    """A project whose repository is checked out in part is updated, and no more is checked out."""
    repository = monorepo(versions)
    git(repository, "sparse-checkout", "set", "one project")
    assert versions.update() == 0
    assert (versions.project / "docs" / "news.md").exists()
    assert not (repository / "another").exists()


def test_settings_of_the_user(
    versions: Versions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Settings that change the output of git, and hooks that fail, do not end an update."""
    (tmp_path / "hooks").mkdir()
    (tmp_path / "hooks" / "post-checkout").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "hooks" / "post-checkout").chmod(0o755)
    (tmp_path / "config").write_text(
        f"[core]\nhooksPath = {tmp_path}/hooks\nautocrlf = true\nsafecrlf = true\n"
        "[status]\nbranch = true\n[color]\nui = always\n[column]\nui = always\n"
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", f"{tmp_path}/config")
    assert versions.update() == 0
    assert len(changes(versions.project).splitlines()) == 5


@pytest.mark.parametrize("place", [".", ".."])
def test_settings_of_ruff_in_a_file_of_their_own(
    place: str, versions: Versions, capsys: pytest.CaptureFixture[str]
) -> None:
    """Code that is formatted by ruff.toml, here or in a folder above, is not taken for edited."""
    repository = monorepo(versions)
    (versions.project / place / "ruff.toml").write_text("line-length = 60\n")
    pyproject = versions.project / "pyproject.toml"
    tables = re.split(r"^(?=\[)", pyproject.read_text("utf-8"), flags=re.MULTILINE)
    pyproject.write_text("".join(table for table in tables if not table.startswith("[tool.ruff")))
    for words in (["check", "--select=I", "--fix", "--exit-zero"], ["format"]):
        assert run(command("ruff"), *words, cwd=versions.project).returncode == 0
    commit(repository, "Format")
    assert versions.update() == 0
    assert "edited in _internal" not in capsys.readouterr().out


# --- Versions


def test_check(versions: Versions, capsys: pytest.CaptureFixture[str]) -> None:
    """`--check` changes nothing, and fails until the newest release is merged."""
    assert versions.update("--check") == 1
    assert changes(versions.project) == ""
    versions.update()
    commit(versions.project, "Update")
    capsys.readouterr()
    for arguments in (["--check"], []):
        assert versions.update(*arguments) == 0
        assert capsys.readouterr().out == "v1.1.0 is the newest\n"
        assert changes(versions.project) == ""


@pytest.mark.parametrize("to", ["v1.1.0", "1.1.0", "main", "unreleased", "commit"])
def test_to(to: str, versions: Versions, capsys: pytest.CaptureFixture[str]) -> None:
    """TO is a release with or without v, a branch of the clone or its origin, or a commit."""
    git(versions.template, "update-ref", "refs/remotes/origin/unreleased", versions.second)
    to = versions.second if to == "commit" else to
    assert versions.update("--check", "--to", to) == 1
    assert capsys.readouterr().out == "v1.0.0 -> v1.1.0\n"


def test_to_an_older_version(versions: Versions) -> None:
    """TO can go back, and merges what that version has."""
    versions.update()
    commit(versions.project, "Newer")
    assert versions.update("--to", "v1.0.0") == 0
    assert versions.stamp()["commit"] == versions.first
    assert not (versions.project / "docs" / "news.md").exists()


def test_newest_release(versions: Versions, capsys: pytest.CaptureFixture[str]) -> None:
    """Versions are compared as numbers; candidates and what is not released do not count."""
    for tag in ("v1.9.0", "v1.10.0", "v2.0.0-rc.1", "w3.0.0"):
        git(versions.template, "commit", "--allow-empty", "--message", tag)
        git(versions.template, "tag", tag)
    assert versions.update("--check") == 1
    assert capsys.readouterr().out == "v1.0.0 -> v1.10.0\n"


def test_releases_of_a_fork(versions: Versions, capsys: pytest.CaptureFixture[str]) -> None:
    """A release without what the project was made from is only named; that of the fork is taken."""
    template = versions.template
    git(template, "checkout", "--quiet", "-b", "fork", "v1.0.0")
    (template / SOURCES / "CODEOWNERS").touch()
    commit(template, "Fork")
    versions.edit("pyproject.toml", versions.first, git(template, "rev-parse", "HEAD"))
    commit(versions.project, "Made from the fork")
    assert versions.update() == 0
    name, newest = capsys.readouterr().out.splitlines()
    assert name.startswith("v1.1.0 does not contain v1.0.0-1-g")
    assert name.endswith("; to merge it nevertheless: TO=v1.1.0")
    assert newest.endswith(" is the newest")
    git(template, "merge", "--quiet", "v1.1.0")
    git(template, "tag", "v1.1.0+acme.2")
    git(template, "commit", "--allow-empty", "--message", "More")
    git(template, "tag", "v1.1.0+acme.10")
    assert versions.update("--check") == 1
    assert capsys.readouterr().out.endswith(" -> v1.1.0+acme.10\n")


def test_project_of_an_unreleased_version(
    versions: Versions, capsys: pytest.CaptureFixture[str]
) -> None:
    """A project is not taken back to a release before it."""
    git(versions.template, "commit", "--allow-empty", "--message", "Unreleased")
    versions.edit("pyproject.toml", versions.first, git(versions.template, "rev-parse", "HEAD"))
    commit(versions.project, "Newer")
    assert versions.update() == 0
    assert capsys.readouterr().out.startswith("v1.1.0-1-g")


def test_without_releases(versions: Versions, capsys: pytest.CaptureFixture[str]) -> None:
    """In a template without releases the newest version is what is checked out."""
    git(versions.template, "tag", "--delete", "v1.0.0", "v1.1.0")
    assert versions.update("--check") == 1
    old, _, new = capsys.readouterr().out.split()
    assert versions.first.startswith(old)
    assert versions.second.startswith(new)


@pytest.mark.parametrize("stamped", ["", "0" * 40, "{first}-dirty"])
def test_base(stamped: str, versions: Versions, capsys: pytest.CaptureFixture[str]) -> None:
    """An unknown commit is replaced by the tag of its version; a dirty one by the commit itself."""
    stamped = stamped.format(first=versions.first)
    versions.edit("pyproject.toml", versions.first, stamped)
    commit(versions.project, "Another stamp")
    assert versions.update("--check") == 1
    assert capsys.readouterr().out == "v1.0.0 -> v1.1.0\n"


# --- Refusals

Change = Callable[[Versions], None]


def unknown_base(versions: Versions) -> None:
    """Name a version and a commit that the template does not have."""
    versions.edit("pyproject.toml", versions.first, "1" * 40)
    versions.edit("pyproject.toml", 'version = "1.0.0"', 'version = "7.0.0"')
    commit(versions.project, "Unknown")


def merging(versions: Versions) -> None:
    """Leave a merge without its commit, and without changes."""
    git(versions.project, "checkout", "--quiet", "-b", "other")
    git(versions.project, "commit", "--quiet", "--allow-empty", "--message", "Other")
    git(versions.project, "checkout", "--quiet", "main")
    git(versions.project, "merge", "--quiet", "--no-ff", "--no-commit", "other")


def no_stamp(versions: Versions) -> None:
    """Remove the stamp."""
    versions.edit("pyproject.toml", "[tool.plinth]", "[tool.other]")
    commit(versions.project, "No stamp")


def bad_toml(versions: Versions) -> None:
    """Break pyproject.toml."""
    append(versions.project / "pyproject.toml", "[")
    commit(versions.project, "Bad")


def cruft(versions: Versions) -> None:
    """Make it a project of cruft."""
    (versions.project / ".cruft.json").touch()


def refused_answer(versions: Versions) -> None:
    """Stamp an answer that is no choice any more."""
    versions.edit("pyproject.toml", 'server = "hypercorn"', 'server = "gunicorn"')
    commit(versions.project, "Bad answer")


def refused_type(versions: Versions) -> None:
    """Stamp a list as an answer."""
    versions.edit("pyproject.toml", "use_sentry = false", "use_sentry = []")
    commit(versions.project, "Bad type")


def shallow(versions: Versions) -> None:
    """Leave only the newest commit in the template."""
    address = f"file://{versions.template}"
    versions.template = versions.template.with_name("shallow")
    git(versions.template.parent, "clone", "--quiet", "--depth=1", address, "shallow")


def nothing(versions: Versions) -> None:
    """Leave the project as it is."""


REFUSALS: dict[str, tuple[Change, list[str], str]] = {
    "uncommitted": (
        lambda versions: append(versions.project / "README.md", "Mine.\n"),
        [],
        "commit or stash your changes first: README.md, …",
    ),
    "merging": (merging, [], "commit the merge of "),
    "unknown base": (
        unknown_base,
        [],
        f"the template has neither commit {'1' * 40} nor tag v7.0.0: name the template that made ",
    ),
    "no stamp": (no_stamp, [], "pyproject.toml has no 'plinth' of [tool.plinth]"),
    "bad TOML": (bad_toml, [], "pyproject.toml cannot be read: "),
    "cruft": (cruft, [], "this project is updated by cruft; to change over, remove .cruft.json"),
    "no project": (
        lambda versions: (versions.project / "pyproject.toml").unlink(),
        [],
        "{project} has no pyproject.toml: PROJECT must be a project's folder",
    ),
    "no repository": (
        lambda versions: shutil.rmtree(versions.project / ".git"),
        [],
        "git rev-parse: fatal: not a git repository",
    ),
    "unknown TO": (
        nothing,
        ["--to", "v9"],
        "TO=v9: the template has no such tag, branch or commit",
    ),
    "no answer": (nothing, ["x"], "ARGS: 'x' is not of the form name=value"),
    "unknown answer": (
        nothing,
        ["use_sentri=yes"],
        "use_sentri: there is no such question; did you mean use_sentry?",
    ),
    "bad answer": (
        nothing,
        ["use_sentry=maybe"],
        "use_sentry: 'maybe' is neither yes nor no; must be yes or no",
    ),
    "slug": (nothing, ["project_slug=x"], "project_slug: rename the package in the"),
    "stamped type": (refused_type, [], "use_sentry: '[]' is neither yes nor no; must be yes or no"),
    "shallow": (
        shallow,
        [],
        "the clone of the template is shallow and lacks version 1.0.0; run in it: git fetch ",
    ),
    "stamped answer": (refused_answer, [], "server: 'gunicorn' is not one of the choices"),
}


@pytest.mark.parametrize(("change", "arguments", "line"), REFUSALS.values(), ids=REFUSALS)
def test_refusals(
    change: Change,
    arguments: list[str],
    line: str,
    versions: Versions,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What cannot be merged is one line with the remedy, and changes nothing."""
    change(versions)
    before = contents(versions.project)
    assert versions.update(*arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(line.format(project=versions.project))
    assert len(said.err.splitlines()) == 1
    assert contents(versions.project) == before
