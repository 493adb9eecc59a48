"""What is run inside a render: its own tests, and the heavy ones of `tests/rendered/`."""

from functools import cache
from pathlib import Path

from tests.renders import CHECKS, COMBINATIONS, OPTION_FOLDERS, run, unwanted_folders

COVERAGE = "--rcfile=checks/coverage.ini"

# They wait for processes to end, for limits to pass, or send thousands of requests.
SLOW = (
    "checks/log/test_stream.py",
    "checks/server/test_flood.py",
    "checks/server/test_fuzz.py",
    "checks/server/test_hypercorn_patches.py",
    "checks/server/test_listener.py",
    "checks/server/test_process.py",
)


def is_slow(combination: str, tests: str) -> bool:
    """Return whether `make e2e` runs it, not `make test`: with all options, what none needs too."""
    is_general = tests.startswith("checks/") and tests.split("/")[1] not in OPTION_FOLDERS.values()
    return tests in SLOW or (combination == "all" and is_general)


def package_tests(combination: str) -> list[str]:
    """Return what is run in a project: its own tests, heavy ones, and those of its options."""
    unwanted = unwanted_folders(COMBINATIONS[combination])
    found = (path.relative_to(CHECKS) for path in CHECKS.rglob("test_*.py"))
    paths = sorted(path.as_posix() for path in found if path.parts[0] not in unwanted)
    return ["tests", *(f"checks/{path}" for path in paths)]


@cache
def run_package_tests(project: Path, tests: str) -> None:
    """Run tests in a project, once, with coverage; they must pass."""
    in_project(project, "coverage", "run", COVERAGE, "--parallel-mode", "-m", "pytest", "-q", tests)


def in_project(project: Path, *words: str) -> None:
    """Run a program of the project's environment; it must succeed."""
    done = run(project / ".venv/bin" / words[0], *words[1:], cwd=project)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
