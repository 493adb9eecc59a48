"""Write the to-do application, for `make example`: a project, and `examples/todo` laid over it.

The example keeps only what differs from the project with all options: `files/` has new files, and
`edits.patch` changes those of the template. To work on it, change and run the project, then take
its changes back with `python make_example.py --save PROJECT`.
"""

import json
import os
import re
import shlex
import shutil
import sys
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from make_new import check_output
from template_git import File, read_files
from template_git import git as git_bytes
from template_stamp import TEMPLATE
from update.commands import UpdateError, git, run
from update.merging import AUTHOR
from update.project import stamp_and_package, stamped_answers

EXAMPLE = TEMPLATE / "examples" / "todo"
FILES, EDITS = EXAMPLE / "files", EXAMPLE / "edits.patch"
ANSWERS: dict[str, Any] = json.loads((EXAMPLE / "answers.json").read_text("utf-8"))
NAME: str = ANSWERS["project_slug"]
MESSAGE = "The to-do application"
LOCK = "uv.lock"  # `make install` writes it with today's versions

# No setting of the user changes the bytes, asks for a key or guesses an identity.
SETTINGS = (
    "apply.ignoreWhitespace=no",
    "apply.whitespace=nowarn",
    "commit.gpgSign=false",
    "core.autocrlf=false",
    "core.safecrlf=false",
    "user.useConfigOnly=true",
)
DIFF = (
    "-c", f"core.attributesFile={os.devnull}", "diff-tree", "-r", "--patch", "--unified=1",
    "--diff-algorithm=myers", "--indent-heuristic", "--no-renames", "--diff-filter=MDT",
    "--no-ext-diff", "--no-textconv", "--no-color", "--src-prefix=a/", "--dst-prefix=b/",
)  # fmt: skip


# --- Make ---------------------------------------------------------------------------------------


def make(output: Path) -> Path:
    """Write the project into a folder, with two commits: the render and the example.

    Raises:
        UpdateError: the project exists, or cannot be made; then nothing is left.
    """
    project = output / NAME
    refuse(project)
    new = [folder for folder in (output, *output.parents) if not folder.exists()]
    try:
        output.mkdir(parents=True, exist_ok=True)
        # Beside the project, so that it appears at once and complete.
        with TemporaryDirectory(prefix=f".{NAME}-", dir=output.absolute()) as folder:
            identity = author(Path(folder))
            made = render(Path(folder), identity)
            lay_over(made)
            git(made, "add", "--all", "--force", settings=SETTINGS)
            git(made, "commit", "--quiet", "-m", MESSAGE, env=identity, settings=SETTINGS)
            made.rename(project)
    finally:
        for folder_made in new:  # remains if there is something in it
            with suppress(OSError):
                folder_made.rmdir()
    return project


def refuse(project: Path) -> None:
    """Refuse a project that exists, and one that could have no commits of its own."""
    check_output(str(project.parent))
    if not shutil.which("git"):
        raise UpdateError("git is not installed; the example is a repository with two commits")
    if project.exists() or project.is_symlink():
        raise UpdateError(f"{project} exists; choose another folder with OUT=…")
    for folder in project.resolve().parents:
        if (folder / ".git").exists():
            raise UpdateError(f"{folder} is a git repository; choose a folder outside with OUT=…")


def author(folder: Path) -> dict[str, str]:
    """Return the variables of an author for the commits, if git knows no name for the user."""
    with suppress(UpdateError):
        git(folder, "var", "GIT_AUTHOR_IDENT", settings=SETTINGS)
        git(folder, "var", "GIT_COMMITTER_IDENT", settings=SETTINGS)
        return {}
    return AUTHOR


def render(folder: Path, identity: dict[str, str]) -> Path:
    """Render the project without the example into a folder; the template's hook commits it."""
    kept = {"replay_dir": f"{folder}/replay", "cookiecutters_dir": f"{folder}/templates"}
    (folder / "settings").write_text(json.dumps(kept), "utf-8")
    given = [f"{name}={value}" for name, value in stamped_answers(ANSWERS, ANSWERS).items()]
    done = run(
        sys.executable, "-m", "cookiecutter", TEMPLATE, "--no-input",
        "--config-file", folder / "settings", "--output-dir", folder, *given,
        cwd=folder, env=identity,
    )  # fmt: skip
    if done.returncode:
        raise UpdateError(f"cannot render: {' '.join((done.stderr or done.stdout).split())}")
    if hint := re.search(r"^Hint: (.+)$", done.stdout, re.MULTILINE):
        raise UpdateError(hint[1])
    return folder / NAME


def lay_over(project: Path) -> None:
    """Add the files and the edits of the example."""
    for source in example_files():
        target = project / source.relative_to(FILES)
        if target.exists():
            name = source.relative_to(TEMPLATE)
            raise UpdateError(f"{name}: the template has this file; edit it in {EDITS.name}")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
    try:
        git(project, "apply", EDITS, settings=SETTINGS)
    except UpdateError as error:
        raise UpdateError(
            f"{EDITS.relative_to(TEMPLATE)} does not fit the template: {error}"
        ) from None


def example_files() -> list[Path]:
    """Return the new files, without what Python and desktops leave."""
    found = (path for path in FILES.rglob("*") if path.is_file())
    return sorted(path for path in found if not {"__pycache__", ".DS_Store"} & {*path.parts})


# --- Save ---------------------------------------------------------------------------------------


def save(project: Path) -> None:
    """Replace the example by what a project changes since its first commit.

    Changes need not be committed; ignored files and the lock file are left out.

    Raises:
        UpdateError: it is no project that `make` wrote, or it has no changes.
        ValueError: it has a symbolic link or a submodule.
    """
    base = first_commit(project)
    with TemporaryDirectory() as folder:
        index = {"GIT_INDEX_FILE": f"{folder}/index"}
        git(project, "read-tree", "HEAD", env=index)
        git(project, "add", "--all", env=index, settings=SETTINGS)
        git(project, "rm", "--cached", "--quiet", "--ignore-unmatch", "--", LOCK, env=index)
        tree = git(project, "write-tree", env=index)
    edits = git_bytes(project, *DIFF, base, tree)
    old = {path for path, _ in read_files(project, base, ())}
    new = {path: file for path, file in read_files(project, tree, ()) if path not in old}
    if not edits and not new:
        raise UpdateError(f"{project} has no changes since its first commit")
    write(new, edits)


def first_commit(project: Path) -> str:
    """Return the commit of the render; refuse what is no project of the example."""
    other = f"{project} is not a project of make example"
    if not (project / ".git").exists() or not (project / "pyproject.toml").is_file():
        raise UpdateError(other)
    stamp, _ = stamp_and_package((project / "pyproject.toml").read_text("utf-8"))
    if {name: stamp.get(name) for name in ANSWERS} != ANSWERS:
        raise UpdateError(f"{other}: its answers differ from {EXAMPLE.name}/answers.json")
    base = git(project, "rev-list", "--max-parents=0", "HEAD").splitlines()[-1]
    if stamp != stamp_and_package(git(project, "show", f"{base}:pyproject.toml"))[0]:
        raise UpdateError(
            f"{project} was updated: the template's changes would become the example's;"
            " apply yours to a new project of make example"
        )
    return base


def write(new: dict[str, File], edits: bytes) -> None:
    """Write the files and the edits of the example."""
    shutil.rmtree(FILES, ignore_errors=True)
    for path, file in new.items():
        (FILES / path).parent.mkdir(parents=True, exist_ok=True)
        (FILES / path).write_bytes(file.content)
        (FILES / path).chmod(int(file.mode, 8) & 0o777)
    # The names of blobs would differ with each version of the template, and nothing needs them.
    EDITS.write_bytes(re.sub(rb"^index .*\n", b"", edits, flags=re.MULTILINE))


# --- The command line ---------------------------------------------------------------------------


def main(arguments: list[str]) -> None:
    """Make the example in a folder, or with `--save` take the changes of a project back."""
    try:
        if arguments[:-1] == ["--save"]:
            save(Path(arguments[1]))
        elif len(arguments) == 1 and not arguments[0].startswith("-"):
            show(make(Path(arguments[0])))
        else:
            sys.exit("usage: make_example.py FOLDER, or make_example.py --save PROJECT")
    except (UpdateError, ValueError) as error:
        sys.exit(str(error))
    except OSError as error:
        sys.exit(f"{error.filename}: {error.strerror}")


def show(project: Path) -> None:
    """Print the next commands."""
    print(
        f"The to-do application is ready; its second commit is the example: git show\n\n"
        f"Next:\n\n  cd {shlex.quote(os.fspath(project))}\n  make install dev"
    )


if __name__ == "__main__":
    main(sys.argv[1:])
