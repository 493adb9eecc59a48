"""A few edited projects are updated; `tests/e2e/test_updates.py` updates all of them."""

from collections import Counter
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.updates.projects import NAMED
from tests.updates.suite import Outcome, Project, Template, judge, resolved

CONFLICT = "a\n<<<<<<< HEAD\nours\n=======\ntheirs\n>>>>>>> 1234567\nb\n"

# Lines of base, ours and theirs, then those of the merge -> what is lost, what is missed.
JUDGED = {
    "merged": ("a", "ab", "ac", "abc", "", ""),
    "added by both": ("a", "ab", "ab", "ab", "", ""),
    "twice": ("aa", "aab", "a", "ab", "", ""),
    "an edit lost": ("a", "ab", "ac", "ac", "b", ""),
    "an update missed": ("a", "ab", "ac", "ab", "", "c"),
    "a deleted line is back": ("ab", "a", "abc", "abc", "b", ""),
    "a removed line is still there": ("ab", "abc", "a", "abc", "", "b"),
}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory, home: Path) -> Template:
    """The template with two later versions."""
    return Template(tmp_path_factory.mktemp("template"), home)


def assert_all_is_there(outcome: Outcome) -> None:
    """Assert that an update was clean, with everything of both sides."""
    assert outcome.is_clean, outcome.done
    assert (outcome.lost, outcome.missed, outcome.invalid) == ([], [], [])


@pytest.mark.parametrize("name", ["first month", "monorepo"])
def test_edits_and_updates_stay(name: str, template: Template, tmp_path: Path) -> None:
    """Over two versions at once, no edit is lost, no update is missed, and nothing conflicts."""
    project = Project.make(NAMED[name], template, tmp_path / "project")
    assert_all_is_there(project.update(2))


def test_an_option_later(template: Template, tmp_path: Path) -> None:
    """An option can be turned on in an edited project."""
    project = Project.make(NAMED["own lines"], template, tmp_path / "project")
    assert_all_is_there(project.update(0, {"use_sentry": True}))
    assert (project.folder / "my_service/sentry.py").exists()


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "merged", "lost", "missed"), JUDGED.values(), ids=JUDGED
)
def test_the_judge(base: str, ours: str, theirs: str, merged: str, lost: str, missed: str) -> None:
    """A line that is gone or back is seen, and on which side it was."""
    outcome = Outcome(CompletedProcess([], 0))
    counts = (Counter(base), Counter(ours), Counter(theirs))
    judge("x", counts, Counter(merged), Counter(merged), outcome)
    assert [line.split()[1] for line in outcome.lost] == [*lost]
    assert [line.split()[1] for line in outcome.missed] == [*missed]


def test_conflicts_are_resolved() -> None:
    """The owner's side of a hunk stays, or nothing of it."""
    assert resolved(CONFLICT) == "a\nours\nb\n"
    assert resolved(CONFLICT, keep=False) == "a\nb\n"
