"""The rendered package under its own tests and under the heavy ones of `tests/rendered/`."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.rendered_tests import folders_of_tests, in_project, is_slow, run_rendered_tests
from tests.renders import COMBINATIONS, THOROUGH
from tests.serving import check, serve

QUICK = [
    (combination, tests)
    for combination in THOROUGH
    for tests in folders_of_tests(combination)
    if not is_slow(combination, tests)
]


@pytest.mark.parametrize(("combination", "tests"), QUICK)
def test_tests(combination: str, tests: str, install: Callable[[str], Path]) -> None:
    """The tests that a user keeps pass, and so does each file of heavy ones."""
    run_rendered_tests(install(combination), tests)


@pytest.mark.parametrize("combination", COMBINATIONS)
def test_types(combination: str, install: Callable[[str], Path]) -> None:
    """mypy finds nothing in the package, `_internal` included, its tests and the heavy ones."""
    in_project(install(combination), "mypy", "--config-file=checks/mypy.ini", ".")


@pytest.mark.parametrize("combination", COMBINATIONS)
def test_served(combination: str, install: Callable[[str], Path], tmp_path: Path) -> None:
    """From the first line to the last, all that a service prints is the log that it promises."""
    check(serve(install(combination) / ".venv/bin/python", "my_service", tmp_path))
