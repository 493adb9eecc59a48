"""Edited projects are updated over two later versions, and get other answers later.

`make e2e-full` updates all of them and ends with two tables; `make e2e` takes one of each.
"""

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from tests.renders import Answers, command, run
from tests.updates.projects import CHANGED_ANSWERS, NAMED, PROJECTS
from tests.updates.suite import Outcome, Project, Template, table

FULL = len(os.environ.get("SERVERS", "").split()) > 1
UPDATED = [edited.name for edited in PROJECTS if FULL or edited.name == "shop"]
LATER = [(name, answers) for answers, names in CHANGED_ANSWERS for name in names.split(", ")]
LATER = LATER if FULL else LATER[:1]
# Clean ones are installed and tested too.
INSTALLED = ["shop", "dependencies", "renamed package"] if FULL else ["shop"]

# What the layout of the template's files reaches now.
CLEAN, HUNKS = 19, 14
CLEAN_LATER = 29

Updated = Callable[[str], tuple[Project, list[Outcome]]]


class Tables:
    """A plugin that prints tables below pytest's results."""

    def __init__(self) -> None:
        self.updates: dict[str, list[Outcome]] = {}
        self.answers: dict[str, list[Outcome]] = {}

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the tables."""
        for title, rows in {"updates": self.updates, "other answers": self.answers}.items():
            if rows:
                terminalreporter.section(title)
                terminalreporter.write_line(table(rows))


@pytest.fixture(scope="module")
def tables(request: pytest.FixtureRequest) -> Tables:
    """The tables that are printed at the end."""
    plugin = Tables()
    request.config.pluginmanager.register(plugin)
    return plugin


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory, home: Path) -> Template:
    """The template with two later versions."""
    return Template(tmp_path_factory.mktemp("template"), home)


@pytest.fixture(scope="module")
def updated(
    template: Template, tables: Tables, tmp_path_factory: pytest.TempPathFactory
) -> Updated:
    """A function that edits a project and updates it over two versions."""

    @cache
    def updated(name: str) -> tuple[Project, list[Outcome]]:
        folder = tmp_path_factory.mktemp("updated") / "project"
        project = Project.make(NAMED[name], template, folder)
        outcomes = []
        for number in (1, 2):
            outcomes.append(project.update(number))
            project.resolve()
        tables.updates[name] = outcomes
        return project, outcomes

    return updated


def assert_nothing_is_lost(outcome: Outcome) -> None:
    """Assert that an update ended, and that both sides are in the project."""
    assert outcome.done.returncode in (0, 1), outcome.done.stderr
    assert (outcome.lost, outcome.missed, outcome.invalid) == ([], [], [])
    assert outcome.internal == 0


@pytest.mark.parametrize("name", UPDATED)
def test_updates(name: str, updated: Updated) -> None:
    """No edit is lost, no update missed; nothing conflicts at places meant for the owner."""
    _, outcomes = updated(name)
    for outcome in outcomes:
        assert_nothing_is_lost(outcome)
        assert outcome.is_clean or not NAMED[name].meant


@pytest.mark.parametrize("name", INSTALLED)
def test_updated_projects_work(name: str, updated: Updated) -> None:
    """An updated project can be installed, and passes its tests and its lint."""
    project, outcomes = updated(name)
    assert all(outcome.is_clean for outcome in outcomes)
    for words in (
        (command("uv"), "sync", "--quiet", "--all-groups"),
        (".venv/bin/python", "-m", "pytest", "-q"),
        (".venv/bin/ruff", "check"),
        (".venv/bin/ruff", "format", "--check"),
        (".venv/bin/mypy", "."),
    ):
        done = run(*words, cwd=project.folder)
        assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"


@pytest.mark.parametrize(("name", "answers"), LATER)
def test_answers_later(
    name: str, answers: Answers, template: Template, tables: Tables, tmp_path: Path
) -> None:
    """Options are turned on and off, and the server is changed, in edited projects."""
    project = Project.make(NAMED[name], template, tmp_path / "project")
    outcome = project.update(0, answers)
    given = " ".join(f"{name.removeprefix('use_')}={value}" for name, value in answers.items())
    tables.answers[f"{name}: {given}"] = [outcome]
    assert_nothing_is_lost(outcome)


def test_few_conflicts(tables: Tables) -> None:
    """A change of the template's layout does not add conflicts."""
    clean, hunks = counted(tables.updates)
    clean_later, _ = counted(tables.answers)
    if len(tables.updates) == len(PROJECTS):
        assert clean >= CLEAN
        assert hunks <= HUNKS
        assert clean_later >= CLEAN_LATER


def counted(rows: dict[str, list[Outcome]]) -> tuple[int, int]:
    """Return how many projects are clean, and the number of hunks."""
    clean = sum(all(outcome.is_clean for outcome in outcomes) for outcomes in rows.values())
    hunks = sum(outcome.hunks.total() for outcomes in rows.values() for outcome in outcomes)
    return clean, hunks
