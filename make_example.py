"""Write the to-do application: a project with all options, and examples/todo laid over it.

`--save` goes the other way, for work on the example: edit the project, then take its changes back.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from cookiecutter.main import cookiecutter

TEMPLATE = Path(__file__).parent
EXAMPLE = TEMPLATE / "examples" / "todo"
FILES, EDITS = EXAMPLE / "files", EXAMPLE / "edits.patch"


def make(output: Path) -> Path:
    """Write the project into a folder, as two commits: the render, and the example."""
    project = render(output)  # the hook commits it
    shutil.copytree(FILES, project, dirs_exist_ok=True)
    git(project, "apply", "--index", str(EDITS))
    commit(project, "The to-do application")
    return project


def save(project: Path) -> None:
    """Take the changes since the first commit of a project back into the example."""
    base = git(project, "rev-list", "--max-parents=0", "HEAD").strip()
    git(project, "add", "--all", "--", ".", ":!uv.lock")
    added = git(project, "diff", "--cached", "--no-renames", "--name-only", "--diff-filter=A", "-z", base)
    edits = git(project, "diff", "--cached", "--no-renames", "--diff-filter=MD", "--unified=1", base)
    shutil.rmtree(FILES, ignore_errors=True)
    for name in added.split("\0")[:-1]:
        target = FILES / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(project / name, target)
    EDITS.write_text(edits, "utf-8")


def render(output: Path) -> Path:
    """Render the project without the example."""
    answers = json.loads((EXAMPLE / "answers.json").read_text("utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "settings"
        config.write_text(json.dumps({"replay_dir": folder, "cookiecutters_dir": folder}))
        return Path(
            cookiecutter(
                str(TEMPLATE), no_input=True, extra_context=answers, output_dir=str(output),
                config_file=str(config),
            )
        )  # fmt: skip


def commit(project: Path, message: str) -> None:
    """Commit everything."""
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "--message", message)


def git(project: Path, *words: str) -> str:
    """Run git in the project."""
    return subprocess.run(["git", *words], cwd=project, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    if sys.argv[1] == "--save":
        save(Path(sys.argv[2]))
    else:
        make(Path(sys.argv[1]))
