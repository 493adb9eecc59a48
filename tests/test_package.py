"""The rendered package under its own tests and under the heavy ones of `tests/package/`."""

from pathlib import Path

import pytest

from tests.template import CHECKS, run


def in_project(project: Path, *words: str) -> None:
    """Run a program of the project's environment; it must succeed."""
    done = run(project / ".venv/bin" / words[0], *words[1:], cwd=project)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


@pytest.mark.parametrize(
    "tests", ["tests", *sorted(f"checks/{path.name}" for path in CHECKS.glob("test_*.py"))]
)
def test_tests(tests: str, installed: Path) -> None:
    """Each file of heavy tests passes, and so do the tests that a user keeps."""
    in_project(installed, "coverage", "run", "--parallel-mode", "-m", "pytest", "-q", tests)


def test_types(installed: Path) -> None:
    """mypy finds nothing in the package, its tests and the heavy ones."""
    in_project(installed, "mypy", ".")
