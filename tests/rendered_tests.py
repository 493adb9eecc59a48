"""What is run inside a render: its own tests, and the heavy ones of `tests/rendered/`."""

from functools import cache
from pathlib import Path

from tests.renders import CHECKS, COMBINATIONS, OPTION_FOLDERS, run, unwanted_folders

COVERAGE = "--rcfile=checks/coverage.ini"

# These tests wait for processes to end and limits to pass, or send thousands of requests.
SLOW = "checks/server"


def is_slow(combination: str, tests: str) -> bool:
    """Return whether `make e2e` runs it, not `make test`: with all options, what none needs too."""
    is_general = tests.startswith("checks/") and tests.split("/")[1] not in OPTION_FOLDERS.values()
    return tests == SLOW or (combination == "all" and is_general)


def folders_of_tests(combination: str) -> list[str]:
    """Return the folders that a project runs: its own tests, heavy ones, those of its options."""
    unwanted = unwanted_folders(COMBINATIONS[combination])
    folders = {path.parent.relative_to(CHECKS).as_posix() for path in CHECKS.rglob("test_*.py")}
    return ["tests", *(f"checks/{folder}" for folder in sorted(folders - {*unwanted}))]


@cache
def run_rendered_tests(project: Path, tests: str) -> None:
    """Run tests in a project, once, with coverage; they must pass."""
    in_project(project, "coverage", "run", COVERAGE, "--parallel-mode", "-m", "pytest", "-q", tests)


def in_project(project: Path, *words: str) -> None:
    """Run a program of the project's environment; it must succeed."""
    done = run(project / ".venv/bin" / words[0], *words[1:], cwd=project, seconds=1_800)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
