"""What an update prints."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from .merging import Outcome, hunks
from .project import Project


@dataclass(frozen=True)
class Report:
    """What came of an update; its text is for a terminal.

    Args:
        title: both versions.
        edited: files of the machinery that the owner edited.
        added: answers to new questions.
        is_formatted: whether the renders could be formatted as the project is.
    """

    project: Project
    title: str
    edited: list[str]
    added: dict[str, str]
    is_formatted: bool
    outcome: Outcome

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        outcome = self.outcome
        yield self.title
        yield from _listed("edited in _internal", self.edited)
        for name, answer in self.added.items():
            yield f'new answer: {name} = {answer}; to change it: make update ARGS="{name}=…"'
        if not self.is_formatted:
            yield "your settings of ruff differ, and ruff cannot be run: first make install"
        yield f"merged: {len(outcome.changed)} files"
        yield from _listed("deleted by you, and not restored", outcome.still_deleted)
        yield from _listed("conflict", map(self._conflict, outcome.conflicts))
        if outcome.conflicts:
            yield "Edit these files, then commit; or take all of it back: git reset --merge"
        else:
            yield "Nothing is committed. See it: git diff --staged. Take it back: git reset --merge"
        yield "Then: make install lint test"

    def _conflict(self, path: str) -> str:
        count = hunks(self.project.top / path)
        if not count:
            return f"{path}: one side deleted, renamed or replaced it; see git status"
        return f"{path}: {count} {'hunk' if count == 1 else 'hunks'}"


def _listed(title: str, names: Iterable[str]) -> Iterator[str]:
    for name in names:
        yield f"{title}: {name}"
