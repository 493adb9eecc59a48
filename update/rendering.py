"""A version of the template, and the project that it renders."""

import json
import os
import shutil
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from given_answers import as_templates
from make_portable import export

from .commands import UpdateError, git, run
from .project import Project
from .versions import Version

IS_WINDOWS = os.name == "nt"


class Source:
    """The files of a version of the template.

    Args:
        template: a clone of the template.
        folder: a new folder below which everything is written.
    """

    def __init__(self, template: Path, version: Version, folder: Path) -> None:
        self.template, self.version = template, version
        self.folder, self.files = folder, folder / "template"
        folder.mkdir()
        if IS_WINDOWS:  # no file name can have < and >
            try:
                export(template, version.commit, self.files)
            except ValueError as error:
                raise UpdateError(str(error)) from None
        else:
            git(folder, "clone", "--quiet", "--shared", "--no-checkout", template, self.files)
            git(self.files, "checkout", "--quiet", "--detach", version.commit)
        self.context: dict[str, Any] = _json(self.files / "cookiecutter.json")
        self.questions = {name: v for name, v in self.context.items() if name[0] != "_"}

    def render(self, answers: Mapping[str, str]) -> Path:
        """Return the folder of a new project; answers to other questions are left out.

        Raises:
            UpdateError: this version refuses an answer.
        """
        known = {name: value for name, value in answers.items() if name in self.questions}
        given = [f"{name}={value}" for name, value in as_templates(known, self.context).items()]
        replays, templates = self.folder / "replays", self.folder / "templates"
        settings = {"replay_dir": str(replays), "cookiecutters_dir": str(templates)}
        (self.folder / "settings").write_text(json.dumps(settings))
        output = self.folder / "output"
        (output / ".git").mkdir(parents=True)  # so that the hook makes no repository
        done = run(
            sys.executable, "-m", "cookiecutter", self.files, "--no-input",
            "--config-file", self.folder / "settings", "--output-dir", output, *given,
            cwd=self.folder,
        )  # fmt: skip
        if done.returncode:
            reason = " ".join((done.stderr or done.stdout).split())
            raise UpdateError(f"{self.version.name} cannot be rendered: {reason}")
        [render] = (path for path in output.iterdir() if path.name != ".git")
        return render


def format_like(project: Project, render: Path) -> bool:
    """Format a render as the project's code is formatted; return whether that was possible."""
    pyproject = render / "pyproject.toml"
    config = _ruff_config(project)
    if config.name == pyproject.name and _ruff_settings(config) == _ruff_settings(pyproject):
        return True
    programs = project.folder / ".venv" / ("Scripts" if IS_WINDOWS else "bin")
    places = (programs, Path(sys.executable).parent, os.environ.get("PATH", ""))
    ruff = shutil.which("ruff", path=os.pathsep.join(map(str, places)))
    if not ruff:
        return False
    shared = ("--quiet", "--no-cache", "--config", config)
    sort = ("check", *shared, "--select=I", "--fix", "--exit-zero")
    return all(
        run(ruff, *words, cwd=render).returncode == 0 for words in (sort, ("format", *shared))
    )


def _ruff_config(project: Project) -> Path:
    """Return the file with the project's settings of ruff, which can be in a folder above."""
    folder = project.folder.resolve()
    for place in (folder, *folder.parents):
        for name in (".ruff.toml", "ruff.toml", "pyproject.toml"):
            path = place / name
            if path.is_file() and (name != "pyproject.toml" or _ruff_settings(path) is not None):
                return path
    return folder / "pyproject.toml"


def _ruff_settings(pyproject: Path) -> object:
    return tomllib.loads(pyproject.read_text("utf-8")).get("tool", {}).get("ruff")


def _json(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))
