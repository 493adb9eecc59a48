"""The workflow, `.ci/run`, and the rule that a skipped test fails in CI."""

import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import fail_skipped
from tests.renders import PAIRWISE, PYTHON_VERSIONS, TEMPLATE, run


def jobs(workflow: str) -> dict[str, Any]:
    """Return the jobs of a workflow."""
    text = (TEMPLATE / ".github" / "workflows" / f"{workflow}.yml").read_text("utf-8")
    found: dict[str, Any] = yaml.safe_load(text)["jobs"]
    return found


def commands(workflow: str, job: str) -> list[str]:
    """Return the commands that a job of a workflow runs."""
    return [step["run"] for step in jobs(workflow)[job]["steps"] if "run" in step]


def report(reason: str) -> pytest.TestReport:
    """Return the report of a skipped test."""
    skipped = ("test_x.py", 1, f"Skipped: {reason}")
    return pytest.TestReport("test_x", ("test_x.py", 1, "test_x"), {}, "skipped", skipped, "call")


@pytest.mark.parametrize(
    ("ci", "missing", "outcome"),
    [
        ("", "", "skipped"),
        ("true", "", "failed"),
        ("true", "images", "failed"),
        ("true", "images engine", "skipped"),
    ],
)
def test_ci_skips_only_what_the_site_lacks(
    ci: str, missing: str, outcome: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A skip is a failure in CI, unless SITE_MISSING names its reason."""
    monkeypatch.setenv("CI", ci)
    monkeypatch.setenv("SITE_MISSING", missing)
    skipped = report("no container engine answers")
    fail_skipped(skipped)
    assert skipped.outcome == outcome


@pytest.mark.parametrize(
    ("workflow", "job", "targets"),
    [
        ("ci", "check", ["make lint", "make test", "make e2e"]),
        ("canary", "canary", ["make canary"]),
    ],
)
def test_workflow_calls_only_make_targets(workflow: str, job: str, targets: list[str]) -> None:
    """Every check of the template can be run locally with the same command."""
    assert commands(workflow, job) == targets


def test_only_the_job_that_pushes_keeps_credentials() -> None:
    """The tests run packages of others; no token of the repository is on the disk then."""
    keeping = [
        (workflow.stem, name)
        for workflow in (TEMPLATE / ".github/workflows").glob("*.yml")
        for name, job in jobs(workflow.stem).items()
        for step in job["steps"]
        if "checkout" in step.get("uses", "")
        and step.get("with", {}).get("persist-credentials") is not False
    ]
    assert keeping == [("release", "release")]


def test_canary_has_the_oldest_and_the_newest_python() -> None:
    """The scheduled workflow installs both ends of the Pythons that projects support."""
    steps = [step.get("with", {}) for step in jobs("canary")["canary"]["steps"]]
    [versions] = [given["python-version"] for given in steps if "python-version" in given]
    assert versions.split() == [PYTHON_VERSIONS[0], PYTHON_VERSIONS[-1]]


def test_workflow_tries_projects_on_every_platform(tmp_path: Path) -> None:
    """Projects with all pairs of answers are rendered, tested and served without make."""
    *_, rendering = commands("ci", "render")
    python, *arguments, folder = rendering.split()
    assert python == ".venv/bin/python"
    assert run(sys.executable, *arguments, tmp_path / folder, cwd=TEMPLATE).returncode == 0
    project = jobs("ci")["project"]
    assert project["strategy"]["matrix"]["project"] == PAIRWISE
    assert {"windows-latest", "macos-latest"} < {*project["strategy"]["matrix"]["os"]}
    rendered = {path.name for path in (tmp_path / folder).iterdir() if (path / "Makefile").exists()}
    assert rendered == {*PAIRWISE}
    assert (tmp_path / folder / "serving.py").exists()
    assert commands("ci", "project")[-1] == "uv run python ../serving.py"


def test_ci_run_calls_the_same_targets() -> None:
    """The script is executable and valid, and calls the targets of the workflow."""
    path = TEMPLATE / ".ci" / "run"
    assert os.access(path, os.X_OK)
    assert run("bash", "-n", path, cwd=TEMPLATE).returncode == 0
    targets = re.findall(r"^make (\w+)$", path.read_text("utf-8"), re.MULTILINE)
    assert targets == ["lint", "test", "e2e"]
