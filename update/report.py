"""What an update prints."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from .merging import Outcome, changed_paths, hunks
from .project import Project
from .versions import Version


@dataclass(frozen=True)
class Report:
    """What came of an update; its text is for a terminal."""

    project: Project
    old: Version
    new: Version
    base: str  # the commit of the old render in the project's repository
    outcome: Outcome
    added: dict[str, Any]  # new questions, with their defaults
    is_formatted: bool

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        outcome = self.outcome
        yield f"Plinth {self.old.name} -> {self.new.name}"
        yield from _listed("edited in _internal", self._edited_machinery())
        for name, default in self.added.items():
            answer = default[0] if isinstance(default, list) else default
            yield f'new answer: {name} = {answer}; change it with make update ARGS="{name}=…"'
        if not self.is_formatted:
            yield "the project has other settings of ruff, which is not installed: make install"
        yield f"merged: {len(outcome.changed)} files"
        yield from _listed("deleted by you, and not restored", outcome.still_deleted)
        yield from _listed("conflict", map(self._conflict, outcome.conflicts))
        if outcome.conflicts:
            yield "Edit these files, then commit; or take all of it back: git reset --merge"
        else:
            yield "Nothing is committed. See it: git diff --staged. Take it back: git reset --merge"
        yield "Then: make install lint test"

    def _edited_machinery(self) -> list[str]:
        package = f"{self.project.stamp['project_slug']}/_internal"
        return changed_paths(self.project, self.base, package)

    def _conflict(self, path: str) -> str:
        count = hunks(self.project.top / path)
        if not count:
            return f"{path}: you changed it, the template deleted or renamed it"
        return f"{path}: {count} {'hunk' if count == 1 else 'hunks'}"


def _listed(title: str, names: Iterable[str]) -> Iterator[str]:
    for name in names:
        yield f"{title}: {name}"
