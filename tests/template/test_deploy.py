"""The files in `deploy/`: valid, hardened, and in agreement with the files for Compose."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from kubernetes_validate import utils

from template_extension import distribution
from tests.renders import COMBINATIONS, run

Bake = Callable[..., Path]
Object = dict[str, Any]

WITH_DOCKER = {name: answers for name, answers in COMBINATIONS.items() if answers["use_docker"]}
UNITS = {"Mi": 2**20, "m": 2**20, "M": 2**20, "G": 2**30}


@pytest.fixture(params=list(WITH_DOCKER.values()), ids=list(WITH_DOCKER))
def project(request: pytest.FixtureRequest, bake: Bake) -> Path:
    """A project with Docker, in every combination with the other options."""
    return bake(**request.param)


def loaded(path: Path) -> Object:
    """Return a YAML file."""
    found: Object = yaml.safe_load(path.read_text("utf-8"))
    return found


def services(project: Path) -> dict[str, Object]:
    """Return the services of the Compose files, without the ones of other profiles."""
    found: dict[str, Object] = {}
    for path in sorted(project.glob("compose*.yaml")):
        found |= loaded(path)["services"]
    return {name: service for name, service in found.items() if "profiles" not in service}


def swarm(project: Path) -> Object:
    """Return the file for Swarm."""
    return loaded(project / "deploy/swarm.yaml")


def objects(project: Path) -> dict[str, Object]:
    """Return the objects for Kubernetes by their kind."""
    text = (project / "deploy/kubernetes.yaml").read_text("utf-8")
    return {found["kind"]: found for found in yaml.safe_load_all(text)}


def pod(project: Path) -> Object:
    """Return the pod of the Deployment."""
    found: Object = objects(project)["Deployment"]["spec"]["template"]["spec"]
    return found


def container(project: Path) -> Object:
    """Return the only container of the pod."""
    (found,) = pod(project)["containers"]
    return dict(found)


def variables(project: Path) -> dict[str, str]:
    """Return the container's variables; those of the pod's fields have the field's path."""
    return {
        entry["name"]: entry.get("value") or entry["valueFrom"]["fieldRef"]["fieldPath"]
        for entry in container(project)["env"]
    }


def size(text: str) -> int:
    """Return the bytes in a size such as `256m`, `256M` or `256Mi`: all mean the same here."""
    number, unit = re.fullmatch(r"(\d+)([a-zA-Z]+)", text).groups()  # type: ignore[union-attr]
    return int(number) * UNITS[unit]


def seconds(text: str) -> int:
    """Return the seconds in a duration such as `15s`."""
    return int(text.removesuffix("s"))


# --- Valid --------------------------------------------------------------------------------------


def stack_config(project: Path, **given: str) -> subprocess.CompletedProcess[str]:
    """Run `docker stack config`, which needs no engine."""
    if (
        not shutil.which("docker")
        or run("docker", "stack", "config", "--help", cwd=project).returncode
    ):
        pytest.skip("no `docker stack config` (engine)")
    words = ("docker", "stack", "config", "--compose-file", "deploy/swarm.yaml")
    return run(*words, cwd=project, env=os.environ | given)


def test_swarm_file(project: Path) -> None:
    """`docker stack deploy` can read the file and what it names, and ignores nothing."""
    done = stack_config(project, IMAGE="image:tag", CONFIG_VERSION="1", DOMAIN="shop.example.com")
    assert (done.returncode, done.stderr) == (0, "")
    read = yaml.safe_load(done.stdout)
    assert read["services"]["app"]["image"] == "image:tag"
    assert read["services"]["caddy"]["environment"]["DOMAIN"] == "shop.example.com"
    for config in read["configs"].values():
        assert Path(config["file"]).is_file()
    # Compose has these; a stack ignores them without an error.
    for service in swarm(project)["services"].values():
        assert service.keys().isdisjoint({"build", "tmpfs", "restart", "security_opt", "mem_limit"})


@pytest.mark.parametrize("name", ["IMAGE", "CONFIG_VERSION"])
def test_swarm_file_needs_variables(name: str, bake: Bake) -> None:
    """A variable that must be set is named in the error."""
    given = {"IMAGE": "image:tag", "CONFIG_VERSION": "1"} | {name: ""}
    done = stack_config(bake(**COMBINATIONS["all"]), **given)
    assert done.returncode != 0
    assert name in done.stderr


def documented_versions(project: Path) -> list[str]:
    """Return the versions of Kubernetes in docs/deploy.md."""
    text = (project / "docs/deploy.md").read_text("utf-8")
    (versions,) = re.findall(r"schemas of Kubernetes ([\d.]+) and ([\d.]+)", text)
    assert f"-k {versions[0]} -k {versions[1]}" in (project / "Makefile").read_text("utf-8")
    return list(versions)


def test_kubernetes_objects(project: Path) -> None:
    """Every object is valid, without unknown fields, in the oldest and newest schemas."""
    every = utils.all_versions()
    known = [utils.major_minor(version) for version in every]
    oldest, newest = documented_versions(project)
    assert oldest in known
    for version in {every[0], f"{oldest}.0", f"{newest}.0", every[-1]}:
        for kind, found in objects(project).items():
            if kind != "PodMonitor":  # of the Prometheus operator
                kubernetes_validate.validate(found, version, strict=True)


def test_unknown_fields_are_errors(bake: Bake) -> None:
    """A misspelt field would be found."""
    found = objects(bake(use_docker=True))["Deployment"]
    found["spec"]["template"]["spec"]["containers"][0]["readinesProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError, match="readinesProbe"):
        kubernetes_validate.validate(found, "1.37", strict=True)


def test_objects_belong_together(project: Path) -> None:
    """Names are valid in DNS; selectors and ports lead to the pods; PodMonitor has known fields."""
    found = objects(project)
    name = distribution(project.name)
    assert re.fullmatch(r"[a-z]([a-z0-9-]*[a-z0-9])?", name)
    assert {one["metadata"]["name"] for one in found.values()} == {name}
    labels = found["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert labels == {"app.kubernetes.io/name": name}
    selectors = [found["Service"]["spec"]["selector"]]
    selectors += [
        found[kind]["spec"]["selector"]["matchLabels"]
        for kind in ("Deployment", "PodDisruptionBudget", "PodMonitor")
        if kind in found
    ]
    assert all(selector == labels for selector in selectors)
    ports = {port["name"] for port in container(project)["ports"]}
    assert found["Service"]["spec"]["ports"][0]["targetPort"] in ports
    scaled = found["HorizontalPodAutoscaler"]["spec"]
    assert scaled["scaleTargetRef"] == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "name": name,
    }
    assert "replicas" not in found["Deployment"]["spec"]
    assert scaled["minReplicas"] > found["PodDisruptionBudget"]["spec"]["minAvailable"]
    assert ("PodMonitor" in found) == (project / "monitoring").exists()
    if "PodMonitor" in found:
        spec = found["PodMonitor"]["spec"]
        assert spec.keys() == {"jobLabel", "selector", "podMetricsEndpoints"}
        assert spec["jobLabel"] in labels
        (endpoint,) = spec["podMetricsEndpoints"]
        assert endpoint.keys() == {"port", "interval"}
        assert endpoint["port"] in ports


@pytest.mark.parametrize("slug", ["a", "a__b_", "s" * 30])
def test_names_of_any_slug(slug: str, bake: Bake) -> None:
    """Names are valid in DNS whatever the slug is, and short enough for Swarm."""
    project = bake(project_slug=slug, **COMBINATIONS["all"])
    test_objects_belong_together(project)
    for kind in ("configs", "secrets"):
        for found in swarm(project)[kind].values():
            name = found["name"].replace("${CONFIG_VERSION:?see docs/deploy.md}", "12345678")
            assert re.fullmatch(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,63}", name)
            assert name.startswith(f"{slug}_")


def test_make_deploy_check(bake: Bake, tmp_path: Path) -> None:
    """`make deploy-check` passes, and fails on a mistake in each file."""
    stack_config(bake(use_docker=True))
    project = tmp_path / "my_service"
    uv = tmp_path / "uv"
    # What `uv tool run --quiet --from … kubernetes-validate` would install is here already.
    uv.write_text(f'#!/bin/sh\nshift 6\nexec {sys.executable} -m kubernetes_validate "$@"\n')
    uv.chmod(0o755)
    check = ("make", "deploy-check", f"UV={uv}")
    done = run(*check, cwd=project)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    for name, right, wrong in (
        ("swarm.yaml", "endpoint_mode:", "endpoint_mod:"),
        ("kubernetes.yaml", "periodSeconds: 1\n", "periodSecond: 1\n"),
    ):
        path = project / "deploy" / name
        text = path.read_text("utf-8")
        assert right in text
        path.write_text(text.replace(right, wrong))
        assert run(*check, cwd=project).returncode != 0
        path.write_text(text)


# --- Hardened -----------------------------------------------------------------------------------


def test_swarm_hardening(project: Path) -> None:
    """Every service on Swarm is as hardened as on Compose."""
    expected = services(project)
    found = swarm(project)["services"]
    assert found.keys() == expected.keys()
    for name, service in found.items():
        one = expected[name]
        for key in ("cap_drop", "cap_add", "read_only", "init", "command", "working_dir",
                    "healthcheck", "logging"):  # fmt: skip
            assert service.get(key) == one.get(key), (name, key)
        assert service["cap_drop"] == ["ALL"]
        assert service["read_only"] is True
        limits = service["deploy"]["resources"]["limits"]
        assert size(limits["memory"]) == size(one["mem_limit"])
        assert limits["pids"] == one["pids_limit"]
        mounts = [mount for mount in service.get("volumes", []) if isinstance(mount, dict)]
        assert {mount["type"] for mount in mounts} <= {"tmpfs"}
        assert {mount["target"] for mount in mounts} == {
            path.partition(":")[0] for path in one.get("tmpfs", [])
        }
    mounts = found["app"]["volumes"]
    assert mounts == [{"type": "tmpfs", "target": "/tmp", "tmpfs": {"size": size("64m")}}]


def test_kubernetes_hardening(project: Path) -> None:
    """The pod runs as the image's user, without token, capabilities or writable files."""
    spec, one = pod(project), container(project)
    user, group = re.findall(r"^USER (\d+):(\d+)$", (project / "Dockerfile").read_text(), re.M)[0]
    security = spec["securityContext"]
    assert security["runAsNonRoot"] is True
    assert (security["runAsUser"], security["runAsGroup"]) == (int(user), int(group))
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False
    assert one["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    compose = services(project)["app"]
    assert size(one["resources"]["limits"]["memory"]) == size(compose["mem_limit"])
    (mount,), (volume,) = one["volumeMounts"], spec["volumes"]
    assert mount == {"name": volume["name"], "mountPath": "/tmp"}
    assert volume["emptyDir"]["medium"] == "Memory"
    limit = re.findall(r"/tmp:size=(\w+)", compose["tmpfs"][0])
    assert size(volume["emptyDir"]["sizeLimit"]) == size(limit[0])
    (spread,) = spec["topologySpreadConstraints"]
    assert spread["topologyKey"] == "kubernetes.io/hostname"


def test_no_secret_in_plain_text(project: Path) -> None:
    """Secrets come from secret objects, or from files by a variable that ends in _FILE."""
    files = swarm(project)
    secrets = files.get("secrets", {})
    assert all(secret.keys() == {"name", "external"} for secret in secrets.values())
    for service in files["services"].values():
        for name in service.get("environment", {}):
            secret = re.search("DSN|SECRET|PASSWORD|TOKEN|KEY", name)
            assert not secret or name.endswith("_FILE"), name
        for used in service.get("secrets", []):
            assert used["source"] in secrets
            assert used["mode"] == 0o400
            assert int(used["uid"]) > 0
    given = files["services"]["app"]
    paths = {f"/run/secrets/{used['source']}" for used in given.get("secrets", [])}
    assert {
        value for name, value in given["environment"].items() if name.endswith("_FILE")
    } == paths
    for name in variables(project):
        assert not re.search("DSN|SECRET|PASSWORD|TOKEN|KEY", name)
    (reference,) = container(project)["envFrom"]
    assert reference.keys() == {"secretRef"}


# --- The same as Compose ------------------------------------------------------------------------


def by_default(variables: dict[str, str]) -> dict[str, str]:
    """Return variables with the default in place of `${NAME-default}`."""
    default = re.compile(r"\$\{\w+-(.*)\}")
    return {name: default.sub(r"\1", value) for name, value in variables.items()}


def test_same_variables(project: Path) -> None:
    """Names and values are those of Compose, but for what an orchestrator needs."""
    expected = by_default(services(project)["app"]["environment"])
    on_swarm = by_default(swarm(project)["services"]["app"]["environment"])
    on_kubernetes = variables(project)
    assert on_kubernetes.pop("POD") == "metadata.name"
    assert on_kubernetes.pop("NODE") == "spec.nodeName"
    known = {name.removesuffix("_FILE") for name in on_swarm | on_kubernetes}
    sample = (project / "sample.env").read_text("utf-8")
    assert known <= {*re.findall(r"^#([A-Z_]+)=", sample, re.MULTILINE)}
    fields = [json.loads(found.pop("LOG_FIELDS")) for found in (on_swarm, on_kubernetes)]
    assert [field.keys() for field in fields] == [{"instance", "node"}] * 2
    on_swarm.pop("SENTRY_DSN_FILE", None)
    assert on_swarm == expected
    # Endpoints of a cluster take longer to change than the DNS of an engine.
    assert float(on_kubernetes.pop("SHUTDOWN_DELAY")) > float(expected.pop("SHUTDOWN_DELAY"))
    assert on_kubernetes == expected


def test_same_ports(project: Path) -> None:
    """The ports of the service, of its metrics and of Caddy are those of Compose."""
    environment = services(project)["app"]["environment"]
    ports = {port["name"]: str(port["containerPort"]) for port in container(project)["ports"]}
    assert ports["http"] == environment["PORT"]
    assert ports.get("metrics") == environment.get("METRICS_PORT")
    caddy = [f"{port['published']}:{port['target']}" + "/udp" * (port.get("protocol") == "udp")
             for port in swarm(project)["services"]["caddy"]["ports"]]  # fmt: skip
    published = [port.replace("${PUBLISH:+${PUBLISH:-}:}", "")
                 for port in services(project)["caddy"]["ports"]]  # fmt: skip
    assert caddy == published
    # Only Caddy publishes ports, and in host mode it sees the addresses of clients.
    for name, service in swarm(project)["services"].items():
        assert bool(service.get("ports")) == (name == "caddy")
        assert {port["mode"] for port in service.get("ports", [])} <= {"host"}


def test_same_networks_and_volumes(project: Path) -> None:
    """The same networks join the services; the same volumes keep their data."""
    expected, found = services(project), swarm(project)["services"]
    for name, service in found.items():
        # Only for ports that Compose publishes on the loopback address; alerts leave by `frontend`.
        networks = {*expected[name]["networks"]} - {"monitoring_pages"}
        assert {*service["networks"]} - (
            {"frontend"} if name == "alertmanager" else set()
        ) == networks
        kept = {volume for volume in service.get("volumes", []) if isinstance(volume, str)}
        assert kept == {volume for volume in expected[name].get("volumes", [])
                        if not volume.startswith(".")}  # fmt: skip


def test_names_that_configuration_uses(project: Path) -> None:
    """Caddy and Prometheus find every instance by the name of the service, on Compose and Swarm."""
    assert "dynamic a app 8000" in (project / "Caddyfile").read_text("utf-8")
    assert swarm(project)["services"]["app"]["deploy"]["endpoint_mode"] == "dnsrr"
    if (project / "monitoring").exists():
        (scrape,) = loaded(project / "monitoring/prometheus.yml")["scrape_configs"]
        assert scrape["dns_sd_configs"][0]["names"] == ["app"]


def test_updates(project: Path) -> None:
    """A new instance is ready before an old one stops, and a bad one ends the update."""
    deploy = swarm(project)["services"]["app"]["deploy"]
    assert deploy["update_config"]["order"] == deploy["rollback_config"]["order"] == "start-first"
    assert deploy["update_config"]["failure_action"] == "rollback"
    assert deploy["replicas"] > 1
    strategy = objects(project)["Deployment"]["spec"]["strategy"]
    assert strategy["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    # Two processes cannot have the same port of a node.
    caddy = swarm(project)["services"]["caddy"]["deploy"]
    assert "update_config" not in caddy


def test_grace_periods(project: Path) -> None:
    """Each orchestrator waits longer than the service takes to stop."""
    compose, on_swarm = services(project)["app"], swarm(project)["services"]["app"]
    graces = [
        (compose["environment"], seconds(compose["stop_grace_period"])),
        (on_swarm["environment"], seconds(on_swarm["stop_grace_period"])),
        (variables(project), pod(project)["terminationGracePeriodSeconds"]),
    ]
    for settings, grace in graces:
        # Two more seconds for cancelled requests and for `shutdown`.
        needed = float(settings["SHUTDOWN_DELAY"]) + float(settings["SHUTDOWN_TIMEOUT"])
        assert grace > needed + 2
    for name, service in swarm(project)["services"].items():
        expected = services(project)[name].get("stop_grace_period")
        assert service.get("stop_grace_period") == expected


def test_probes(project: Path) -> None:
    """Probes use the paths of the health router; only `live` restarts an instance."""
    one = container(project)
    router = (project / project.name / "routers/health.py").read_text("utf-8")
    paths = {name: one[f"{name}Probe"]["httpGet"]["path"]
             for name in ("startup", "readiness", "liveness")}  # fmt: skip
    assert paths == {
        "startup": "/health/ready",
        "readiness": "/health/ready",
        "liveness": "/health/live",
    }
    for path in paths.values():
        assert f'"{path.removeprefix("/health")}"' in router
    assert {one[f"{name}Probe"]["httpGet"]["port"] for name in paths} == {"http"}
    # Not ready is seen before the port closes.
    readiness = one["readinessProbe"]
    assert readiness["periodSeconds"] < float(variables(project)["SHUTDOWN_DELAY"])
