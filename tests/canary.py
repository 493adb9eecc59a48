"""`make canary`: a project's tests with its oldest and newest dependencies and Pythons.

A row is one new environment. A row without caps ignores the upper bounds of a project's
requirements: it shows what the next versions break, and may fail.
"""

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from tests.renders import (
    CHECKS,
    COMBINATIONS,
    EXTRA,
    FOREIGN,
    PYTHON_VERSIONS,
    SERVERS,
    TEMPLATE,
    command,
    run,
    settings,
    unwanted_folders,
)

HIGHEST, UNCAPPED = "highest", "without-caps"
RESOLUTIONS = ("lowest-direct", HIGHEST, UNCAPPED)
# Compares upper bounds with the code.
OF_CAPS = "test_the_remedy_is_the_pin"
LIMIT = 1_800  # seconds for one command
TITLES = (
    "Python", "resolution", "server", "versions unlike highest", "passed", "failed", "seconds",
    "first failure",
)  # fmt: skip
ALIGNMENT = (*["---"] * 4, *["---:"] * 3, "---")
VERSION = "import sys; print('%d.%d' % sys.version_info[:2])"


class CommandError(Exception):
    """A command of a row failed; its output is in the row's file."""


@dataclass(frozen=True)
class Row:
    """One environment: a version of Python such as `3.11`, a resolution and a server."""

    python: str
    resolution: str
    server: str

    @property
    def may_fail(self) -> bool:
        """Whether a failure leaves the exit code 0."""
        return self.resolution == UNCAPPED

    def __str__(self) -> str:
        return f"{self.python}, {self.resolution}, {self.server}"


@dataclass
class Result:
    """What a row gave.

    Attributes:
        versions: of each direct dependency of the project.
        passed, failed: tests; a test with two errors counts twice.
        problem: the first failed test, or the command that failed; empty if all passed.
        seconds: for the installation and the tests.
    """

    row: Row
    versions: dict[str, str] = field(default_factory=dict)
    passed: int = 0
    failed: int = 0
    problem: str = ""
    seconds: float = 0.0


def main() -> int:
    """Run the chosen rows one after another, print their table and return the exit code."""
    # `nohup` makes children ignore this signal, and some tests end processes with it.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    # So that SIGTERM ends the running tests too, and removes their project.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    pythons = interpreters()
    chosen = rows(sorted(pythons, key=minor), sys.argv[1:])
    folder = Path(tempfile.mkdtemp(prefix="plinth-"))
    results = []
    for row in chosen:
        print(f"{row} …", file=sys.stderr, flush=True)
        results.append(try_row(row, pythons[row.python], folder))
        print(f"  {results[-1].problem or 'passed'}", file=sys.stderr, flush=True)
    text = table(results)
    print(text)
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        Path(summary).write_text(text, "utf-8")
    if any(result.problem for result in results):
        print(f"The output of each row is in {folder}", file=sys.stderr)
    else:
        shutil.rmtree(folder)
    return exit_code(results)


# --- Choose rows


def interpreters() -> dict[str, str]:
    """Return a path by version: this Python, then those in SITE_PYTHONS, on PATH and of uv."""
    found = {"{}.{}".format(*sys.version_info): sys.executable}
    for path in os.environ.get("SITE_PYTHONS", "").split():
        version = run(path, "-c", VERSION, cwd=Path("/")).stdout.strip()
        found.setdefault(version, path)
    for version in PYTHON_VERSIONS:
        words = ("python", "find", "--system", "--no-python-downloads", version)
        done = run(command("uv"), *words, cwd=Path("/"))
        if done.returncode == 0:
            found.setdefault(version, done.stdout.strip())
    return {version: found[version] for version in PYTHON_VERSIONS if version in found}


def minor(version: str) -> int:
    """Return the second part of a version."""
    return int(version.split(".")[1])


def rows(pythons: Sequence[str], arguments: Sequence[str]) -> list[Row]:
    """Return the rows that the arguments choose; without any, of the oldest and newest Python.

    Args:
        pythons: the versions on this machine, in order.
    """
    parser = argparse.ArgumentParser(prog="make canary", description=__doc__)
    for name, choices in (("python", pythons), ("resolution", RESOLUTIONS), ("server", SERVERS)):
        parser.add_argument(f"--{name}", action="append", choices=choices)
    asked = parser.parse_args(arguments)
    ends = list(dict.fromkeys([pythons[0], pythons[-1]]))
    return [
        Row(python, resolution, server)
        for python in asked.python or ends
        for server in asked.server or SERVERS
        for resolution in RESOLUTIONS
        if resolution in (asked.resolution or RESOLUTIONS)
    ]


# --- Run a row


def try_row(row: Row, python: str, folder: Path) -> Result:
    """Render, install and test a project; remove it, and keep only its output."""
    result, began = Result(row), time.monotonic()
    name = re.sub(r"\W+", "-", str(row))
    output = folder / f"{name}.log"
    # Some of the tests search for the word `canary`, so it must not be in a path.
    with tempfile.TemporaryDirectory(prefix="plinth-") as scratch:
        try:
            project = prepare(row, Path(scratch), output)
            install(row, project, python, output)
            result.versions = direct_versions(project)
            count_tests(project, result, output)
        except CommandError as error:
            result.problem = str(error)
    result.seconds = time.monotonic() - began
    return result


def prepare(row: Row, folder: Path, output: Path) -> Path:
    """Render a project with all options, with the heavy tests in `checks/`."""
    answers = COMBINATIONS["all"] | {"server": row.server}
    chosen = [f"{name}={str(answer).lower()}" for name, answer in answers.items()]
    call(folder, output, command("cookiecutter"), str(TEMPLATE), "--no-input", "--config-file",
         str(settings(folder)), *chosen)  # fmt: skip
    project = folder / "my_service"
    unwanted = shutil.ignore_patterns(*unwanted_folders(answers), "__pycache__")
    shutil.copytree(CHECKS, project / "checks", ignore=unwanted)
    if row.resolution == UNCAPPED:
        pyproject = project / "pyproject.toml"
        pyproject.write_text(without_caps(pyproject.read_text("utf-8")), "utf-8")
    return project


def without_caps(pyproject: str) -> str:
    """Return the text of a pyproject.toml whose requirements have no upper bounds."""
    parsed = tomllib.loads(pyproject)
    requirements = [*parsed["project"]["dependencies"], *parsed["dependency-groups"]["dev"]]
    for text in requirements:
        pyproject = pyproject.replace(f'"{text}"', f'"{uncapped(text)}"')
    return pyproject


def uncapped(text: str) -> str:
    """Return a requirement without upper bounds; extras and markers stay.

    Raises:
        ValueError: if `==` or `~=` bounds it.
    """
    requirement = Requirement(text)
    operators = {specifier.operator for specifier in requirement.specifier}
    if operators & {"==", "===", "~="}:
        raise ValueError(f"{text}: write the upper bound as `<`, which can be removed")
    kept = [one for one in requirement.specifier if one.operator not in ("<", "<=")]
    requirement.specifier = SpecifierSet(",".join(map(str, kept)))
    return str(requirement).replace('"', "'")  # those of markers; TOML's strings have double ones


def install(row: Row, project: Path, python: str, output: Path) -> None:
    """Install a project, its tools and what only the heavy tests need."""
    resolution = HIGHEST if row.may_fail else row.resolution
    uv = command("uv")
    pip = (uv, "pip", "install", "--quiet", "--python", ".venv")
    call(project, output, uv, "venv", "--quiet", "--no-project", "--python", python, ".venv")
    # A source needs a compiler. An old version may have no wheel for a new Python; then the
    # oldest version with a wheel is the oldest that can be installed.
    call(project, output, *pip, "--only-binary", ":all:", "--prerelease", "disallow",
         "--resolution", resolution, "--requirements", "pyproject.toml", "--group", "dev",
    )  # fmt: skip
    # The other packages must not change these versions.
    constraints = project / "checks/constraints.txt"
    pinned = [f"{name}=={version}" for name, version in versions(project).items()]
    constraints.write_text("\n".join(pinned))
    call(project, output, *pip, "--constraints", str(constraints), *EXTRA)
    call(project, output, *pip, "--no-deps", "--editable", ".")


def call(project: Path, output: Path, *words: str) -> int:
    """Run a program of the row with its output in a file.

    Raises:
        CommandError: if it fails or takes too long. pytest's code 1, failed tests, is returned.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    kept.pop("VIRTUAL_ENV", None)
    with output.open("a", encoding="utf-8") as log:
        log.write(f"$ {' '.join(words)}\n")
        log.flush()
        # Its own session, so that a late one ends with every process that it started.
        process = subprocess.Popen(
            words, cwd=project, env=kept, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip
        try:
            code = process.wait(timeout=LIMIT)
        except subprocess.TimeoutExpired:
            raise CommandError(f"`{brief(words)}` took over {LIMIT} seconds") from None
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    if code and (code, "pytest" in words) != (1, True):
        raise CommandError(f"`{brief(words)}` ended with {code}")
    return code


def brief(words: Sequence[str]) -> str:
    """Return the first words of a command, without folders."""
    first, *others = words
    return " ".join([Path(first).name, *others[:2]])


def versions(project: Path) -> dict[str, str]:
    """Return what is installed in a project: versions by name."""
    words = (command("uv"), "pip", "list", "--python", ".venv", "--format", "json")
    found = json.loads(run(*words, cwd=project).stdout)
    return {package["name"]: package["version"] for package in found}


def direct_versions(project: Path) -> dict[str, str]:
    """Return the installed version of each requirement of the project, in their order."""
    parsed = tomllib.loads((project / "pyproject.toml").read_text("utf-8"))
    wanted = [Requirement(text).name for text in parsed["project"]["dependencies"]]
    found = versions(project)
    return {name: found[name] for name in map(canonicalize_name, wanted) if name in found}


def count_tests(project: Path, result: Result, output: Path) -> None:
    """Run the project's own tests and the heavy ones, and put their counts into the result.

    What fails runs once more: some tests measure time, and the machine may have been busy.
    """
    report = project / "checks/report.xml"
    python = str(project / ".venv/bin/python")
    pytest = [python, "-m", "pytest", "-q", "-ra", "--show-capture=no", f"--junit-xml={report}"]
    if result.row.may_fail:
        pytest += ["-k", f"not {OF_CAPS}"]
    code = call(project, output, *pytest, "tests", "checks")
    result.passed, failures = counted(report)
    if code:
        code = call(project, output, *pytest, "--last-failed", "tests", "checks")
        passed, failures = counted(report)
        result.passed += passed
    result.failed = len(failures)
    if code:
        result.problem = next(iter(failures), f"pytest ended with {code}")


def counted(report: Path) -> tuple[int, list[str]]:
    """Return how many tests passed, by pytest's report, and the path and name of the others."""
    passed, failures = 0, []
    for case in ElementTree.parse(report).iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            failures.append(f"{case.get('classname', '').replace('.', '/')}.py::{case.get('name')}")
        elif case.find("skipped") is None:
            passed += 1
    return passed, failures


# --- Report


def table(results: Sequence[Result]) -> str:
    """Return a Markdown table of all rows, and below it the versions of each highest row."""
    highest = {
        (result.row.python, result.row.server): result.versions
        for result in results
        if result.row.resolution == HIGHEST
    }
    lines = [TITLES, ALIGNMENT, *(cells(result, highest) for result in results)]
    shown = [f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |" for line in lines]
    for (python, server), versions in highest.items():
        shown += ["", f"{HIGHEST}, {python}, {server}: {listed(versions)}"]
    return "\n".join(shown) + "\n"


def cells(result: Result, highest: dict[tuple[str, str], dict[str, str]]) -> tuple[str, ...]:
    """Return the cells of a row; without its highest row it has all versions."""
    row, failure = result.row, result.problem
    others = highest.get((row.python, row.server), {}).items()
    versions = dict(result.versions.items() - others)
    # In the order of the requirements.
    differing = {name: versions[name] for name in result.versions if name in versions}
    if failure and row.may_fail:
        failure = f"allowed: {failure}"
    return (row.python, row.resolution, row.server, listed(differing), str(result.passed),
            str(result.failed), f"{result.seconds:.0f}", failure)  # fmt: skip


def listed(versions: dict[str, str]) -> str:
    """Return names with their versions as one text."""
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def exit_code(results: Iterable[Result]) -> int:
    """Return 1 if a row failed that may not fail."""
    return int(any(result.problem and not result.row.may_fail for result in results))


if __name__ == "__main__":
    sys.exit(main())
