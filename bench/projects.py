"""Render and install the projects that the benchmarks measure."""

import os
import sys
from pathlib import Path

from tests.renders import COMBINATIONS, TEMPLATE, command, run, settings

SLUG = "my_service"


def install(combination: str, folder: Path, *packages: str) -> Path:
    """Render a combination of answers in `folder`, install it and `packages`, return the project.

    Args:
        packages: arguments of `uv pip install`.
    """
    chosen = COMBINATIONS[combination]
    answers = [f"{name}={str(answer).lower()}" for name, answer in chosen.items()]
    _run(
        command("cookiecutter"), TEMPLATE, "--no-input", "--config-file", settings(folder),
        "--output-dir", folder / combination, *answers, cwd=folder,
    )  # fmt: skip
    project = folder / combination / SLUG
    _run(command("uv"), "sync", "--no-dev", cwd=project)
    if packages:
        _run(command("uv"), "pip", "install", *packages, cwd=project)
    return project


def python(project: Path) -> Path:
    """Return the interpreter of a project."""
    return project / ".venv/bin/python"


def variables(**ours: str) -> dict[str, str]:
    """Return the environment variables of a measured process."""
    return os.environ | {"ENV": "production", "METRICS_PORT": "0"} | ours


def _run(*words: str | Path, cwd: Path) -> None:
    done = run(*words, cwd=cwd)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, words))} failed:\n{done.stderr}")
