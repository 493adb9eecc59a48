"""The workflow, `.ci/run`, and the rule that a skipped test fails in CI."""

import os
import re

import pytest
import yaml

from tests.conftest import fail_skipped
from tests.renders import TEMPLATE, run


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


def test_workflow_calls_only_make_targets() -> None:
    """Every check of CI can be run locally with the same command."""
    workflow = yaml.safe_load((TEMPLATE / ".github/workflows/ci.yml").read_text("utf-8"))
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    commands = [step["run"] for step in steps if "run" in step]
    assert commands == ["make lint", "make test", "make e2e"]


def test_ci_run_calls_the_same_targets() -> None:
    """The script is executable and valid, and calls the targets of the workflow."""
    path = TEMPLATE / ".ci" / "run"
    assert os.access(path, os.X_OK)
    assert run("bash", "-n", path, cwd=TEMPLATE).returncode == 0
    targets = re.findall(r"^make (\w+)$", path.read_text("utf-8"), re.MULTILINE)
    assert targets == ["lint", "test", "e2e"]
