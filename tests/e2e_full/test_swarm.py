"""Instances on Docker Swarm: docs/deploy.md from top to bottom, updates and a crash under load.

The tests share one stack of three instances and run in this order. They make a swarm of one node,
so they skip on a machine that is in a swarm already. `Swarm.page` replaces what the machine lacks.
"""

import json
import os
import re
import ssl
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import httpx
import pytest

from tests.e2e.load import GETS, POST, Load
from tests.e2e.stack import ROOT, Container, Stack, need_engine, until
from tests.renders import COMBINATIONS, render, run

INSTANCES = 3
SECRETS = {
    "SENTRY_DSN": "http://key@127.0.0.1:9/1",
    "SLACK_URL": "http://127.0.0.1:9/slack",
    "SMTP_PASSWORD": "s3cr3t-0f-smtp",
}


class Swarm:
    """The stack that docs/deploy.md deploys, on a swarm of one node."""

    def __init__(self, stack: Stack) -> None:
        self.project = stack.project
        self.name = stack.project.name
        self.https_port = stack.https_port
        self.app = f"{self.name}_app"
        self.url = stack.url
        self.images: list[str] = []
        self.environment = {
            **os.environ,
            **SECRETS,
            "HTTP_PORT": stack.http_port,
            "HTTPS_PORT": stack.https_port,
        }
        self.repository = f"plinth-{uuid4().hex[:8]}"

    def __call__(self, *words: str) -> str:
        """Run a command, assert that it succeeds within three minutes and return its output."""
        done = run(*words, cwd=self.project, env=self.environment, seconds=180)
        assert done.returncode == 0, f"{words}: {done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout

    def shell(self, block: str) -> str:
        """Run a block of the page in one shell, as a user who pastes it."""
        return self("bash", "-euo", "pipefail", "-c", block)

    def page(self) -> list[str]:
        """Return the blocks of the page for Swarm, with what this machine lacks replaced."""
        text = (self.project / "docs/deploy.md").read_text("utf-8").partition("## Kubernetes")[0]
        replaced = {
            r"registry\.example\.com/\w+": self.repository,
            r"^docker push .*$": "",  # no registry
            r"docker swarm init": "docker swarm init --advertise-addr 127.0.0.1",
            r"--with-registry-auth": "--with-registry-auth --resolve-image never",
            r"shop\.example\.com": "localhost",
            r"^docker service logs .*--follow.*$": r"timeout 5 \g<0> || [ $? = 124 ]",
        }
        for pattern, instead in replaced.items():
            text, times = re.subn(pattern, instead, text, flags=re.MULTILINE)
            assert times, pattern
        # An exported variable reaches the blocks below it.
        build, once, deploy, back = re.findall(
            r"^```sh\n(.*?)^```$", text, re.DOTALL | re.MULTILINE
        )
        [image] = re.findall(r"^export IMAGE=.*\n", build, re.MULTILINE)
        return [build, once, image + deploy, back]

    def commit(self) -> str:
        """Commit every edit and return the image's name that the page derives."""
        self("git", "add", "--all")
        self("git", "commit", "--quiet", "--allow-empty", "--message", "Another version")
        image = f"{self.repository}:{self('git', 'rev-parse', '--short', 'HEAD').strip()}"
        self.images.append(image)
        return image

    def containers(self, service: str, *, every: bool = False) -> list[Container]:
        """Return the running containers of a service, or all that are left."""
        label = f"label=com.docker.swarm.service.name={self.name}_{service}"
        words = ("docker", "ps", "--quiet", "--no-trunc", "--filter", label)
        return [*map(Container, self(*words, *(["--all"] if every else [])).split())]

    def ready(self) -> list[Container]:
        """Return the instances that pass their probe."""
        return [
            one for one in self.containers("app")
            if one.inspected["State"]["Health"]["Status"] == "healthy"
        ]  # fmt: skip

    def image(self) -> str:
        """Return the image of the running instances."""
        (image,) = {str(one.inspected["Config"]["Image"]) for one in self.containers("app")}
        return image

    def tls(self) -> ssl.SSLContext:
        """Return a context that trusts only Caddy's CA."""
        (caddy,) = self.containers("caddy")
        root = until(lambda: run("docker", "exec", caddy.id, "cat", ROOT, cwd=self.project).stdout)
        return ssl.create_default_context(cadata=root)

    def load(self, total: int = 10**9) -> Load:
        """Return a load of GETs and POSTs by 16 connections."""
        return Load(self.https_port, self.tls(), *GETS, POST, total=total)

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return the result of a query to Prometheus, which publishes no port."""
        (prometheus,) = self.containers("prometheus")
        url = f"http://127.0.0.1:9090/api/v1/query?query={quote(expression)}"
        answer = self("docker", "exec", prometheus.id, "wget", "-q", "-O", "-", url)
        found: list[dict[str, Any]] = json.loads(answer)["data"]["result"]
        return found

    def lines(self, service: str) -> list[dict[str, Any]]:
        """Return every line of a service's containers."""
        logs = [one.log() for one in self.containers(service, every=True)]
        return [json.loads(line) for log in logs for line in log]


@pytest.fixture(scope="module")
def swarm(tmp_path_factory: pytest.TempPathFactory, home: Path) -> Iterator[Swarm]:
    """A project with trial routes and three instances, deployed as docs/deploy.md says."""
    need_engine()
    state = run("docker", "info", "--format", "{{.Swarm.LocalNodeState}}", cwd=home)
    if state.stdout.strip() != "inactive":
        pytest.skip("the engine is in a swarm already")
    stack = Stack(render(tmp_path_factory.mktemp("swarm"), home, **COMBINATIONS["all"]))
    stack.add_trial()
    for name, text, instead in (
        ("deploy/swarm.yaml", "replicas: 2", f"replicas: {INSTANCES}"),
        ("monitoring/rules.yml", "vector(1)", f"vector({INSTANCES})"),
    ):
        path = stack.project / name
        assert text in path.read_text("utf-8")
        path.write_text(path.read_text("utf-8").replace(text, instead))
    found = Swarm(stack)
    found("git", "init", "--quiet")
    try:
        found.commit()
        build, once, deploy, _ = found.page()
        for block in (build, once, deploy):
            found.shell(block)
        yield found
    finally:
        remove(found)


def remove(swarm: Swarm) -> None:
    """Leave the swarm, and remove what stays on the engine then."""
    run("docker", "stack", "rm", swarm.name, cwd=swarm.project)
    until(lambda: not swarm("docker", "ps", "--quiet", "--filter",
                            f"label=com.docker.stack.namespace={swarm.name}"), 60)  # fmt: skip
    run("docker", "swarm", "leave", "--force", cwd=swarm.project)
    label = ("--filter", f"label=com.docker.stack.namespace={swarm.name}")
    for words in (("ps", "--all", "--quiet"), ("volume", "ls", "--quiet")):
        kind = "container" if words[0] == "ps" else "volume"
        for name in swarm("docker", *words, *label).split():
            run("docker", kind, "rm", "--force", name, cwd=swarm.project)
    run("docker", "image", "rm", "--force", *swarm.images, cwd=swarm.project)


def test_page(swarm: Swarm) -> None:
    """After the commands of the page every instance is ready, and Caddy reaches the service."""
    assert len(swarm.ready()) == INSTANCES
    with httpx.Client(verify=swarm.tls(), trust_env=False) as client:
        assert client.get(f"{swarm.url}/api/hello").json() == {"message": "Hello World"}
        assert client.get(f"{swarm.url}/api/health/ready").status_code == 404
    assert swarm.image() == swarm.images[0]


def test_hardening(swarm: Swarm) -> None:
    """The engine confirms the hardening of every container; the service can read its secret."""
    for service in ("app", "caddy", "prometheus", "alertmanager"):
        for container in swarm.containers(service):
            host = container.inspected["HostConfig"]
            assert host["ReadonlyRootfs"], service
            assert host["CapDrop"] == ["ALL"]
            assert not host["Privileged"]
            assert 0 < host["Memory"] <= 512 * 1024**2
            assert 0 < host["PidsLimit"] <= 256
            assert host["LogConfig"]["Config"] == {"max-file": "5", "max-size": "10m"}
    for container in swarm.containers("app"):
        inside = ("docker", "exec", container.id)
        assert swarm(*inside, "cat", "/run/secrets/sentry_dsn") == SECRETS["SENTRY_DSN"]
        assert swarm(*inside, "id", "-u").strip() == "10001"
        assert "size=65536k" in swarm(*inside, "grep", " /tmp tmpfs ", "/proc/mounts")
        assert SECRETS["SENTRY_DSN"] not in json.dumps(container.inspected)


def test_log_names_the_instance(swarm: Swarm) -> None:
    """Every line has the name of its container and of its node."""
    names = set()
    for container in swarm.containers("app"):
        name = container.inspected["Name"].strip("/")
        lines = [json.loads(line) for line in container.log()]
        assert {line["instance"] for line in lines} == {name}
        assert all(line["node"] for line in lines)
        names.add(name)
    assert len(names) == INSTANCES


def test_sum_over_instances(swarm: Swarm) -> None:
    """Prometheus finds every instance by DNS, and their sum is the number of requests sent."""
    until(lambda: len(swarm.query("up == 1")) == INSTANCES, 60)
    before = sum("status_code" in line for line in swarm.lines("app"))
    with swarm.load(5_000) as requests:
        requests.finish()
    assert (requests.wrong, requests.broken) == ([], [])
    counted = 'http_requests_total{route!~".*/health/(live|ready)"}'
    until(lambda: swarm.query(f"sum({counted}) == {before + 5_000}"), 60)
    per_instance = swarm.query(f"sum by (instance) ({counted})")
    assert len(per_instance) == INSTANCES
    assert all(float(found["value"][1]) > 1_000 for found in per_instance)
    assert swarm.query("job:instances_wanted")[0]["value"][1] == str(INSTANCES)


def update(swarm: Swarm, *words: str) -> Load:
    """Run a command that updates the service under load; assert that no request fails."""
    began = time.monotonic()
    with swarm.load() as requests:
        swarm(*words)
    took = time.monotonic() - began
    print(f"{words[:4]}: {requests.statuses.total()} requests in {took:.0f} s")
    assert (requests.wrong, requests.broken) == ([], [])
    return requests


def assert_stopped(old: list[Container]) -> None:
    """Assert that these instances have ended with exit code 0 and `shutdown`."""
    assert len(old) == INSTANCES
    for container in old:
        state = container.inspected["State"]
        assert (state["Running"], state["ExitCode"]) == (False, 0)
        assert json.loads(container.log()[-1])["message"] == "shutdown"


def test_forced_update(swarm: Swarm) -> None:
    """No request fails while every instance is replaced, and each exits with 0."""
    old = swarm.ready()
    update(swarm, "docker", "service", "update", "--force", "--quiet", swarm.app)
    assert_stopped(old)
    assert len(swarm.ready()) == INSTANCES


def test_update_to_another_image(swarm: Swarm) -> None:
    """No request fails while the page's commands build and deploy the next commit."""
    old, image = swarm.ready(), swarm.commit()
    build, _, deploy, _ = swarm.page()
    swarm.shell(build)
    update(swarm, "bash", "-euo", "pipefail", "-c", deploy)
    assert swarm.image() == image
    assert_stopped(old)
    assert len(swarm.ready()) == INSTANCES


def test_rollback_by_hand(swarm: Swarm) -> None:
    """The page's command brings the image before back, and no request fails."""
    old, (_, _, _, back) = swarm.ready(), swarm.page()
    update(swarm, "bash", "-euo", "pipefail", "-c", back)
    assert swarm.image() == swarm.images[-2]
    assert_stopped(old)


def test_image_that_never_becomes_ready(swarm: Swarm) -> None:
    """The update ends by itself, the old image stays, and no request fails."""
    before = swarm.image()
    resources = swarm.project / swarm.name / "resources.py"
    text = resources.read_text("utf-8")
    resources.write_text(text + BROKEN)
    image = swarm.commit()
    build, _, deploy, _ = swarm.page()
    swarm.shell(build)
    kept = {one.id for one in swarm.ready()}
    with swarm.load() as requests:
        run("bash", "-c", deploy, cwd=swarm.project, env=swarm.environment, seconds=180)
        state = ("docker", "service", "inspect", swarm.app, "--format", "{{.UpdateStatus.State}}")
        until(lambda: swarm(*state).strip() == "rollback_completed", 120)
        until(lambda: len(swarm.ready()) == INSTANCES, 60)
    print(f"never ready: {requests.statuses.total()} requests")
    assert (requests.wrong, requests.broken) == ([], [])
    assert swarm.image() == before != image
    assert len(kept & {one.id for one in swarm.ready()}) >= INSTANCES - 1
    resources.write_text(text)


# A check that fails: `/health/ready` answers 503.
BROKEN = """

async def _never() -> None:
    raise RuntimeError("never ready")


checks["never"] = _never
"""


def asleep(swarm: Swarm, container: Container) -> int:
    """Return how many slow requests are in progress in one instance."""
    script = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:8000/trial/asleep').read().decode())"
    return int(swarm("docker", "exec", container.id, "python", "-c", script))


def test_killed_instance(swarm: Swarm) -> None:
    """Only what a killed instance was working on fails; another one takes its place."""
    victim, *others = swarm.ready()
    tls, url = swarm.tls(), f"{swarm.url}/api/trial/slow?seconds=10"
    quick = (GETS[0], GETS[1], POST)
    with (
        httpx.Client(verify=tls, trust_env=False, timeout=60) as client,
        ThreadPoolExecutor(12) as pool,
        Load(swarm.https_port, tls, *quick) as requests,
    ):
        slow = [pool.submit(client.post, url) for _ in range(12)]
        until(lambda: sum(asleep(swarm, one) for one in (victim, *others)) == len(slow), 5)
        working = asleep(swarm, victim)
        assert working > 0
        swarm("docker", "kill", "--signal", "KILL", victim.id)
        began = time.monotonic()
        statuses = [answer.result().status_code for answer in slow]
        until(lambda: len(swarm.ready()) == INSTANCES, 90)
    quick_failed = len(requests.wrong) + len(requests.broken)
    print(f"killed: {working} slow, {quick_failed} of {requests.statuses.total()} quick, "
          f"{time.monotonic() - began:.0f} s")  # fmt: skip
    assert sorted(statuses) == [200] * (len(slow) - working) + [502] * working
    assert all(wrong.startswith(f"POST {POST.path}: 502") for wrong in requests.wrong)
    # One on each connection at most; Caddy cannot repeat a request whose response had begun.
    assert quick_failed <= 16
    # No instance has finished one of them.
    failed = {line["request_id"] for line in swarm.lines("caddy") if line.get("status") == 502}
    assert len(failed) == working + len(requests.wrong)
    assert failed.isdisjoint(line.get("request_id") for line in swarm.lines("app"))


def test_every_line_is_json(swarm: Swarm) -> None:
    """Every line of the service and of Caddy is JSON with a message and a level."""
    for service in ("app", "caddy"):
        assert all(line["message"] and line["level"] for line in swarm.lines(service))
