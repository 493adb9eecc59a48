"""The rendered package under its own tests and under the heavy ones of `tests/package/`."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.serving import check, serve
from tests.template import CHECKS, COMBINATIONS, THOROUGH, run


def in_project(project: Path, *words: str) -> None:
    """Run a program of the project's environment; it must succeed."""
    done = run(project / ".venv/bin" / words[0], *words[1:], cwd=project)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


def files_of(combination: str) -> list[str]:
    """Return the project's own tests and each file of heavy ones, with those of its options."""
    folders = [CHECKS, *(CHECKS / name for name, on in COMBINATIONS[combination].items() if on)]
    files = [path.relative_to(CHECKS) for folder in folders for path in folder.glob("test_*.py")]
    return ["tests", *sorted(f"checks/{path}" for path in files)]


TESTS = [(combination, tests) for combination in THOROUGH for tests in files_of(combination)]


@pytest.mark.parametrize(("combination", "tests"), TESTS)
def test_tests(combination: str, tests: str, install: Callable[[str], Path]) -> None:
    """The tests that a user keeps pass, and so does each file of heavy ones."""
    in_project(
        install(combination), "coverage", "run", "--parallel-mode", "-m", "pytest", "-q", tests
    )


@pytest.mark.parametrize("combination", COMBINATIONS)
def test_types(combination: str, install: Callable[[str], Path]) -> None:
    """mypy finds nothing in the package, its tests and the heavy ones."""
    in_project(install(combination), "mypy", ".")


@pytest.mark.parametrize("combination", COMBINATIONS)
def test_served(combination: str, install: Callable[[str], Path], tmp_path: Path) -> None:
    """From the first line to the last, all that a service prints is the log that it promises."""
    check(serve(install(combination) / ".venv/bin/python", "my_service", tmp_path))
