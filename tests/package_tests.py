"""What is run inside a render: its own tests, and the heavy ones of `tests/package/`."""

from functools import cache
from pathlib import Path

from tests.template import CHECKS, COMBINATIONS, run

# They wait for processes to end, for limits to pass, or send thousands of requests.
SLOW = (
    "checks/test_flood.py",
    "checks/test_fuzz.py",
    "checks/test_hypercorn_repairs.py",
    "checks/test_listener.py",
    "checks/test_process.py",
    "checks/test_stream.py",
)


def is_slow(combination: str, tests: str) -> bool:
    """Tell what `make e2e` runs instead of `make test`: with all options, what none needs too."""
    return tests in SLOW or (combination == "all" and tests.startswith("checks/test_"))


def package_tests(combination: str) -> list[str]:
    """Return what is run in a project: its own tests, heavy ones, and those of its options."""
    chosen = (name for name, answer in COMBINATIONS[combination].items() if answer)
    paths = [path for folder in ("", *chosen) for path in (CHECKS / folder).glob("test_*.py")]
    return ["tests", *sorted(f"checks/{path.relative_to(CHECKS).as_posix()}" for path in paths)]


@cache
def run_package_tests(project: Path, tests: str) -> None:
    """Run tests in a project, once, with coverage; they must pass."""
    in_project(project, "coverage", "run", "--parallel-mode", "-m", "pytest", "-q", tests)


def in_project(project: Path, *words: str) -> None:
    """Run a program of the project's environment; it must succeed."""
    done = run(project / ".venv/bin" / words[0], *words[1:], cwd=project)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
