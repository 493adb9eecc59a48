"""What a team expects around a service: its workflow, Dependabot and pre-commit."""

import re
import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.renders import COMBINATIONS, PAIRWISE, PYTHON_VERSIONS, TEMPLATE, command, run

Bake = Callable[..., Path]

WORKFLOW = ".github/workflows/ci.yml"


@pytest.fixture(params=PAIRWISE)
def project(request: pytest.FixtureRequest, bake: Bake) -> Path:
    """A project for every pair of answers."""
    return bake(**COMBINATIONS[request.param])


def read(path: Path) -> Any:
    """Return what a YAML file holds."""
    return yaml.safe_load(path.read_text("utf-8"))


def lint_workflow(*paths: Path) -> None:
    """Assert that GitHub's schema and actionlint accept workflows."""
    schema = ("--builtin-schema", "vendor.github-workflows")
    done = run(command("check-jsonschema"), *schema, *paths, cwd=TEMPLATE)
    assert done.returncode == 0, done.stdout
    if sys.platform == "linux":  # there is no package for others
        done = run(command("actionlint"), "-shellcheck=", *paths, cwd=TEMPLATE)
        assert done.returncode == 0, done.stdout


def test_workflow_is_valid(project: Path) -> None:
    """GitHub's schema and actionlint accept the workflow of every render."""
    lint_workflow(project / WORKFLOW)


def test_workflows_of_the_template_are_valid() -> None:
    """GitHub's schemas and actionlint accept the workflows and issue forms of the template."""
    lint_workflow(*(TEMPLATE / ".github/workflows").glob("*.yml"))
    forms = [*(TEMPLATE / ".github/ISSUE_TEMPLATE").glob("*.yml")]
    config = TEMPLATE / ".github/ISSUE_TEMPLATE/config.yml"
    forms.remove(config)
    for schema, paths in {"github-issue-forms": forms, "github-issue-config": [config]}.items():
        check = ("--builtin-schema", f"vendor.{schema}")
        done = run(command("check-jsonschema"), *check, *paths, cwd=TEMPLATE)
        assert done.returncode == 0, done.stdout


def test_workflow_calls_only_make_targets(project: Path) -> None:
    """Every step of the workflow can be run on a desk with the same command."""
    targets = re.findall(r"^\.PHONY: (.+)$", (project / "Makefile").read_text("utf-8"), re.M)
    jobs = read(project / WORKFLOW)["jobs"]
    commands = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
    assert {word.removeprefix("make ") for word in commands} <= {*targets}
    assert commands[:3] == ["make install", "make lint", "make test"]


def test_workflow_has_limits_and_few_rights(project: Path) -> None:
    """The workflow may only read, keeps no credentials, and each job has a limit."""
    workflow = read(project / WORKFLOW)
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"] <= 15
        [checkout] = [step for step in job["steps"] if "checkout" in step.get("uses", "")]
        assert checkout["with"]["persist-credentials"] is False


@pytest.mark.parametrize("version", PYTHON_VERSIONS)
def test_workflow_has_the_oldest_and_the_newest_python(version: str, bake: Bake) -> None:
    """The tests run on the project's oldest Python and on the newest that Plinth supports."""
    matrix = read(bake(python_version=version) / WORKFLOW)["jobs"]["test"]["strategy"]["matrix"]
    assert matrix == {"python": sorted({version, PYTHON_VERSIONS[-1]})}


def test_dependabot_is_valid(project: Path) -> None:
    """GitHub's schema accepts the file; each kind is grouped and waits for a week."""
    path = project / ".github/dependabot.yml"
    check = ("--builtin-schema", "vendor.dependabot")
    done = run(command("check-jsonschema"), *check, path, cwd=project)
    assert done.returncode == 0, done.stdout
    updates = read(path)["updates"]
    kinds = [update["package-ecosystem"] for update in updates]
    docker = ["docker"] if (project / "Dockerfile").exists() else []
    assert kinds == ["uv", "github-actions", *docker]
    for update in updates:
        assert update["cooldown"] == {"default-days": 7}
        [group] = update["groups"].values()
        assert group == {"patterns": ["*"]}


def test_pre_commit_is_valid(project: Path) -> None:
    """pre-commit accepts its configuration, which has hooks of the project alone."""
    path = project / ".pre-commit-config.yaml"
    done = run(command("pre-commit"), "validate-config", path, cwd=project)
    assert done.returncode == 0, done.stdout
    [repository] = read(path)["repos"]
    assert repository["repo"] == "local"
    hooks = [hook["id"] for hook in repository["hooks"]]
    monitoring = ["monitoring"] if (project / "monitoring").exists() else []
    compose = ["compose"] if (project / "compose.yaml").exists() else []
    assert hooks == ["lint", *monitoring, *compose]


def test_hooks_need_all_their_tools(bake: Bake, tmp_path: Path) -> None:
    """A hook passes if one of its tools is not installed."""
    project = bake(**COMBINATIONS["all"])
    (tmp_path / "sh").symlink_to(str(shutil.which("sh")))
    (tmp_path / "promtool").touch(0o755)
    _, *hooks = read(project / ".pre-commit-config.yaml")["repos"][0]["hooks"]
    for hook in hooks:
        done = run(*shlex.split(hook["entry"]), cwd=project, env={"PATH": str(tmp_path)})
        assert done.returncode == 0, done.stderr
