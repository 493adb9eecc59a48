"""Run a render's own tests, and the heavy tests of `tests/rendered/`, inside the render."""

from functools import cache
from pathlib import Path

from tests.renders import (
    CHECKS,
    COMBINATIONS,
    OPTION_FOLDERS,
    SERVERS,
    run,
    unwanted_folders,
)

COVERAGE = "--rcfile=checks/coverage.ini"

# These tests wait for processes to end and limits to pass, or send thousands of requests.
SLOW = {"checks/server", *(f"checks/{server}" for server in SERVERS)}


def is_slow(combination: str, tests: str) -> bool:
    """Return whether the tests run in `make e2e`: slow ones, and general ones with all options."""
    is_general = tests.startswith("checks/") and tests.split("/")[1] not in OPTION_FOLDERS.values()
    return tests in SLOW or (combination == "all" and is_general)


def folders_of_tests(combination: str) -> list[str]:
    """Return a project's test folders: its own, the heavy ones and those of its options."""
    unwanted = unwanted_folders(COMBINATIONS[combination])
    folders = {path.parent.relative_to(CHECKS).as_posix() for path in CHECKS.rglob("test_*.py")}
    return ["tests", *(f"checks/{folder}" for folder in sorted(folders - {*unwanted}))]


@cache
def run_rendered_tests(project: Path, tests: str) -> None:
    """Run tests once in a project, with coverage, and assert that they pass."""
    in_project(project, "coverage", "run", COVERAGE, "--parallel-mode", "-m", "pytest", "-q", tests)


def in_project(project: Path, *words: str) -> None:
    """Run a program of the project's environment and assert that it succeeds."""
    done = run(project / ".venv/bin" / words[0], *words[1:], cwd=project, seconds=1_800)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
