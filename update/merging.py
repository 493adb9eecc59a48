"""The merge of two rendered versions into a project, by git."""

from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from .commands import UpdateError, git, run
from .project import Project

# These commits belong to no branch.
AUTHOR = {
    f"GIT_{role}_{key}": value
    for role in ("AUTHOR", "COMMITTER")
    for key, value in {"NAME": "Plinth", "EMAIL": "plinth@localhost"}.items()
}


@dataclass
class Outcome:
    """What a merge left; paths are those of the repository."""

    changed: list[str] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)
    still_deleted: list[str] = field(default_factory=list)


def commit_render(project: Project, render: Path, message: str, *parents: str) -> str:
    """Store a render in the project's repository and return its commit.

    Around a project in a subfolder the commit has what HEAD has. Otherwise git could take a file
    of a neighbour for one that the owner moved there, and change it.
    """
    settings = ("core.safecrlf=false", "core.sparseCheckout=false")
    with TemporaryDirectory() as folder:
        index = {"GIT_DIR": project.git_dir, "GIT_INDEX_FILE": f"{folder}/index"}
        work_tree = {"GIT_WORK_TREE": str(render)}
        git(render, "add", "--all", "--force", ".", env=index | work_tree, settings=settings)
        tree = git(project.top, "write-tree", env=index)
        if project.prefix:
            here = f":(literal){project.prefix}"
            remove = ("rm", "--cached", "--quiet", "-r", "-f", "--", here)
            git(project.top, "read-tree", "HEAD", env=index)
            git(project.top, *remove, env=index, settings=settings)
            git(project.top, "read-tree", f"--prefix={project.prefix}", tree, env=index)
            tree = git(project.top, "write-tree", env=index)
    given = [word for parent in parents for word in ("-p", parent)]
    return git(project.top, "commit-tree", tree, *given, "-m", message, env=AUTHOR)


def merge(project: Project, theirs: str) -> Outcome:
    """Apply what a commit changed to the index and the working tree.

    A file that the owner deleted stays deleted.

    Raises:
        UpdateError: git did not start, and changed nothing.
    """
    options = (
        "merge.renames=true",
        # A file that the template did not make stays where it is.
        f"merge.directoryRenames={str(project.is_moved).lower()}",
        "rerere.enabled=false",
    )
    settings = [word for option in options for word in ("-c", option)]
    refuse_files_in_the_way(untracked(project, theirs))
    done = run("git", *settings, "cherry-pick", "--no-commit", theirs, cwd=project.top)
    if done.returncode not in (0, 1):
        named = [line.strip() for line in done.stderr.splitlines() if line.startswith("\t")]
        refuse_files_in_the_way(named)
        raise UpdateError(f"git cherry-pick: {' '.join(done.stderr.split())}")
    outcome = Outcome()
    for path, stages in _unmerged(project).items():
        if "2" in stages or stages == "3":  # 3 alone: where the owner has something else
            outcome.conflicts.append(path)
        else:
            git(project.top, "rm", "--quiet", "-f", "--ignore-unmatch", "--", f":(literal){path}")
            outcome.still_deleted.append(path)
    changed = git(project.top, "diff", "--cached", "--name-only", "--no-renames", "-z", "HEAD")
    outcome.changed = [path for path in _split(changed) if path not in outcome.conflicts]
    return outcome


def untracked(project: Project, theirs: str) -> list[str]:
    """Return the untracked files where a commit adds files; git would overwrite ignored ones."""
    command = ("diff", "--name-only", "--no-renames", "--diff-filter=A", "-z", f"{theirs}^", theirs)
    added = [f":(literal){path}" for path in _split(git(project.top, *command))]
    return _split(git(project.top, "ls-files", "--others", "-z", "--", *added)) if added else []


def refuse_files_in_the_way(names: list[str]) -> None:
    """Refuse an update if there are such files."""
    if names:
        raise UpdateError(
            f"git does not overwrite files that it does not track; move them: {', '.join(names)}"
        )


def changed_paths(project: Project, base: str, path: str) -> list[str]:
    """Return the paths of a folder of the project that differ from a commit.

    A file that was only moved is left out.
    """
    filters = ("--name-only", "--find-renames=100%", "--diff-filter=ADM")
    command = ("diff", *filters, "-z", base, "HEAD", "--", f":(literal){project.prefix or '.'}")
    folder = f"{project.prefix}{path}/"
    return [name for name in _split(git(project.top, *command)) if name.startswith(folder)]


def hunks(path: Path) -> int:
    """Return how many conflicts git marked in a file; 0 if it is deleted on one side."""
    text = path.read_bytes() if path.is_file() else b""
    return sum(line.startswith(b"<<<<<<< ") for line in text.splitlines())


def _unmerged(project: Project) -> dict[str, str]:
    """Return the stages (1 base, 2 ours, 3 theirs) of each path with a conflict."""
    stages: dict[str, str] = {}
    for entry in _split(git(project.top, "ls-files", "--unmerged", "-z")):
        mode_and_stage, _, path = entry.partition("\t")
        stages[path] = stages.get(path, "") + mode_and_stage[-1]
    return stages


def _split(output: str) -> list[str]:
    return [path for path in output.split("\0") if path]
