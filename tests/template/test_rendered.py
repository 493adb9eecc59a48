"""Run the rendered package's own tests and the heavy tests of `tests/rendered/`."""

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.rendered_tests import folders_of_tests, in_project, is_slow, run_rendered_tests
from tests.renders import COMBINATIONS, PAIRWISE, THOROUGH
from tests.serving import check, serve

QUICK = [
    (combination, tests)
    for combination in THOROUGH
    for tests in folders_of_tests(combination)
    if not is_slow(combination, tests)
]


@pytest.mark.parametrize(("combination", "tests"), QUICK)
def test_quick_tests(combination: str, tests: str, install: Callable[[str], Path]) -> None:
    """The project's own tests and the quick heavy tests pass."""
    run_rendered_tests(install(combination), tests)


def test_pairs_of_answers() -> None:
    """Any two answers are together in one of the combinations that are installed."""
    every, chosen = (
        {pair for answers in found for pair in itertools.combinations(sorted(answers.items()), 2)}
        for found in (COMBINATIONS.values(), map(COMBINATIONS.__getitem__, PAIRWISE))
    )
    assert every - chosen == set()


@pytest.mark.parametrize("combination", PAIRWISE)
def test_types(
    combination: str, install: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """mypy accepts the package, `_internal` included, its tests and the heavy tests."""
    # All share a cache, in which mypy recognizes the same files by their contents.
    cache = tmp_path_factory.getbasetemp() / "mypy"
    words = ("mypy", "--config-file=checks/mypy.ini", f"--cache-dir={cache}", ".")
    in_project(install(combination), *words)


@pytest.mark.parametrize("combination", PAIRWISE)
def test_served(combination: str, install: Callable[[str], Path], tmp_path: Path) -> None:
    """A service prints only documented log lines, from the first to the last."""
    check(serve(install(combination) / ".venv/bin/python", "my_service", tmp_path))
