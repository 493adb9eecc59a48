"""Fixtures that render in isolation, and the rule that a skipped test fails in CI."""

import os
import shutil
import signal
from collections.abc import Callable, Generator
from functools import cache
from pathlib import Path

import pytest
from hypothesis import settings

from tests.renders import (
    CHECKS,
    COMBINATIONS,
    EXTRA,
    FOREIGN,
    TEMPLATE,
    command,
    commit,
    git,
    render,
    run,
    unwanted_folders,
)

# `test_rendered.py` runs these inside a render.
collect_ignore = ["rendered"]

# `nohup`, and `&` in a script, make children ignore these signals, which some tests send.
signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

# A slow machine does not fail a test, and CI is deterministic.
settings.register_profile("plinth", deadline=None, derandomize=os.environ.get("CI") == "true")
settings.load_profile("plinth")


@pytest.fixture(autouse=True, scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Generator[Path]:
    """A home directory without cookiecutter settings, with only an identity for git."""
    folder = tmp_path_factory.mktemp("home")
    (folder / ".gitconfig").write_text("[user]\nname = Test\nemail = test@example.com\n")
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(FOREIGN)]:
            patch.delenv(name)
        patch.setenv("GIT_CONFIG_GLOBAL", f"{folder}/.gitconfig")
        patch.setenv("GIT_CONFIG_NOSYSTEM", "1")
        yield folder


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory, home: Path) -> Callable[..., Path]:
    """A function that renders the template once for the same answers; do not change the result."""

    @cache
    def rendered(**answers: str | bool) -> Path:
        return render(tmp_path_factory.mktemp("rendered"), home, **answers)

    return rendered


@pytest.fixture
def bake(tmp_path: Path, rendered: Callable[..., Path]) -> Callable[..., Path]:
    """A function that copies a render of the template into the test's temporary folder."""

    def bake(**answers: str | bool) -> Path:
        project = rendered(**answers)
        return shutil.copytree(project, tmp_path / project.name, symlinks=True)

    return bake


@pytest.fixture(scope="session")
def install(tmp_path_factory: pytest.TempPathFactory, home: Path) -> Callable[[str], Path]:
    """A function that renders and installs a combination, with its heavy tests in `checks/`."""

    @cache
    def install(combination: str) -> Path:
        options = COMBINATIONS[combination]
        project = render(tmp_path_factory.mktemp("package"), home, **options)
        unwanted = shutil.ignore_patterns(*unwanted_folders(options))
        shutil.copytree(CHECKS, project / "checks", ignore=unwanted)
        for words in (
            ("sync", "--quiet", "--all-groups"),
            ("pip", "install", "--quiet", *EXTRA),
        ):
            done = run(command("uv"), *words, cwd=project)
            assert done.returncode == 0, done.stderr
        return project

    return install


@pytest.fixture(scope="session")
def installed(install: Callable[[str], Path]) -> Path:
    """The default project, installed."""
    return install("none")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A copy of the template's working tree, with every file committed."""
    target = tmp_path / "plinth"
    here = shutil.ignore_patterns(".git", ".venv", ".hypothesis", ".*_cache", "__pycache__")
    shutil.copytree(TEMPLATE, target, ignore=here)
    git(target, "init", "--initial-branch", "main")
    commit(target, "First")
    return target


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a skipped test in CI."""
    report = yield
    fail_skipped(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Fail a skipped test file in CI."""
    report = yield
    fail_skipped(report)
    return report


def fail_skipped(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Turn a skip into a failure in CI, unless its reason contains a word of SITE_MISSING."""
    if not report.skipped or hasattr(report, "wasxfail") or os.environ.get("CI") != "true":
        return
    reason = report.longreprtext
    if not any(word in reason for word in os.environ.get("SITE_MISSING", "").split()):
        report.outcome = "failed"
        report.longrepr = f"skipped in CI: {reason}"
