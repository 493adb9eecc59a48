"""What `make bench` measures, in processes of the rendered projects."""

import json
import os
import platform
import socket
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import psutil

from bench import projects
from bench.load import Connection, drive, percentile

TEMPLATE = Path(__file__).parents[1]
# What the contenders need beside the project's own packages.
PACKAGES = ("--group", f"{TEMPLATE}/pyproject.toml:bench")
# Each option, followed by what most services use instead.
OPTION_NAMES = ("use_sentry", "SDK's integrations", "use_prometheus", "instrumentator")
# These run in the project with all options, the others in one without.
WITH_OPTIONS = ("all options", *OPTION_NAMES)
ROUNDS = 5
CONNECTIONS = 8
REQUESTS = 2_000  # per connection
WARM_UP = 200  # requests per connection
FAILURES = 300

Figures = dict[str, dict[str, float]]  # by contender, then by name of the figure


class Contender(NamedTuple):
    """An application behind a server."""

    server: str
    app: str


IN_PROCESS = ("bare", "reference", "structlog", "service", "all options")
BEHIND = {
    "hypercorn": ("bare", "reference", "service", "all options"),
    "uvicorn": ("bare", "access log", "structlog", "service"),
}
# Contenders beside failing requests, and what fails there.
BESIDE = {
    "not logged": (Contender("hypercorn", "service"), "/quiet-failure"),
    "service": (Contender("hypercorn", "service"), "/divide?a=1&b=0"),
    "reference": (Contender("hypercorn", "reference"), "/divide?a=1&b=0"),
}

Key = TypeVar("Key")


def machine() -> str:
    """Return the version of Python, the number of cores and the CPU model."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    models = {line.partition(":")[2].strip() for line in lines if line.startswith("model name")}
    cores = f"{os.cpu_count()} cores of {', '.join(models) or platform.processor()}"
    return f"{platform.python_implementation()} {platform.python_version()}, {cores}"


@dataclass
class Bench:
    """The measurements, and the folder with the rendered projects."""

    folder: Path

    def install(self) -> None:
        """Render and install the default project, one with uvicorn and one with all options."""
        for combination in ("none", "uvicorn", "all"):
            projects.install(combination, self.folder, *PACKAGES)

    def in_process(self, names: Sequence[str]) -> Figures:
        """Return the CPU time of one request, without a server."""
        return medians(names, lambda name: self._run(name, "bench.in_process", name))

    def hostile(self) -> Figures:
        """Return the CPU time for redacting texts that make careless patterns backtrack."""
        figures: Figures = self._run("service", "bench.hostile")
        return figures

    def behind_servers(self) -> dict[str, Figures]:
        """Return figures under load by server: all contenders of both take turns."""
        contenders = [Contender(server, app) for server, apps in BEHIND.items() for app in apps]
        figures = medians(contenders, self._under_load)
        return {
            server: {app: figures[Contender(server, app)] for app in apps}
            for server, apps in BEHIND.items()
        }

    def beside_failures(self) -> Figures:
        """Return the latency of good requests while others fail, logged and not logged."""
        return medians([*BESIDE], self._beside)

    def starts(self) -> Figures:
        """Return the time to the first response, and the memory at that moment."""
        return medians(BEHIND["hypercorn"], self._start)

    def _under_load(self, contender: Contender) -> dict[str, float]:
        with self._server(contender) as (process, port):
            return under_load(process, port)

    def _beside(self, name: str) -> dict[str, float]:
        contender, target = BESIDE[name]
        with self._server(contender) as (_, port):
            return beside(port, target)

    def _start(self, app: str) -> dict[str, float]:
        began = time.perf_counter()
        with self._server(Contender("hypercorn", app)) as (process, _):
            seconds = time.perf_counter() - began
            return {"first answer, s": seconds, "memory, MiB": memory(process)}

    def _python(self, app: str, server: str = "hypercorn") -> Path:
        without_options = "none" if server == "hypercorn" else server
        folder = "all" if app in WITH_OPTIONS else without_options
        return projects.python(self.folder / folder / projects.SLUG)

    def _run(self, app: str, *module: str) -> Any:
        with (self.folder / "log").open("w") as log:
            done = subprocess.run(
                [self._python(app), "-m", *module],
                cwd=self.folder, env=projects.variables(PYTHONPATH=str(TEMPLATE)),
                stdout=subprocess.PIPE, stderr=log, text=True, check=True,
            )  # fmt: skip
        return json.loads(done.stdout)

    @contextmanager
    def _server(self, contender: Contender) -> Iterator[tuple[psutil.Process, int]]:
        port = free_port()
        python = self._python(contender.app, contender.server)
        # Each log goes to the same file, emptied before.
        with (self.folder / "log").open("w") as log:
            process = psutil.Popen(
                [python, "-m", "bench.served", contender.server, contender.app, str(port)],
                cwd=self.folder, env=projects.variables(PYTHONPATH=str(TEMPLATE)),
                stdout=log, stderr=log,
            )  # fmt: skip
        try:
            first_answer(process, port)
            yield process, port
        finally:
            process.terminate()
            process.wait(timeout=30)


def medians(
    contenders: Sequence[Key], measure: Callable[[Key], dict[str, float]]
) -> dict[Key, dict[str, float]]:
    """Measure the contenders in turn, in rounds, and return the median of each figure.

    A machine that becomes slower or faster does so for all of them.
    """
    rounds = [{one: measure(one) for one in contenders} for _ in range(ROUNDS)]
    return {
        one: {
            name: statistics.median(measured[one][name] for measured in rounds)
            for name in rounds[0][one]
        }
        for one in contenders
    }


def free_port() -> int:
    """Return a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def first_answer(process: psutil.Popen, port: int) -> None:
    """Wait until the server answers a request."""
    for _ in range(3_000):
        try:
            drive([Connection(port, "/plain", count=1)])
            return
        except OSError:
            if process.poll() is not None:
                break
            time.sleep(0.01)
    raise TimeoutError(f"no answer from {' '.join(map(str, process.args))}")


def memory(process: psutil.Process) -> float:
    """Return the resident memory of a process in MiB."""
    return float(process.memory_info().rss / 2**20)


def under_load(process: psutil.Process, port: int) -> dict[str, float]:
    """Return CPU time, throughput, latency and memory with busy connections."""
    drive([Connection(port, "/plain", WARM_UP) for _ in range(CONNECTIONS)])
    connections = [Connection(port, "/plain", REQUESTS) for _ in range(CONNECTIONS)]
    before, began, ours = process.cpu_times(), time.perf_counter(), time.process_time()
    drive(connections)
    seconds, after = time.perf_counter() - began, process.cpu_times()
    ours = time.process_time() - ours
    latencies = [latency for connection in connections for latency in connection.latencies]
    used = after.user + after.system - before.user - before.system
    return {
        "CPU µs": used / len(latencies) * 1e6,
        "requests/s": len(latencies) / seconds,
        "p50 ms": percentile(latencies, 50),
        "p99 ms": percentile(latencies, 99),
        "memory, MiB": memory(process),
        "CPU µs of the load generator": ours / len(latencies) * 1e6,
    }


def beside(port: int, target: str) -> dict[str, float]:
    """Return the latency of good requests while others fail in sequence."""
    drive([Connection(port, "/plain", count=500)])
    good = [Connection(port, "/plain") for _ in range(4)]
    drive([Connection(port, target, FAILURES), *good])
    latencies = [latency for connection in good for latency in connection.latencies]
    return {"good p50 ms": percentile(latencies, 50), "good p99 ms": percentile(latencies, 99)}
