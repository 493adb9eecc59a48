"""Run the rendered package's own tests and the heavy tests of `tests/rendered/`."""

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
def test_quick_tests(combination: str, tests: str, install: Callable[[str], Path]) -> None:
    """The project's own tests and the quick heavy tests pass."""
    run_rendered_tests(install(combination), tests)


@pytest.mark.parametrize("combination", COMBINATIONS)
def test_types(combination: str, install: Callable[[str], Path]) -> None:
    """mypy accepts the package, `_internal` included, its tests and the heavy tests."""
    in_project(install(combination), "mypy", "--config-file=checks/mypy.ini", ".")


@pytest.mark.parametrize("combination", COMBINATIONS)
def test_served(combination: str, install: Callable[[str], Path], tmp_path: Path) -> None:
    """A service prints only documented log lines, from the first to the last."""
    check(serve(install(combination) / ".venv/bin/python", "my_service", tmp_path))
