"""Update edited projects, and judge by machine what became of edits and updates.

Everything is counted in lines, without blank ones and indentation. With `base` the render that a
project came from, `ours` the project and `theirs` the render of the wanted version, a line should
occur `ours + theirs - base` times after an update.
"""

import json
import shutil
import stat
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from subprocess import CompletedProcess

import yaml

from tests.renders import COMBINATIONS, TEMPLATE, Answers, command, commit, git, run, settings
from tests.updates import versions
from tests.updates.projects import Edited

INTERNAL = "/_internal/"
Lines = Counter[str]
Tree = dict[str, Lines]


@dataclass
class Outcome:
    """What one update did to one project.

    Attributes:
        done: the update program's exit code and output.
        hunks: conflict markers by file.
        conflicts: files that git leaves unmerged.
        lost: lines of the owner that are gone, or that the owner had removed and are back.
        missed: lines of the update that did not arrive, or that it removed and are still there.
        invalid: files without conflicts that their parser refuses.
    """

    done: CompletedProcess[str]
    hunks: Counter[str] = field(default_factory=Counter)
    conflicts: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)
    invalid: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        """Return whether the update left nothing to do by hand."""
        return self.done.returncode == 0 and not self.conflicts

    @property
    def internal(self) -> int:
        """Return the number of hunks in the machinery."""
        return sum(number for path, number in self.hunks.items() if INTERNAL in path)


class Template:
    """A clone of the template with two later versions, and the renders of each.

    Args:
        folder: an empty folder.
        home: a home directory for cookiecutter.
    """

    def __init__(self, folder: Path, home: Path) -> None:
        self.folder, self.home = folder, home
        self._renders: dict[str, Path] = {}

    @cached_property
    def clone(self) -> Path:
        """The clone; the latest version is checked out."""
        clone = self.folder / "plinth"
        here = shutil.ignore_patterns(".git", ".venv", ".hypothesis", ".*_cache", "__pycache__")
        shutil.copytree(TEMPLATE, clone, ignore=here)
        git(clone, "init", "--quiet", "--initial-branch", "main")
        commit(clone, "First")
        for number, make in enumerate((versions.first, versions.second, versions.third)):
            make(clone)
            git(
                clone,
                "worktree",
                "add",
                "--quiet",
                f"{self.folder}/{number}",
                versions.TAGS[number],
            )
        return clone

    def render(self, number: int, answers: Answers) -> Path:
        """Return the render of a version; the same answers give the same folder."""
        key = f"{number} {json.dumps(answers, sort_keys=True)}"
        if key not in self._renders:
            assert self.clone
            output = self.folder / f"render {len(self._renders)}"
            output.mkdir()
            done = run(
                command("cookiecutter"),
                f"{self.folder}/{number}",
                "--no-input",
                "--config-file",
                settings(self.home),
                "--output-dir",
                output,
                *(f"{name}={value}" for name, value in answers.items()),
                cwd=self.folder,
            )
            assert done.returncode == 0, done.stderr
            [self._renders[key]] = output.iterdir()
        return self._renders[key]


@dataclass
class Project:
    """An edited project in a repository of its own, at one version of the template."""

    edited: Edited
    template: Template
    repository: Path
    answers: Answers
    number: int = 0

    @classmethod
    def make(cls, edited: Edited, template: Template, repository: Path) -> "Project":
        """Scaffold a project with the first version, and edit it."""
        answers = COMBINATIONS[edited.answers]
        shutil.copytree(template.render(0, answers), repository, symlinks=True)
        edited.make(repository)
        return cls(edited, template, repository, answers)

    @property
    def folder(self) -> Path:
        """The project's folder in the repository."""
        return self.repository / self.edited.folder

    def update(self, number: int, changed: Answers | None = None) -> Outcome:
        """Update to a version, with other answers, and judge the result before it is committed.

        Args:
            number: the version.
            changed: the other answers.
        """
        ours, modes = lines(self.folder), executables(self.folder)
        base = self.rendered(self.number, self.answers)
        self.answers = self.answers | (changed or {})
        theirs = self.rendered(number, self.answers)
        self.number = number
        outcome = Outcome(update(self, versions.TAGS[number], changed or {}))
        merged, outside = lines(self.folder), lines(self.folder, outside=True)
        outcome.conflicts = unmerged(self.folder)
        outcome.hunks = hunks(self.folder)
        changed_files = {path for path in merged if merged[path] != ours.get(path)}
        outcome.invalid = [*invalid(self.folder, changed_files.difference(outcome.conflicts))]
        for path, paths in self.identities(base, ours, theirs):
            counts = [
                tree.get(at, Counter())
                for tree, at in zip((base, ours, theirs), paths, strict=True)
            ]
            found = sum((merged.get(at, Counter()) for at in {*paths} if at), Counter())
            free = sum((outside.get(at, Counter()) for at in {*paths} if at), Counter())
            conflicting = not {*paths}.isdisjoint(outcome.conflicts)
            if paths[0] and not paths[1]:  # deleted by the owner
                outcome.lost += [f"{path} is back"] if found and not conflicting else []
            elif paths[0] and not paths[2] and conflicting:  # deleted by the template, but edited
                outcome.lost += [] if found else [f"{path} is gone"]
            else:
                judge(path, (counts[0], counts[1], counts[2]), found, free, outcome)
        outcome.lost += [f"{path} is not executable" for path in modes - executables(self.folder)]
        return outcome

    def rendered(self, number: int, answers: Answers) -> Tree:
        """Return the lines of a render with the project's package and style."""
        slug = self.edited.package
        answers = answers if slug == "my_service" else answers | {"project_slug": slug}
        fresh = self.template.render(number, answers)
        if not self.edited.restyled:
            return lines(fresh)
        styled = self.template.folder / "styled"
        shutil.rmtree(styled, ignore_errors=True)
        shutil.copytree(fresh, styled, symlinks=True)
        config = self.folder / "pyproject.toml"
        done = run(command("ruff"), "format", "--no-cache", "--config", config, ".", cwd=styled)
        assert done.returncode == 0, done.stderr
        return lines(styled)

    def identities(
        self, base: Tree, ours: Tree, theirs: Tree
    ) -> Iterator[tuple[str, tuple[str, str, str]]]:
        """Yield each file with its paths in the three trees, empty where it is not."""
        slug = self.edited.package
        renamed = {
            old.replace("my_service", slug): new.replace("my_service", slug)
            for old, new in versions.RENAMED.items()
        }
        seen: set[str] = set()
        for path in base:
            mine = self.edited.moves.get(path, path)
            new = path if path in theirs else renamed.get(path, "")
            seen |= {path, mine, new}
            yield path, (path, mine if mine in ours else "", new if new in theirs else "")
        for path in (ours.keys() | theirs.keys()) - seen:
            yield path, ("", path if path in ours else "", path if path in theirs else "")

    def resolve(self) -> None:
        """Resolve conflicts as a hurried owner does, with the own side of each hunk, and commit."""
        for path in hunks(self.folder):
            file = self.folder / path
            file.write_text(resolved(file.read_text("utf-8")), "utf-8")
        commit(self.repository, "Update")


def judge(
    path: str, counts: tuple[Lines, Lines, Lines], found: Lines, free: Lines, outcome: Outcome
) -> None:
    """Add to an outcome the lines of one file that occur too rarely or too often.

    Args:
        path: how the outcome names the file.
        counts: the lines of base, ours and theirs.
        found: the lines after the update, conflict hunks included.
        free: the same without hunks.
        outcome: what to add to.
    """
    base, ours, theirs = counts
    for line in base.keys() | ours.keys() | theirs.keys():
        expected = max(0, ours[line] + theirs[line] - base[line])
        where = f"{path}: {line}"
        if ours[line] > base[line] and found[line] < min(expected, ours[line]):
            outcome.lost.append(where)
        if theirs[line] > base[line] and found[line] < min(expected, theirs[line]):
            outcome.missed.append(where)
        if ours[line] < base[line] and free[line] > expected:
            outcome.lost.append(f"{where} (is back)")
        if theirs[line] < base[line] and free[line] > expected:
            outcome.missed.append(f"{where} (is still there)")


def update(project: Project, tag: str, changed: Answers) -> CompletedProcess[str]:
    """Run `make update` of the template on a project."""
    answers = [f"{name}={str(value).lower()}" for name, value in changed.items()]
    words = ("-m", "update", str(project.folder), "--to", tag, *answers)
    return run(sys.executable, *words, cwd=project.template.clone)


def tracked(folder: Path) -> Iterator[str]:
    """Yield the project's files, relative to its folder."""
    listed = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=folder)
    inside = listed.returncode == 0
    paths = listed.stdout.split("\0")[:-1] if inside else []
    yield from sorted({path for path in paths if (folder / path).is_file()})


def lines(folder: Path, *, outside: bool = False) -> Tree:
    """Return the lines of each file; with `outside` only those outside of conflict hunks."""
    tree: Tree = {}
    for path in tracked(folder):
        text = (folder / path).read_text("utf-8")
        if outside:
            text = resolved(text, keep=False)
        tree[path] = Counter(filter(None, map(str.strip, text.splitlines())))
    return tree


def resolved(text: str, *, keep: bool = True) -> str:
    """Return a text without conflict hunks, or with the owner's side of each."""
    kept: list[str] = []
    side = ""
    for line in text.splitlines(keepends=True):
        if line.startswith("<<<<<<< "):
            side = "ours"
        elif side and line.startswith(("=======", "||||||| ")):
            side = "theirs"
        elif side and line.startswith(">>>>>>> "):
            side = ""
        elif not side or (keep and side == "ours"):
            kept.append(line)
    return "".join(kept)


def hunks(folder: Path) -> Counter[str]:
    """Return the number of conflict hunks in each file that has some."""
    found: Counter[str] = Counter()
    for path in tracked(folder):
        text = (folder / path).read_text("utf-8")
        if number := sum(line.startswith("<<<<<<< ") for line in text.splitlines()):
            found[path] = number
    return found


def unmerged(folder: Path) -> list[str]:
    """Return the files that git leaves to the owner, relative to the project."""
    listed = git(folder, "ls-files", "--unmerged", "-z")
    return sorted({entry.partition("\t")[2] for entry in listed.split("\0") if entry})


def executables(folder: Path) -> set[str]:
    """Return the files that can be executed."""
    return {path for path in tracked(folder) if (folder / path).stat().st_mode & stat.S_IXUSR}


def invalid(folder: Path, paths: set[str]) -> Iterator[str]:
    """Yield the files that their parser refuses, and why."""
    for path in sorted(paths):
        text = (folder / path).read_text("utf-8")
        try:
            match Path(path).suffix:
                case ".py":
                    compile(text, path, "exec")
                case ".toml":
                    tomllib.loads(text)
                case ".yml" | ".yaml":
                    [*yaml.safe_load_all(text)]  # Kubernetes has several documents in a file
                case ".json":
                    json.loads(text)
        except (SyntaxError, ValueError, yaml.YAMLError) as error:
            yield f"{path}: {error}"


def table(rows: dict[str, list[Outcome]]) -> str:
    """Return a table of projects and their updates."""
    width = max(map(len, ["project", *rows])) + 2
    text = [f"{'project':{width}}{'clean':7}{'hunks':8}{'lost':6}{'missed':8}files in conflict"]
    for name, outcomes in rows.items():
        clean = "yes" if all(outcome.is_clean for outcome in outcomes) else "-"
        numbers = "+".join(str(outcome.hunks.total()) for outcome in outcomes)
        lost = sum(len(outcome.lost) for outcome in outcomes)
        missed = sum(len(outcome.missed) for outcome in outcomes)
        paths = " ".join(path for outcome in outcomes for path in outcome.conflicts)
        text.append(f"{name:{width}}{clean:7}{numbers:8}{lost:<6}{missed:<8}{paths}".rstrip())
    every = [outcome for outcomes in rows.values() for outcome in outcomes]
    clean_ones = sum(all(one.is_clean for one in outcomes) for outcomes in rows.values())
    total = sum(outcome.hunks.total() for outcome in every)
    text.append(f"{clean_ones} of {len(rows)} clean, {total} hunks")
    return "\n".join(text)
