"""The slow tests of the rendered package, and the coverage of all tests with all options."""

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
    """The slow tests pass without options and with all options."""
    run_rendered_tests(install(combination), tests)


def test_every_branch(install: Callable[[str], Path]) -> None:
    """The tests cover every branch of a package with all options."""
    project = install("all")
    for tests in folders_of_tests("all"):
        run_rendered_tests(project, tests)
    in_project(project, "coverage", "combine", COVERAGE, "--quiet")
    in_project(project, "coverage", "report", COVERAGE, "--fail-under=100")
