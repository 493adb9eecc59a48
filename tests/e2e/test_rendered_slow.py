"""The slower tests of the package: how processes end, a flood, and all of them with all options."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.rendered_tests import COVERAGE, folders_of_tests, in_project, is_slow, run_rendered_tests
from tests.renders import THOROUGH

SLOW = [
    (combination, tests)
    for combination in THOROUGH
    for tests in folders_of_tests(combination)
    if is_slow(combination, tests)
]


@pytest.mark.parametrize(("combination", "tests"), SLOW)
def test_slow_tests(combination: str, tests: str, install: Callable[[str], Path]) -> None:
    """They pass without options, and with all of them."""
    run_rendered_tests(install(combination), tests)


def test_every_branch(install: Callable[[str], Path]) -> None:
    """All tests of a package with all options together leave no branch of it out."""
    project = install("all")
    for tests in folders_of_tests("all"):
        run_rendered_tests(project, tests)
    in_project(project, "coverage", "combine", COVERAGE, "--quiet")
    in_project(project, "coverage", "report", COVERAGE, "--fail-under=100")
