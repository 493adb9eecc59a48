"""The workflow, `.ci/run`, and the rule that a skipped test fails in CI."""

import os
import re

import pytest
import yaml

from tests.conftest import fail_skipped
from tests.renders import PYTHON_VERSIONS, TEMPLATE, run


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
    ("name", "commands"),
    [("ci", ["make lint", "make test", "make e2e"]), ("canary", ["make canary"])],
)
def test_workflow_calls_only_make_targets(name: str, commands: list[str]) -> None:
    """Every check of CI can be run locally with the same command."""
    workflow = yaml.safe_load((TEMPLATE / f".github/workflows/{name}.yml").read_text("utf-8"))
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    assert [step["run"] for step in steps if "run" in step] == commands


def test_canary_has_the_oldest_and_the_newest_python() -> None:
    """The scheduled workflow installs both ends of the Pythons that projects support."""
    workflow = yaml.safe_load((TEMPLATE / ".github/workflows/canary.yml").read_text("utf-8"))
    [job] = workflow["jobs"].values()
    [versions] = [step["with"]["python-version"] for step in job["steps"]
                  if "python-version" in step.get("with", {})]  # fmt: skip
    assert versions.split() == [PYTHON_VERSIONS[0], PYTHON_VERSIONS[-1]]


def test_ci_run_calls_the_same_targets() -> None:
    """The script is executable and valid, and calls the targets of the workflow."""
    path = TEMPLATE / ".ci" / "run"
    assert os.access(path, os.X_OK)
    assert run("bash", "-n", path, cwd=TEMPLATE).returncode == 0
    targets = re.findall(r"^make (\w+)$", path.read_text("utf-8"), re.MULTILINE)
    assert targets == ["lint", "test", "e2e"]
