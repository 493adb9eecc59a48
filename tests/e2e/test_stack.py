"""The whole stack in a container engine, tested from outside over verified TLS.

The tests share one stack and run in this order: the last ones stop it. The variable SERVERS has the
servers to run them with, by default the first one.
"""

import asyncio
import json
import os
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from websockets.sync.client import connect

from tests.e2e import bugsink, http3
from tests.e2e.bugsink import Bugsink
from tests.e2e.load import GETS, POST, Connection, Load
from tests.e2e.ports import free_port
from tests.e2e.stack import Container, Stack, need_engine, until
from tests.renders import COMBINATIONS, SERVERS, command, render, run

MEGABYTE = 1_000_000
CHOSEN = os.environ.get("SERVERS", SERVERS[0]).split()
# The version of HTTP between Caddy and the service with UPSTREAM_HTTP=h2c.
H2C = {"hypercorn": "2", "uvicorn": "1.1"}
# Megabytes that the image may add to its base; 15 of uvicorn's are uvloop.
ADDED = {"hypercorn": 45, "uvicorn": 60}

ANSWERS = {
    "/api/hello": (200, "Hello World"),
    "/api/nowhere": (404, "Not Found"),
    "/api/divide?a=1&b=x": (422, "int_parsing"),
    "/api/divide?a=1&b=0": (500, "Internal Server Error"),
}

# Paths that must not be reachable from outside, in any spelling.
HIDDEN = """
    /metrics /metrics/ //metrics /METRICS /%6Detrics /%6d%65%74%72%69%63%73 /./metrics /x/../metrics
    /metrics?x=1 /metrics%2f /metrics;x /%2e/metrics /metrics%00 /%2fmetrics /api/../metrics
    /api/metrics /api/metrics/ /api//metrics //api/metrics /api/METRICS /API/metrics /API/METRICS
    /api/%6Detrics /%61pi/metrics /api%2fmetrics /api/./metrics /api/%2e/metrics /api/x/../metrics
    /api/x/%2e%2e/metrics /api/../api/metrics /api/api/metrics /api/%2fmetrics /api/metrics%2f
    /api/metrics?x=/api/hello /api/metrics;x /api/metrics%20 /api/metrics. /api/%256Detrics
    /api/hello/../metrics /api/hello/..%2fmetrics /api/.//metrics /api\\metrics /apimetrics
    /health/ready /api/health/ready /api/health/live /api/health /api/health/ /api/health/ready/
    /api/HEALTH/ready /api/%68ealth/ready /api//health/ready /api/health//ready /api/health%2fready
    /api%2fhealth/ready /api/./health/ready /api/x/../health/ready /api/x/%2e%2e/health/ready
    /API/health/ready /api/health/./ready /api/api/health/ready /api/health/x/../ready
""".split()


# Files that the containers read: the service and the path there.
CONFIGURATION = {
    "Caddyfile": ("caddy", "/etc/caddy/Caddyfile"),
    "monitoring/rules.yml": ("prometheus", "/etc/prometheus/rules.yml"),
    "monitoring/alertmanager.yml": ("alertmanager", "/etc/alertmanager/alertmanager.yml"),
}


@pytest.fixture(scope="module", params=CHOSEN)
def server(request: pytest.FixtureRequest) -> str:
    """The answer to `server`."""
    return str(request.param)


@pytest.fixture(scope="module")
def fresh(server: str, tmp_path_factory: pytest.TempPathFactory, home: Path) -> Iterator[Stack]:
    """The stack of a new project, cloned with umask 077, after only `make up`."""
    need_engine()
    answers = COMBINATIONS["all"] | {"server": server}
    stack = Stack(render(tmp_path_factory.mktemp("stack"), home, **answers))
    stack.make_private()
    try:
        stack.up()
        yield stack
    finally:
        stack.remove()


@pytest.fixture(scope="module")
def receiver(fresh: Stack) -> Iterator[Bugsink]:
    """A server for Sentry's events, on the network of the service."""
    with bugsink.serve(fresh.gateway("backend")) as server:
        yield server


@pytest.fixture(scope="module")
def stack(fresh: Stack, receiver: Bugsink) -> Stack:
    """The same stack, edited: Sentry, the routes of `trial.py`, and a new commit."""
    fresh.add_trial()
    for name in CONFIGURATION:
        with (fresh.project / name).open("a") as file:
            file.write("# edited\n")
    (fresh.project / ".env").write_text(f"SENTRY_DSN={receiver.dsn}\n", "utf-8")
    fresh("git", "add", "--all")
    fresh("git", "commit", "--quiet", "--message", "Routes to try")
    began = time.monotonic()
    fresh.compose("build", "--quiet")
    fresh.rebuilt_in = time.monotonic() - began
    fresh.up()
    return fresh


# --- A new project, and its image ---------------------------------------------------------------


def test_smoke(fresh: Stack) -> None:
    """`make smoke` passes after `make up` of a fresh scaffold."""
    assert f"{fresh.url}: " in fresh("make", "-s", "smoke")


def test_containers_read_private_files(fresh: Stack) -> None:
    """The containers run although only the owner of the project's files can read them."""
    for name in ("pyproject.toml", *CONFIGURATION):
        assert (fresh.project / name).stat().st_mode & 0o077 == 0
    services = fresh.compose("ps", "--services").split()
    assert {"app", "caddy", "prometheus", "alertmanager"} <= {*services}
    assert {health(fresh.container(service)) for service in services} == {"healthy"}


def test_edits_are_applied(stack: Stack) -> None:
    """`make up` applies edits of the configuration."""
    for name, (service, path) in CONFIGURATION.items():
        read = stack.compose("exec", "-T", service, "cat", path)
        assert read == (stack.project / name).read_text("utf-8")
        assert read.endswith("# edited\n")


def test_smoke_finds_faults(fresh: Stack) -> None:
    """`make smoke` fails and prints every unexpected response."""
    smoke = fresh.project / "smoke.py"
    text = smoke.read_text("utf-8")
    smoke.write_text(
        text.replace('(200, "openapi")', '(200, "swagger")').replace("404, ", "200, ", 1)
    )
    done = run("make", "-s", "smoke", cwd=fresh.project, env=fresh.environment)
    smoke.write_text(text)
    assert done.returncode != 0
    assert re.findall(r"^(\S+): expected", done.stdout, re.MULTILINE) == [
        "/api/openapi.json",
        "/api/nowhere",
    ]


def test_image_of_a_changed_source(stack: Stack) -> None:
    """Rebuilding the image after a source change takes less than 5 seconds."""
    assert stack.rebuilt_in < 5


def test_image_is_small_and_clean(server: str, stack: Stack) -> None:
    """The image adds little to its base and has no compiler, git, uv, cache or test."""
    image = stack.container("app").inspected["Image"]
    dockerfile = (stack.project / "Dockerfile").read_text()
    [base] = re.findall(r"^FROM (\S+) AS base$", dockerfile, re.MULTILINE)
    size, of_base = (int(stack("docker", "image", "inspect", "-f", "{{.Size}}", name))
                     for name in (image, base))  # fmt: skip
    assert size - of_base < ADDED[server] * MEGABYTE
    shell = ("docker", "run", "--rm", "--entrypoint", "sh", image, "-c")
    assert stack(*shell, "id -u; id -g").split() == ["10001", "10001"]
    name = "python -c 'import getpass; print(getpass.getuser())'"
    assert stack(*shell, name).strip() == stack.project.name
    assert stack(*shell, "command -v gcc cc git uv || true") == ""
    package = f"/app/{stack.project.name}"
    found = stack(*shell, "find /app -type d -not -name __pycache__ -not -path '*/_internal/*'")
    folders = {"/app", package, f"{package}/_internal", f"{package}/routers"}
    assert {*found.split()} == folders
    as_root = ("docker", "run", "--rm", "--user", "0", "--entrypoint", "sh", image, "-c")
    assert stack(*as_root, "find / -xdev -path '*/.cache/*'") == ""


def test_image_knows_its_commit(stack: Stack) -> None:
    """The image carries the commit that `make up` built it from."""
    labels = stack.container("app").inspected["Config"]["Labels"]
    assert labels["org.opencontainers.image.revision"] == stack("git", "rev-parse", "HEAD").strip()


def test_image_alone(stack: Stack) -> None:
    """The image alone honours PORT, becomes healthy, and exits with 0 on SIGTERM."""
    image, port = stack.container("app").inspected["Image"], free_port()
    publish = ("--publish", f"127.0.0.1:{port}:9000", "--env", "PORT=9000", "--read-only")
    container = Container(stack("docker", "run", "--detach", *publish, image).strip())
    try:
        until(lambda: container.inspected["State"]["Health"]["Status"] == "healthy", 20)
        assert httpx.get(f"http://127.0.0.1:{port}/hello").json() == {"message": "Hello World"}
        stack("docker", "stop", container.id)
        assert container.inspected["State"]["ExitCode"] == 0
        assert json.loads(container.log()[-1])["message"] == "shutdown"
    finally:
        stack("docker", "rm", "--force", "--volumes", container.id)


def test_lock_file(stack: Stack, tmp_path: Path) -> None:
    """The image has the versions of uv.lock, and an outdated uv.lock fails the build."""
    project, image = tmp_path / "project", f"{stack.environment['COMPOSE_PROJECT_NAME']}-locked"
    stack("cp", "-r", str(stack.project), str(project))
    build = ("docker", "build", "--quiet", "--tag", image, str(project))
    stack(command("uv"), "lock", "--quiet", "--project", str(project),
          "--upgrade-package", "idna==3.7")  # fmt: skip
    try:
        stack(*build)
        shown = stack("docker", "run", "--rm", image, "python", "-c", PRINT_IDNA)
        assert shown.strip() == "3.7"
        pyproject = project / "pyproject.toml"
        pyproject.write_text(pyproject.read_text().replace("orjson>=3.10.12", "orjson>=3.10.13"))
        assert run(*build, cwd=project, env=stack.environment).returncode != 0
    finally:
        stack("docker", "image", "rm", "--force", image)


PRINT_IDNA = "from importlib.metadata import version; print(version('idna'))"

# --- Requests from outside ----------------------------------------------------------------------


def ask(stack: Stack, protocol: str, path: str) -> tuple[int, str, str]:
    """Return status, body and request id of a GET over one version of HTTP."""
    if protocol == "3":
        asked = http3.get(int(stack.https_port), path, stack.root())
        status, headers, body = asyncio.run(asked)
        return status, body.decode(), headers["x-request-id"]
    with stack.client(protocol) as client:
        response = client.get(path, headers={"X-Forwarded-For": "192.0.2.66"})
        assert response.http_version.startswith(f"HTTP/{protocol}")
        return response.status_code, response.text, response.headers["x-request-id"]


@pytest.mark.parametrize("protocol", ["1.1", "2", "3"])
def test_one_id(protocol: str, stack: Stack, receiver: Bugsink) -> None:
    """The response, Caddy's log, the service's log and Sentry's event have the same id."""
    for path, (status, text) in ANSWERS.items():
        answered, body, request_id = ask(stack, protocol, path)
        assert (answered, text in body) == (status, True), body
        outside, inside = stack.line("caddy", request_id), stack.line("app", request_id)
        request = outside["request"]
        assert outside["status"] == inside["status_code"] == status
        assert inside["path_with_query"] == path
        assert request["uri"] == path.partition("?")[0]
        assert request["proto"].startswith(f"HTTP/{protocol}")
        # Caddy does not trust a client's X-Forwarded-For.
        assert inside["remote_ip"] == request["remote_ip"] != "192.0.2.66"
        assert inside["schema"] == "https"
    event = until(lambda: receiver.event_of(request_id), 30)
    assert "ZeroDivisionError" in json.dumps(event["exception"])
    assert event["release"] == stack("git", "rev-parse", "HEAD").strip()


def test_request_id_of_the_client(stack: Stack) -> None:
    """A valid request id of a client is kept everywhere, and an invalid one is in no log."""
    with stack.client() as client:
        for sent, kept in {"trace-1.a_B": True, "no good": False, "x" * 129: False}.items():
            response = client.get("/api/hello?token=s3cr3t", headers={"X-Request-ID": sent})
            request_id = response.headers["x-request-id"]
            assert (request_id == sent) == kept
            assert stack.line("caddy", request_id)
            assert stack.line("app", request_id)
    logs = stack.compose("logs", "caddy", "app")
    assert "no good" not in logs
    assert "x" * 129 not in logs
    assert "s3cr3t" not in logs


def test_websocket(stack: Stack) -> None:
    """The stack forwards WebSockets and gives each one a request id."""
    url = f"wss://localhost:{stack.https_port}/api/trial/ws"
    with connect(url, ssl=stack.tls(), proxy=None) as websocket:
        websocket.send("hello")
        assert websocket.recv(timeout=5) == "hello"
        assert websocket.response
        request_id = websocket.response.headers["x-request-id"]
    line = stack.line("app", request_id)
    assert (line["message"], line["schema"]) == ("log websocket", "wss")
    assert stack.line("caddy", request_id)["status"] == 101


@pytest.mark.parametrize("encoding", ["identity", "gzip", "zstd"])
def test_events_are_not_buffered(encoding: str, stack: Stack) -> None:
    """An event arrives while the response continues, compressed or not."""
    headers = {"Accept-Encoding": encoding}
    with (
        stack.client() as client,
        client.stream("GET", "/api/trial/events", headers=headers, timeout=5) as response,
    ):
        events = response.iter_lines()
        assert next(events) == "data: first"
        assert client.get("/api/trial/release").status_code == 200
        assert [line for line in events if line] == ["data: second"]


def test_redirects(stack: Stack) -> None:
    """Redirects lead to HTTPS and keep the client's port and the prefix."""
    with stack.client() as client:
        to_slash = client.get("/api/trial/folder")
        assert to_slash.headers["location"] == f"{stack.url}/api/trial/folder/"
        to_docs = client.get("/")
        assert client.get(to_docs.headers["location"]).status_code == 200
        assert "/api/openapi.json" in client.get("/api/docs").text
        assert client.get("/api/openapi.json").json()["servers"] == [{"url": "/api"}]
    plain = httpx.get(f"http://localhost:{stack.http_port}/api/hello?x=1", trust_env=False)
    assert plain.headers["location"] == f"{stack.url}/api/hello?x=1"


def test_headers(stack: Stack) -> None:
    """Every response of the service and of Caddy has the security headers and one id."""
    with stack.client() as client:
        for path in ("/api/hello", "/api/nowhere", "/nowhere", "/api/health/ready", "/"):
            headers = client.get(path).headers
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["x-frame-options"] == "DENY"
            assert "frame-ancestors 'none'" in headers["content-security-policy"]
            assert headers["referrer-policy"] == "no-referrer"
            assert len(headers.get_list("x-request-id")) == 1
            assert "server" not in headers
            # HSTS would affect other servers on a developer's localhost too.
            assert "strict-transport-security" not in headers
            assert headers["alt-svc"].startswith(f'h3=":{stack.https_port}"')


def test_compression_and_body_limit(stack: Stack) -> None:
    """Long responses are compressed; bodies over the limit get a 413, with a length or without."""
    large = b"x" * (10 * MEGABYTE + 1)
    with stack.client() as client:
        compressed = client.get("/api/openapi.json", headers={"Accept-Encoding": "gzip"})
        assert compressed.headers["content-encoding"] == "gzip"
        assert client.post("/api/trial/echo", content=large[:-1]).json() == 10 * MEGABYTE
        assert client.post("/api/trial/echo", content=large).status_code == 413
        assert client.post("/api/trial/echo", content=iter([large])).status_code == 413


def test_hidden_paths(stack: Stack) -> None:
    """Metrics and probes respond with 404, in every spelling and under every host name."""
    tls = stack.tls()

    async def found(host: str) -> dict[str, int]:
        connection, statuses = Connection(stack.https_port, tls), {}
        for path in HIDDEN:
            raw = f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
            statuses[path] = (await connection.ask(raw)).status
        connection.close()
        return {path: status for path, status in statuses.items() if status != 404}

    for host in (f"localhost:{stack.https_port}", "localhost", "app", "127.0.0.1"):
        assert asyncio.run(found(host)) == {}


def test_only_caddy_publishes_ports(stack: Stack) -> None:
    """Other machines reach only Caddy, and the service publishes no port at all."""
    config = json.loads(stack.compose("config", "--format", "json"))
    published = {name: service.get("ports", []) for name, service in config["services"].items()}
    assert published.pop("app") == []
    assert published.pop("caddy")
    for ports in published.values():
        assert {port["host_ip"] for port in ports} <= {"127.0.0.1"}
    assert not any(stack.container("app").inspected["NetworkSettings"]["Ports"].values())


# --- Inside -------------------------------------------------------------------------------------


def test_hardening(stack: Stack) -> None:
    """The engine confirms the hardening of every container."""
    for service in stack.compose("ps", "--services").split():
        inspected = stack.container(service).inspected
        host = inspected["HostConfig"]
        assert host["ReadonlyRootfs"], service
        assert host["CapDrop"] == ["ALL"]
        assert host["CapAdd"] == (["CAP_NET_BIND_SERVICE"] if service == "caddy" else None)
        assert host["SecurityOpt"] == ["no-new-privileges:true"]
        assert not host["Privileged"]
        assert 0 < host["Memory"] <= 512 * 1024**2
        assert 0 < host["PidsLimit"] <= 256
        assert host["RestartPolicy"]["Name"] == "unless-stopped"
        assert host["LogConfig"]["Config"] == {"max-file": "5", "max-size": "10m"}
        assert inspected["State"]["Health"]["Status"] == "healthy"
        for mount in inspected["Mounts"]:
            assert mount["Type"] == "volume" or not mount["RW"], mount


def test_service_cannot_write(stack: Stack) -> None:
    """The service's user can write only to file systems in memory."""
    shown = stack.compose("exec", "-T", "app", "python", "-c", PRINT_WRITABLE)
    assert set(shown.split()) <= {"/tmp", "/dev/shm", "/dev/mqueue", "/run/lock"}
    assert stack.compose("exec", "-T", "app", "id", "-u").strip() == "10001"


# `os.access` respects read-only file systems.
PRINT_WRITABLE = """
import os
for folder, names, files in os.walk("/"):
    names[:] = [name for name in names if os.path.join(folder, name) not in ("/proc", "/sys")]
    if os.access(folder, os.W_OK):
        print(folder)
"""


# --- Faults under load --------------------------------------------------------------------------


def load(stack: Stack, total: int = 10**9, *, posts: bool = False) -> Load:
    """Return a load of requests to this stack's service."""
    requests = (*GETS, POST) if posts else GETS
    return Load(stack.https_port, stack.tls(), *requests, total=total)


def test_ten_thousand_requests(stack: Stack) -> None:
    """Each of 10,000 requests gets the expected response."""
    with load(stack, 10_000, posts=True) as requests:
        requests.finish()
    assert (requests.wrong, requests.broken) == ([], [])
    assert requests.statuses.total() == len(requests.ids) == 10_000


def restart_under_load(stack: Stack) -> None:
    """Restart the service three times under load, and assert that no request fails."""
    with load(stack, posts=True) as requests:
        for _ in range(3):
            stack.compose("restart", "app")
            until(lambda: health(stack.container("app")) == "healthy", 30)
    assert (requests.wrong, requests.broken) == ([], [])
    assert stack.container("app").inspected["RestartCount"] == 0


def test_restarts_under_load(stack: Stack) -> None:
    """No request, POSTs included, fails during three restarts: requests wait for the service."""
    restart_under_load(stack)


def health(container: Container) -> str:
    """Return the result of the engine's probes."""
    found: str = container.inspected["State"]["Health"]["Status"]
    return found


def test_killed_process_is_replaced(stack: Stack) -> None:
    """A killed process is replaced within 10 s: GETs wait for it, and a lost POST gets a 502."""
    container = stack.container("app")
    kill = ("docker", "compose", "exec", "-T", "app", "python", "-c", KILL_SERVICE)
    with ThreadPoolExecutor(1) as pool, stack.client("1.1") as client:
        lost = pool.submit(client.post, "/api/trial/slow?seconds=20")
        until(lambda: client.get("/api/trial/asleep").json() > 0)
        began = time.monotonic()
        # The container ends with the service, possibly before this command succeeds.
        run(*kill, cwd=stack.project, env=stack.environment)
        until(lambda: container.inspected["RestartCount"] == 1)
        assert client.get("/api/hello").status_code == 200
        assert time.monotonic() - began < 10
        answer = lost.result()
    assert answer.status_code == 502
    assert stack.line("caddy", answer.headers["x-request-id"])["error"]


# Kills the first child of the container's init.
KILL_SERVICE = """
import os, pathlib, signal
children = pathlib.Path("/proc/1/task/1/children").read_text().split()
os.kill(int(children[0]), signal.SIGKILL)
"""


def test_posts_after_idle(stack: Stack) -> None:
    """A POST succeeds on a connection that was idle for about a server's usual timeout."""
    tls, pauses = stack.tls(), [4.9 + 0.01 * number for number in range(30)]

    async def post_twice(pause: float) -> list[int]:
        connection = Connection(stack.https_port, tls)
        first = await connection.request(POST)
        await asyncio.sleep(pause)
        second = await connection.request(POST)
        connection.close()
        return [first.status, second.status]

    async def post_all() -> list[list[int]]:
        return await asyncio.gather(*map(post_twice, pauses))

    assert asyncio.run(post_all()) == [[200, 200]] * len(pauses)


def test_scaling_under_load(stack: Stack) -> None:
    """No request fails while the stack scales to four instances and back; each is scraped."""
    with load(stack) as requests:
        stack.compose("up", "--detach", "--wait", "--no-recreate", "--scale", "app=4")
        four = stack.containers("app")
        until(lambda: all(map(served, four)))
        until(lambda: len(healthy_targets(stack)) == len(four), 60)
        stack.compose("up", "--detach", "--wait", "--no-recreate", "--scale", "app=1")
        assert len(stack.containers("app")) == 1
    assert len(four) == 4
    assert (requests.wrong, requests.broken) == ([], [])


def healthy_targets(stack: Stack) -> list[str]:
    """Return the instances that Prometheus can scrape."""
    url = f"http://127.0.0.1:{stack.environment['PROMETHEUS_PORT']}/api/v1/targets"
    found = httpx.get(url, trust_env=False).json()["data"]["activeTargets"]
    return [target["scrapeUrl"] for target in found if target["health"] == "up"]


def test_every_line_is_json(stack: Stack) -> None:
    """Every line of the service and of Caddy is JSON with a message and a level."""
    for service in ("app", "caddy"):
        assert all(line["message"] and line["level"] for line in stack.log(service))


def stop_under_load(stack: Stack) -> None:
    """Send SIGTERM to all containers during quick and slow requests; assert a clean shutdown."""
    everything = [container.id for container in map(Container, stack.compose("ps", "-q").split())]
    app, before = stack.container("app"), served(stack.container("app"))
    with ThreadPoolExecutor(8) as pool, stack.client("1.1") as client, load(stack) as requests:
        slow = [pool.submit(client.get, "/api/trial/slow?seconds=3") for _ in range(8)]
        until(lambda: client.get("/api/trial/asleep").json() >= len(slow))
        began = time.monotonic()
        stack("docker", "kill", "--signal", "TERM", *everything)
        codes = stack("docker", "wait", *everything).split()
        assert time.monotonic() - began < 15
        assert [answer.result().status_code for answer in slow] == [200] * len(slow)
    assert codes == ["0"] * len(everything)
    assert json.loads(app.log()[-1])["message"] == "shutdown"
    assert requests.wrong == []
    # The client got a response to every request that the service logged.
    assert served(app) - before <= requests.ids


def served(container: Container) -> set[str]:
    """Return the ids of the load's requests in a service's log."""
    lines = map(json.loads, container.log())
    return {line["request_id"] for line in lines if line.get("user_agent") == "load"}


def test_sigterm_to_everything(stack: Stack) -> None:
    """Every container exits with 0 in time, no request in flight is lost, `shutdown` is last."""
    stop_under_load(stack)


def test_h2c(server: str, stack: Stack) -> None:
    """The stack works the same with HTTP/2 to the service; a service with uvicorn has no HTTP/2."""
    stack.up(UPSTREAM_HTTP="h2c")
    test_websocket(stack)
    answered, _, request_id = ask(stack, "2", "/api/hello")
    assert answered == 200
    assert stack.line("app", request_id)["protocol"] == H2C[server]
    if H2C[server] == "1.1":  # tested above
        return
    restart_under_load(stack)
    with load(stack, 5_000, posts=True) as requests:
        requests.finish()
    assert (requests.wrong, requests.broken) == ([], [])
    stop_under_load(stack)


def test_at_the_root(stack: Stack) -> None:
    """`ROOT_PATH=` serves everything at the root, and internal paths stay hidden."""
    with (stack.project / ".env").open("a") as variables:
        variables.write("ROOT_PATH=\n")
    stack.up()
    with stack.client() as client:
        assert client.get("/hello").json() == {"message": "Hello World"}
        assert client.get("/trial/folder").headers["location"] == f"{stack.url}/trial/folder/"
        assert client.get("/").headers["location"] == "/docs"
        assert '"/openapi.json"' in client.get("/docs").text.replace("'", '"')
        assert "servers" not in client.get("/openapi.json").json()
        assert client.get("/api/hello").status_code == 404
    test_hidden_paths(stack)
    test_smoke(stack)
