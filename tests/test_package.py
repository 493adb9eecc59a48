"""The rendered package under its own tests and under the heavy ones of `tests/package/`."""

import shutil
from pathlib import Path

import pytest

from tests.template import command, render, run

CHECKS = Path(__file__).parent / "package"
# What the heavy tests need beside the project's own tools.
EXTRA = ("hypothesis", "jsonschema", "numpy", "types-jsonschema", "websockets")


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory, home: Path) -> Path:
    """The default project, installed, with the heavy tests in `checks/`."""
    project = render(tmp_path_factory.mktemp("package"), home)
    shutil.copytree(CHECKS, project / "checks")
    for words in (
        ("sync", "--quiet", "--all-groups"),
        ("pip", "install", "--quiet", *EXTRA),
    ):
        done = run(command("uv"), *words, cwd=project)
        assert done.returncode == 0, done.stderr
    return project


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
