"""make_example.py and examples/todo: the example fits the template, the tutorial the example."""

import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

import make_example
from tests.renders import TEMPLATE, command, commit, contents, environment, git, render, run

EXAMPLE = TEMPLATE / "examples/todo"
README = (EXAMPLE / "README.md").read_text("utf-8")
PACKAGE = "<<cookiecutter.project_slug>>/<<cookiecutter.project_slug>>"

# Settings that would change, stop or sign a commit or a patch.
SETTINGS = """
[user]
name = Ann
email = ann@example.com
[apply]
whitespace = error
[color]
ui = always
[commit]
gpgSign = true
template = {folder}/missing
[core]
abbrev = 40
attributesFile = {folder}/attributes
autocrlf = true
excludesFile = {folder}/excludes
hooksPath = {folder}/hooks
quotePath = false
safecrlf = true
[diff]
context = 9
external = false
mnemonicPrefix = true
noprefix = true
orderFile = {folder}/order
renames = copies
[gpg]
program = false
[init]
defaultBranch = trunk
templateDir = {folder}/template
"""


@pytest.fixture(scope="session")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project of the example; do not change it."""
    return make_example.make(tmp_path_factory.mktemp("example"))


def run_example(
    clone: Path, home: Path, *arguments: str | Path, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run make_example.py of a clone."""
    env = environment(home, PYTHONDONTWRITEBYTECODE="1", **variables)
    return run(sys.executable, "make_example.py", *arguments, cwd=clone, env=env)


def make(clone: Path, home: Path, folder: Path, **variables: str) -> Path:
    """Make the project of a clone's example."""
    done = run_example(clone, home, folder, **variables)
    assert (done.returncode, done.stderr) == (0, "")
    return folder / "todo"


# --- What is made


def test_commits(example: Path, home: Path, tmp_path: Path) -> None:
    """The first commit is the render with all options, the second one the example."""
    log = git(example, "log", "--format=%s", "--reverse").splitlines()
    assert log == [make_example_title(), "The to-do application"]
    assert git(example, "status", "--porcelain", "--ignored") == ""
    git(tmp_path, "clone", "--quiet", str(example), "first")
    git(tmp_path / "first", "checkout", "--quiet", "HEAD^")
    rendered = render(tmp_path / "rendered", home, **make_example.ANSWERS)
    assert contents(tmp_path / "first") == contents(rendered)
    assert [path.name for path in example.parent.iterdir()] == ["todo"]


def test_relative_folder(clone: Path, home: Path, tmp_path: Path) -> None:
    """The folder can be named from the current one, as `make example OUT=../new` does."""
    make(clone, home, Path("../new"))
    assert (tmp_path / "new/todo/own.mk").exists()


def make_example_title() -> str:
    """Return the message of the render's commit."""
    version = tomllib.loads((TEMPLATE / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    return f"Scaffold with Plinth {version}"


def test_has_every_option() -> None:
    """The answers turn every option on."""
    context = make_example.ANSWERS
    assert {name for name, value in context.items() if value is True} == {
        "use_sentry",
        "use_prometheus",
        "use_docker",
    }


def test_machinery_is_the_template_s(example: Path) -> None:
    """The example edits nothing in `_internal`."""
    changed = git(example, "diff", "--name-only", "HEAD^", "HEAD").splitlines()
    assert [path for path in changed if "_internal" in path] == []


@pytest.mark.parametrize("words", ["format --check", "check"])
def test_form(words: str, example: Path) -> None:
    """The project's own settings of ruff find nothing to change."""
    done = run(command("ruff"), *words.split(), "--no-cache", cwd=example)
    assert done.returncode == 0, done.stdout


def test_sample_of_variables(example: Path) -> None:
    """sample.env has every setting of the service's own."""
    config = (example / "todo/config.py").read_text("utf-8")
    own = re.findall(r"^    ([a-z_]+): ", config, re.MULTILINE)
    sample = (example / "sample.env").read_text("utf-8")
    assert own
    assert [name for name in own if f"\n#{name.upper()}=" not in sample] == []


# --- The tutorial


def excerpts() -> list[tuple[str, str]]:
    """Return the code blocks of the tutorial, each with the last file that is named before it."""
    found = []
    for block in re.finditer(r"^```(\w+)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL):
        if block[1] != "sh":
            named = re.findall(r"`([\w./-]+\.\w+)`", README[: block.start()])
            found.append((named[-1], block[2]))
    return found


@pytest.mark.parametrize(("name", "code"), excerpts())
def test_excerpts(name: str, code: str, example: Path) -> None:
    """A code block is a part of the file that it is said to be from; `…` stands for the rest."""
    text = (example / name).read_text("utf-8")
    for part in re.split(r"^ *…\n", code, flags=re.MULTILINE):
        assert f"\n{part}" in f"\n{text}"


def test_tutorial_names_files(example: Path) -> None:
    """Each file or folder that the tutorial names is in the project, or ignored, or here."""
    path = r"(?:[\w.-]+/)+[\w.-]*|[\w-]+\.(?:py|mk|ya?ml|env|toml|md)"
    named = set(re.findall(f"`({path})`", README))
    ignored = (example / ".gitignore").read_text("utf-8").replace("\n/", "\n").split()
    assert named
    missing = [n for n in named if not (example / n).exists() and not (TEMPLATE / n).exists()]
    assert [name for name in missing if name not in ignored] == []


def test_tutorial_names_new_files(example: Path) -> None:
    """The tutorial names each module that the example adds, and each test."""
    added = git(example, "diff", "--name-only", "--diff-filter=A", "HEAD^", "HEAD").splitlines()
    modules = [path for path in added if re.fullmatch(r"todo/(?!migrations/)[\w/]+\.py", path)]
    assert modules
    assert [path for path in modules if f"`{path}`" not in README] == []


def test_tutorial_names_targets(example: Path) -> None:
    """Each `make` target that the tutorial names is in the project, or in the template."""
    makefiles = (TEMPLATE / "Makefile", example / "Makefile", example / "own.mk")
    text = "".join(makefile.read_text("utf-8") for makefile in makefiles)
    targets = set(re.findall(r"^([a-z0-9-]+):", text, re.MULTILINE))
    code = re.findall(r"```sh\n(.*?)```|`(make [^`]+)`", README, re.DOTALL)
    named = set(re.findall(r"\bmake ([a-z][a-z0-9-]*)", " ".join(map("".join, code))))
    assert named
    assert named <= targets


@pytest.mark.parametrize("page", ["tutorial", "README.md"])
def test_links(page: str, example: Path) -> None:
    """Each relative link of the tutorial and of the project's README leads to a file."""
    path = EXAMPLE / "README.md" if page == "tutorial" else example / page
    links = re.findall(r"\]\((?!https?:)([^)#]+)", path.read_text("utf-8"))
    assert links
    assert [link for link in links if not (path.parent / link).exists()] == []


def test_readme_of_the_project(example: Path) -> None:
    """The project's README shows no route of the example that it deleted, and is short."""
    text = (example / "README.md").read_text("utf-8")
    assert not re.search(r"/hello|/divide|hello\.py", text)
    assert len(text.split()) <= 1_100


# --- The same bytes


def test_saves_the_same(clone: Path, home: Path, tmp_path: Path) -> None:
    """What was made and saved is what the repository has, with any settings of git."""
    (tmp_path / "attributes").write_text("*.py diff=python\n* eol=crlf\n")
    (tmp_path / "excludes").write_text("*.mako\n")
    (tmp_path / "order").write_text("z*\n")
    for hook in ("hooks/pre-commit", "template/hooks/commit-msg"):
        (tmp_path / hook).parent.mkdir(parents=True)
        (tmp_path / hook).write_text("#!/bin/sh\nexit 1\n")
        (tmp_path / hook).chmod(0o755)
    (tmp_path / "settings").write_text(SETTINGS.format(folder=tmp_path))
    usual = make(clone, home, tmp_path / "a")
    strange = {"GIT_CONFIG_GLOBAL": f"{tmp_path}/settings", "GIT_EXTERNAL_DIFF": "false"}
    unusual = make(clone, home, tmp_path / "b", **strange)
    assert contents(unusual) == contents(usual)
    assert tree(unusual) == tree(usual)
    for project, variables in ((usual, {}), (unusual, strange)):
        (project / "uv.lock").write_text("version = 1\n")
        (project / "todo.db").touch()
        done = run_example(clone, home, "--save", project, **variables)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert git(clone, "status", "--porcelain") == ""


def tree(project: Path) -> str:
    """Return the name of the tree of the last commit."""
    return git(project, "rev-parse", "HEAD^{tree}")


def test_saves_changes(clone: Path, home: Path, tmp_path: Path) -> None:
    """New, changed and deleted files are saved, committed or not, and the index stays."""
    project = make(clone, home, tmp_path)
    (project / "todo/notes.py").write_text('"""Notes."""\n')
    (project / "todo/sentry.py").unlink()
    commit(project, "Notes for Sentry")
    (project / "todo/main.py").write_text("# new\n" + (project / "todo/main.py").read_text())
    (project / "todo/problems.py").unlink()
    (project / "run").write_text("#!/bin/sh\n")
    (project / "run").chmod(0o755)
    before = git(project, "status", "--porcelain")
    assert run_example(clone, home, "--save", project).returncode == 0
    assert git(project, "status", "--porcelain") == before
    commit(clone, "Notes")
    again = make(clone, home, tmp_path / "again")
    # The commit of the template is in the stamp.
    older, newer = (git(clone, "rev-parse", name).encode() for name in ("HEAD^", "HEAD"))
    expected = {path: text.replace(older, newer) for path, text in contents(project).items()}
    assert contents(again) == expected
    assert (again / "run").stat().st_mode & 0o111


def test_from_the_portable_template(clone: Path, home: Path, tmp_path: Path) -> None:
    """The portable template makes the same project."""
    done = run(sys.executable, "make_portable.py", tmp_path / "portable", cwd=clone)
    assert done.returncode == 0, done.stderr
    portable = make(tmp_path / "portable", home, tmp_path / "a")
    assert contents(portable) == contents(make(clone, home, tmp_path / "b"))


def test_update(clone: Path, home: Path, tmp_path: Path) -> None:
    """The stamp is true: a later version of the template is merged into the project."""
    project = make(clone, home, tmp_path)
    pyproject = clone / PACKAGE / "../pyproject.toml"  # the example edits it too
    pyproject.write_text(
        pyproject.read_text("utf-8").replace("coverage>=7", "coverage>=8"), "utf-8"
    )
    (clone / PACKAGE / "_internal/new.py").write_text('"""New."""\n')
    commit(clone, "Later")
    env = environment(home)
    done = run(sys.executable, "-m", "update", project, cwd=clone, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (project / "todo/_internal/new.py").exists()
    text = (project / "pyproject.toml").read_text("utf-8")
    assert "coverage>=8" in text
    assert tomllib.loads(text)["tool"]["plinth"]["commit"] == git(clone, "rev-parse", "HEAD")
    commit(project, "Update")
    done = run_example(clone, home, "--save", project)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith(f"{project} was updated: the template's changes would become")


# --- Refusals


def hide_git(folder: Path) -> dict[str, str]:
    """Return a PATH without git."""
    return {"PATH": str(folder / "none")}


def make_a_file(folder: Path) -> None:
    """Put a file where the folder would be."""
    (folder / "out").write_text("")


def make_the_project(folder: Path) -> None:
    """Put something else at the project's place."""
    (folder / "out/todo").mkdir(parents=True)


def make_a_repository(folder: Path) -> None:
    """Make a repository around the folder."""
    git(folder, "init")


def break_the_patch(folder: Path) -> None:
    """Change a line of the template that the example edits."""
    config = folder / "plinth" / PACKAGE / "config.py"
    config.write_text(config.read_text("utf-8").replace("import ServiceSettings", "import Base"))


def add_a_file(folder: Path) -> None:
    """Add a file to the template that the example has."""
    (folder / "plinth" / PACKAGE / "tasks.py").write_text("")


def break_the_template(folder: Path) -> None:
    """Make the template unusable."""
    (folder / "plinth" / PACKAGE / "config.py").write_text("<< 1 +")


REFUSED: dict[str, tuple[Callable[[Path], dict[str, str] | None], str]] = {
    "no-git": (hide_git, "git is not installed; the example is a repository"),
    "file": (make_a_file, "{out}: "),
    "exists": (make_the_project, "{out}/todo exists; choose another folder with OUT=…"),
    "repository": (make_a_repository, "{out.parent} is a git repository; choose a folder outside"),
    "patch": (
        break_the_patch,
        "examples/todo/edits.patch does not fit the template: git apply: error: patch failed: ",
    ),
    "same-file": (add_a_file, "examples/todo/files/todo/tasks.py: the template has this file; "),
    "template": (break_the_template, "cannot render: "),
}


@pytest.mark.parametrize(("prepare", "line"), REFUSED.values(), ids=REFUSED)
@pytest.mark.usefixtures("clone")
def test_refusals(
    prepare: Callable[[Path], dict[str, str] | None], line: str, home: Path, tmp_path: Path
) -> None:
    """What cannot be made gives one line, and nothing is left."""
    out = tmp_path / "out"
    variables = prepare(tmp_path) or {}
    before = [*tmp_path.rglob("*")]
    done = run_example(tmp_path / "plinth", home, out, **variables)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1), done.stderr
    assert done.stderr.startswith(line.format(out=out))
    assert [*tmp_path.rglob("*")] == before


def test_without_an_identity(clone: Path, home: Path, tmp_path: Path) -> None:
    """Without a name of the user in git, the commits have the template's."""
    project = make(clone, home, tmp_path, GIT_CONFIG_GLOBAL="/dev/null")
    shown = git(project, "log", "--format=%an <%ae> %cn").splitlines()
    assert shown == ["Plinth <plinth@localhost> Plinth"] * 2


def other_answers(project: Path) -> None:
    """Turn an option off."""
    pyproject = project / "pyproject.toml"
    text = pyproject.read_text("utf-8")
    pyproject.write_text(text.replace("use_docker = true", "use_docker = false"), "utf-8")


def drop_the_changes(project: Path) -> None:
    """Leave only the first commit."""
    git(project, "reset", "--quiet", "--hard", "HEAD^")


def drop_the_stamp(project: Path) -> None:
    """Remove the stamp."""
    pyproject = project / "pyproject.toml"
    pyproject.write_text(pyproject.read_text("utf-8").partition("[tool.plinth]")[0], "utf-8")


def link(project: Path) -> None:
    """Add a symbolic link."""
    (project / "link").symlink_to("README.md")


NOT_SAVED: dict[str, tuple[Callable[[Path], None], str]] = {
    "answers": (other_answers, "{project} is not a project of make example: its answers differ"),
    "nothing": (drop_the_changes, "{project} has no changes since its first commit"),
    "stamp": (drop_the_stamp, "pyproject.toml has no 'plinth' of [tool.plinth]"),
    "link": (link, "link is a symbolic link or a submodule; must be a file"),
}  # fmt: skip


@pytest.mark.parametrize(("change", "line"), NOT_SAVED.values(), ids=NOT_SAVED)
def test_save_refuses(
    change: Callable[[Path], None],
    line: str,
    example: Path,
    clone: Path,
    home: Path,
    tmp_path: Path,
) -> None:
    """What is no such project gives one line, and the example does not change."""
    project = shutil.copytree(example, tmp_path / "todo")
    change(project)
    done = run_example(clone, home, "--save", project)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1), done.stderr
    assert done.stderr.startswith(line.format(project=project))
    assert git(clone, "status", "--porcelain") == ""


@pytest.mark.parametrize("made", ["missing", "empty", "repository"])
def test_save_refuses_other_folders(made: str, clone: Path, home: Path, tmp_path: Path) -> None:
    """A folder that is missing, empty or another repository gives one line."""
    folder = tmp_path / "other"
    if made != "missing":
        folder.mkdir()
    if made == "repository":
        git(folder, "init")
    done = run_example(clone, home, "--save", folder)
    assert (done.returncode, done.stderr) == (1, f"{folder} is not a project of make example\n")
    assert git(clone, "status", "--porcelain") == ""


@pytest.mark.parametrize("arguments", [(), ("a", "b"), ("--save",), ("--help",)])
def test_usage(arguments: tuple[str, ...], home: Path) -> None:
    """Other arguments give one line."""
    done = run_example(TEMPLATE, home, *arguments)
    assert done.returncode == 1
    assert done.stderr.startswith("usage: make_example.py FOLDER, or make_example.py --save PROJ")


# --- The target


def run_target(clone: Path, home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `make example` with the tools that are installed beside this Python."""
    tools = f"BIN={Path(sys.executable).parent}"
    env = environment(home, PYTHONDONTWRITEBYTECODE="1")
    return run("make", "-o", ".venv/new", "example", tools, *arguments, cwd=clone, env=env)


def test_target(clone: Path, home: Path, tmp_path: Path) -> None:
    """`make example` writes beside the clone or into OUT, and prints the next commands."""
    done = run_target(clone, home)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "todo/todo/tasks.py").exists()
    done = run_target(clone, home, f"OUT={tmp_path}/a b/c")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"\n  cd '{tmp_path}/a b/c/todo'\n  make install dev\n" in done.stdout
    assert (tmp_path / "a b/c/todo/own.mk").exists()
    assert git(clone, "status", "--porcelain") == ""


@pytest.mark.parametrize("out", ["", ".", "examples"])
def test_target_never_writes_into_the_clone(out: str, clone: Path, home: Path) -> None:
    """OUT inside the clone gives one line."""
    done = run_target(clone, home, f"OUT={out}")
    assert done.stderr.startswith(f"OUT={out or '.'} is inside the template; choose a folder outs")
    assert (done.returncode != 0, git(clone, "status", "--porcelain")) == (True, "")
