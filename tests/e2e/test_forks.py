"""docs/forks.md: its commands make a fork, follow the template and update a project."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.renders import TEMPLATE, commit, git, settings

PAGE = (TEMPLATE / "docs" / "forks.md").read_text("utf-8")
UPSTREAM, FORK = (f"https://git.example.com/{team}/plinth.git" for team in ("plinth", "acme"))


@pytest.fixture
def servers(clone: Path, tmp_path: Path, home: Path) -> dict[str, str]:
    """Variables with which git finds the template, with one release, and its new fork."""
    git(clone, "tag", "--annotate", "v0.2.0", "--message", "Plinth 0.2.0")
    config = (home / ".gitconfig").read_text()
    for address, path in ((UPSTREAM, clone), (FORK, tmp_path / "acme.git")):
        config += f'[url "file://{path}"]\n\tinsteadOf = {address}\n'
    (tmp_path / ".gitconfig").write_text(config)
    git(tmp_path, "clone", "--bare", "--quiet", str(clone), "acme.git")
    variables = {"GIT_CONFIG_GLOBAL": f"{tmp_path}/.gitconfig", "HOME": str(home)}
    return os.environ | variables | {"COOKIECUTTER_CONFIG": str(settings(home))}


def release(template: Path) -> None:
    """Commit a change of a file that every project has, and tag it."""
    readme = template / "<<cookiecutter.project_slug>>" / "README.md"
    readme.write_text(f"{readme.read_text('utf-8')}\nNews.\n", "utf-8")
    commit(template, "News")
    git(template, "tag", "--annotate", "v0.3.0", "--message", "Plinth 0.3.0")


def shell(blocks: list[str], folder: Path, variables: dict[str, str]) -> None:
    """Run blocks of the page one after another in one shell."""
    done = subprocess.run(
        ["bash", "-e", "-c", "".join(blocks)],
        cwd=folder, env=variables, capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_fork(clone: Path, servers: dict[str, str], tmp_path: Path) -> None:
    """A project of the fork has its defaults and files, and gets the template's news from it."""
    (work := tmp_path / "work").mkdir()
    blocks = re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    follow = next(number for number, block in enumerate(blocks) if "fetch --tags upstream" in block)
    shell(blocks[:follow], work, servers)
    release(clone)
    shell(["cd plinth\n", *blocks[follow:]], work, servers)
    project = work / "rendered" / "my_service"
    pyproject = (project / "pyproject.toml").read_text("utf-8")
    assert f'template = "{FORK}"\n' in pyproject
    assert 'author_name = "Team Acme"\n' in pyproject
    assert (project / "CODEOWNERS").read_text() == "* @acme/platform\n"
    assert (project / "README.md").read_text("utf-8").endswith("\nNews.\n")
    assert git(project, "log", "--format=%s").startswith("Plinth 0.3.0\n")
    assert git(project, "status", "--porcelain", "--untracked-files=no") == ""
