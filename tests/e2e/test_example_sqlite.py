"""`make example`, then what a user does with the result: install, check and serve it on SQLite."""

import os
import re
import sys
from pathlib import Path

import httpx

from tests.e2e.terminal import COLOR, dev
from tests.renders import command, run, settings


def test_example(clone: Path, home: Path, tmp_path: Path) -> None:
    """On a fresh clone: `make example`, then `make install lint test dev` and a new migration."""
    (tmp_path / "uv").symlink_to(command("uv"))
    path = f"{tmp_path}:{os.environ['PATH']}"
    variables = os.environ | {"COOKIECUTTER_CONFIG": str(settings(home)), "PATH": path}
    project = tmp_path / "todo"
    for folder, words in (
        (clone, ("example", f"PYTHON={sys.executable}")),
        (project, ("install",)),
        (project, ("lint", "test")),
    ):
        done = run("make", *words, cwd=folder, env=variables)
        assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
    assert run("git", "status", "--porcelain", cwd=clone).stdout == ""
    # Nothing that a target made would be committed, except for the lock file.
    assert run("git", "status", "--porcelain", cwd=project).stdout == "?? uv.lock\n"

    with dev(project, tmp_path) as terminal:
        screen = COLOR.sub("", terminal.read_until("CTRL + C to quit"))
        [url] = re.findall(r"(http://[0-9.:]+) \(CTRL", screen)
        task = {"title": "Buy milk", "priority_id": 2, "due_date": "2026-12-24"}
        assert httpx.post(f"{url}/api/v1/tasks", json=task).status_code == 201
        page = httpx.get(f"{url}/tasks/")
        assert (page.status_code, "Buy milk" in page.text) == (200, True)
        assert "GET /tasks/ 200 " in COLOR.sub("", terminal.read_until("GET /tasks/ 200 "))
    assert (project / "todo.db").exists()

    revision = ("revision", "--autogenerate", "--message", "The next one")
    done = run(str(project / ".venv" / "bin" / "alembic"), *revision, cwd=project, env=variables)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(list((project / "todo/migrations/versions").glob("*_the_next_one.py"))) == 1
    done = run("make", "lint", cwd=project, env=variables)
    assert done.returncode == 0, done.stdout + done.stderr
