"""The workflow's steps run from its file, pre-commit on a new project, and `make sentry`."""

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest
import yaml

from tests.e2e.bugsink import Bugsink
from tests.e2e.ports import free_port
from tests.e2e.stack import Stack, need_engine, until
from tests.renders import COMBINATIONS, command, commit, git, render, run


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the uv that `setup-uv` would install, for the PATH."""
    folder = tmp_path_factory.mktemp("tools")
    (folder / "uv").symlink_to(command("uv"))
    return folder


@pytest.fixture(scope="module", params=["none", "all"])
def project(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    home: Path,
    tools: Path,
) -> Path:
    """A clean clone of a project whose owner has committed uv.lock."""
    folder = tmp_path_factory.mktemp("project")
    made = render(folder, home, **COMBINATIONS[request.param])
    done = run("uv", "lock", "--quiet", cwd=made, env=variables(tools))
    assert done.returncode == 0, done.stderr
    commit(made, "Lock")
    git(folder, "clone", "--quiet", str(made), "clone")
    return folder / "clone"


def variables(tools: Path, **more: str) -> dict[str, str]:
    """Return the environment of a step: what GitHub sets, and `tools` on the PATH."""
    return os.environ | {"PATH": f"{tools}:{os.environ['PATH']}", "CI": "true"} | more


def run_job(project: Path, job: dict[str, Any], env: dict[str, str], **contexts: str) -> str:
    """Run the steps of a job as GitHub does, each in a shell of its own; return their output."""
    output = ""
    for step in job["steps"]:
        if "run" not in step:
            continue
        given = {name: evaluate(text, contexts) for name, text in step.get("env", {}).items()}
        done = run("bash", "-e", "-c", step["run"], cwd=project, env=env | given)
        assert done.returncode == 0, f"{step['run']}: {done.stdout}{done.stderr}"
        output += done.stdout + done.stderr
    return output


def evaluate(text: str, contexts: dict[str, str]) -> str:
    """Replace `${{ secrets.NAME }}` and `${{ vars.NAME || 'default' }}`."""
    pattern = r"\$\{\{ (?:secrets|vars)\.(\w+)(?: \|\| '(.*?)')? \}\}"
    return re.sub(pattern, lambda found: contexts.get(found[1]) or found[2], text)


def jobs(project: Path) -> dict[str, Any]:
    """Return the jobs of the project's workflow."""
    text = (project / ".github/workflows/ci.yml").read_text("utf-8")
    found: dict[str, Any] = yaml.safe_load(text)["jobs"]
    return found


@contextmanager
def stand_in(answer: Callable[[str], object]) -> Iterator[tuple[str, list[tuple[str, Any]]]]:
    """Serve JSON on loopback; yield the address, and a list of what was sent."""
    sent: list[tuple[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            sent.append((f"{self.command} {self.path}", json.loads(body or "null")))
            content = json.dumps(answer(sent[-1][0])).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_PUT = do_POST  # noqa: N815 - names of the base class

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", sent
        server.shutdown()


def test_test_job(project: Path, tools: Path) -> None:
    """The job of the tests passes with the committed lock, and does not change it."""
    run_job(project, jobs(project)["test"], variables(tools))
    assert git(project, "status", "--porcelain") == ""


def test_first_commit(tmp_path: Path, home: Path, tools: Path) -> None:
    """The job of the tests passes without a lock too."""
    project = render(tmp_path, home)
    run_job(project, jobs(project)["test"], variables(tools))
    assert git(project, "status", "--porcelain") == "?? uv.lock"


def test_stale_lock_stops_the_job(project: Path, tools: Path, tmp_path: Path) -> None:
    """In CI a lock that does not fit pyproject.toml is an error."""
    copy = tmp_path / "copy"
    git(tmp_path, "clone", "--quiet", str(project), str(copy))
    pyproject = copy / "pyproject.toml"
    text = pyproject.read_text("utf-8").replace('"orjson>=3.10.12,<4"', '"orjson>=3.11,<4"')
    pyproject.write_text(text, "utf-8")
    done = run("make", "install", cwd=copy, env=variables(tools))
    assert done.returncode == 2
    assert "--locked" in done.stderr


def test_audit_job(project: Path, tmp_path: Path) -> None:
    """The audit asks for every locked package, and fails for a known vulnerability."""
    found = {"id": "GHSA-0000-0000-0001", "modified": "2026-01-01T00:00:00Z"}
    known: list[object] = []

    def answer(request: str) -> object:
        if request.endswith("/querybatch"):
            return {"results": [{"vulns": known} for _ in sent[-1][1]["queries"]]}
        return found | {"summary": "It fails.", "affected": []}

    with stand_in(answer) as (url, sent):
        shim = tmp_path / "uv"
        shim.write_text(f'#!/bin/sh\nexec {command("uv")} "$@" --service-url {url}\n')
        shim.chmod(0o755)
        run_job(project, jobs(project)["audit"], variables(tmp_path))
        names = {query["package"]["name"] for _, body in sent for query in body["queries"]}
        assert {"fastapi", "loguru", "pytest"} < names
        known.append(found)
        assert run("make", "audit", cwd=project, env=variables(tmp_path)).returncode == 2


def test_release_job(project: Path, tools: Path) -> None:
    """On a tag, Sentry gets the release by the name that the service reports, with its commits."""
    if "release" not in jobs(project):
        assert not (project / "docs/sentry.md").exists()
        return
    job = jobs(project)["release"]
    assert job["if"] == "github.ref_type == 'tag' && vars.SENTRY_PROJECT"
    release = {"version": "x", "dateCreated": "2026-01-01T00:00:00Z", "projects": []}
    with stand_in(lambda asked: [] if asked[:3] == "GET" else release) as (url, sent):
        contexts = {"SENTRY_AUTH_TOKEN": "t", "SENTRY_ORG": "acme", "SENTRY_PROJECT": "shop"}
        run_job(project, job, variables(tools), **contexts, SENTRY_URL=url)
    request, body = sent[0]
    assert request == "POST /api/0/organizations/acme/releases/"
    assert (body["version"], body["projects"]) == (git(project, "rev-parse", "HEAD"), ["shop"])
    assert [len(body["commits"]) for _, body in sent if body and "commits" in body] == [2]


def test_stack_job(project: Path, tools: Path) -> None:
    """The job of the stack builds and starts it, checks its answers and removes it."""
    if "stack" not in jobs(project):
        assert not (project / "compose.yaml").exists()
        return
    need_engine()
    stack = Stack(project)
    try:
        said = run_job(project, jobs(project)["stack"], variables(tools) | stack.environment)
        assert "responses as expected" in said
        assert stack.containers("app") == []
    finally:
        stack.remove()


def test_pre_commit(project: Path, tools: Path, tmp_path: Path) -> None:
    """All hooks pass on a new project; a badly formatted file stops a commit."""
    copy = tmp_path / "copy"
    git(tmp_path, "clone", "--quiet", str(project), str(copy))
    env = variables(tools, PRE_COMMIT_HOME=str(tmp_path / "cache"))
    hooks = (command("pre-commit"), "run", "--all-files")
    done = run(*hooks, cwd=copy, env=env)
    assert done.returncode == 0, done.stdout
    assert git(copy, "status", "--porcelain") == ""
    bad = copy / "my_service/routers/bad.py"
    bad.write_text("import os\nx  =  1\n")
    assert run(command("pre-commit"), "install", cwd=copy, env=env).returncode == 0
    git(copy, "add", "--all")
    done = run("git", "commit", "--message", "Bad", cwd=copy, env=env)
    assert done.returncode == 1
    assert "F401" in done.stderr + done.stdout


@pytest.fixture
def start(tools: Path) -> Generator[Callable[..., subprocess.Popen[str]]]:
    """A function that starts a make target; its process group ends with the test."""
    started: list[subprocess.Popen[str]] = []

    def start(project: Path, target: str, **more: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            ["make", "--silent", target], cwd=project, env=variables(tools, **more), text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def read_until(process: subprocess.Popen[str], pattern: str) -> re.Match[str]:
    """Return the first match in the output of a process."""
    assert process.stdout
    for line in process.stdout:
        if found := re.search(pattern, line):
            return found
    raise AssertionError(f"the output ended without {pattern}")


def test_make_sentry(
    install: Callable[[str], Path], start: Callable[..., subprocess.Popen[str]], tools: Path
) -> None:
    """`make sentry` prints a DSN; a failure under `make dev` is its event, by the request's id.

    The next start keeps the project and takes another port.
    """
    project, port = install("all"), str(free_port())
    sentry = start(project, "sentry", BUGSINK_PORT=port)
    try:
        dsn = read_until(sentry, r"SENTRY_DSN=(\S+) make dev")[1]
        assert dsn.endswith(f"@127.0.0.1:{port}/1")
        read_until(sentry, "Listening at")
        log = {"SENTRY_DSN": dsn, "PORT": "0", "METRICS_PORT": "0", "LOG_FORMAT": "json"}
        dev = start(project, "dev", **log)
        url = read_until(dev, r"Running on (http://\S+)")[1]
        failed = httpx.get(f"{url}/divide?a=1&b=0", trust_env=False)
        assert failed.status_code == 500
        manage = ("uv", "run", "--no-project", "--with", "bugsink>=2.6,<3", "bugsink-manage")
        token = run(*manage, "create_auth_token", cwd=project / ".sentry", env=variables(tools))
        bugsink = Bugsink(f"http://127.0.0.1:{port}", dsn, token.stdout.split()[-1])
        event = until(lambda: bugsink.event_of(failed.headers["X-Request-ID"]), 30)
        assert event["exception"]["values"][-1]["type"] == "ZeroDivisionError"
        os.killpg(sentry.pid, signal.SIGINT)
        assert read_until(sentry, r"The events are in (\S+);")[1] == f"{project}/.sentry"
        assert git(project, "status", "--porcelain", "--", ".sentry") == ""
        sentry.wait(30)
        other = str(free_port())
        sentry = start(project, "sentry", BUGSINK_PORT=other)
        assert read_until(sentry, r"SENTRY_DSN=(\S+) make dev")[1] == dsn.replace(
            f":{port}/", f":{other}/"
        )
        read_until(sentry, f"Listening at: http://127.0.0.1:{other}")
    finally:
        if sentry.poll() is None:
            os.killpg(sentry.pid, signal.SIGINT)
            sentry.wait(30)
        shutil.rmtree(project / ".sentry", ignore_errors=True)
