"""`make bench`: render and install the project, measure, print the tables."""

import asyncio
import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from bench.load import Connection, percentile

TEMPLATE = Path(__file__).parents[1]
NAMES = ("bare", "reference", "service", "all options")
# Each option, followed by what most services use instead.
OPTION_NAMES = ("use_sentry", "SDK's integrations", "use_prometheus", "instrumentator")
# These run in the project with all options, the others in the one without.
WITH_OPTIONS = ("all options", *OPTION_NAMES)
OPTIONS = [name for name in json.loads((TEMPLATE / "cookiecutter.json").read_text("utf-8"))
           if name.startswith("use_")]  # fmt: skip
CONNECTIONS = 8
REQUESTS = 1_000  # per connection
REPEATS = 3

Figures = dict[str, dict[str, float]]  # by application, then by name of the figure


def main() -> None:
    """Measure everything and print it as Markdown."""
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        bench.install()
        print(f"{platform.python_implementation()} {platform.python_version()}, {machine()}\n")
        figures = bench.in_process((*NAMES, *OPTION_NAMES))
        print_table(
            "in process, CPU µs for one", {name: figures[name] for name in NAMES}, above_bare=True
        )
        print_added("Sentry", figures, ("use_sentry", "service"), ("SDK's integrations", "service"))
        print_added("metrics", figures, ("use_prometheus", "service"), ("instrumentator", "bare"))
        print_hostile(bench.hostile())
        print_table("behind Hypercorn", asyncio.run(bench.behind_server()))
        print_table("1,000 failures beside good requests", asyncio.run(bench.beside_failures()))
        print_table("start", asyncio.run(bench.starts()))


def machine() -> str:
    """Return the number of cores and the CPU model."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    models = {line.partition(":")[2].strip() for line in lines if line.startswith("model name")}
    return f"{os.cpu_count()} cores of {', '.join(models) or platform.processor()}"


@dataclass
class Bench:
    """The measurements, and the folder with the rendered projects."""

    folder: Path

    def python(self, name: str) -> Path:
        """Return the interpreter of the rendered project that an application needs."""
        folder = "all" if name in WITH_OPTIONS else "none"
        return self.folder / folder / "my_service/.venv/bin/python"

    @property
    def variables(self) -> dict[str, str]:
        """Environment variables of the measured processes."""
        ours = {"ENV": "production", "METRICS_PORT": "0", "PYTHONPATH": str(TEMPLATE)}
        return os.environ | ours

    def install(self) -> None:
        """Render the default project and one with all options, and install them."""
        tools = Path(sys.executable).parent
        for name, answers in (("none", []), ("all", [f"{option}=yes" for option in OPTIONS])):
            render: list[str | Path] = [tools / "cookiecutter", TEMPLATE, "--no-input", *answers]
            render += ["--output-dir", self.folder / name]
            subprocess.run(render, check=True, stdout=subprocess.DEVNULL)
            for words in (["sync"], ["pip", "install", "prometheus-fastapi-instrumentator>=8.0.2"]):
                uv: list[str | Path] = [tools / "uv", *words, "--quiet"]
                subprocess.run(uv, cwd=self.folder / name / "my_service", check=True)

    def in_process(self, names: Sequence[str]) -> Figures:
        """Return the CPU time of one request, without a server."""
        rounds: dict[str, list[dict[str, float]]] = {name: [] for name in names}
        for _ in range(REPEATS):
            for name in names:
                rounds[name].append(self._run(name, "bench.in_process", name))
        return {name: median(measured) for name, measured in rounds.items()}

    def hostile(self) -> Figures:
        """Return the CPU time for redacting texts that make careless patterns backtrack."""
        figures: Figures = self._run("service", "bench.hostile")
        return figures

    def _run(self, name: str, *module: str) -> Any:
        with (self.folder / "log").open("w") as log:
            done = subprocess.run(
                [self.python(name), "-m", *module],
                cwd=self.folder, env=self.variables, stdout=subprocess.PIPE, stderr=log,
                text=True, check=True,
            )  # fmt: skip
        return json.loads(done.stdout)

    async def behind_server(self) -> Figures:
        """Return the CPU time of the server process, throughput and latency under load."""
        rounds: dict[str, list[dict[str, float]]] = {name: [] for name in NAMES}
        for _ in range(REPEATS):
            for name in NAMES:
                async with self._server(name) as (process, port):
                    rounds[name].append(await under_load(process, port))
        return {name: median(measured) for name, measured in rounds.items()}

    async def beside_failures(self) -> Figures:
        """Return the latency of good requests while others fail, logged and not logged."""
        figures: Figures = {}
        for name, target in (
            ("not logged", "/quiet-failure"),
            ("service", "/divide?a=1&b=0"),
            ("reference", "/divide?a=1&b=0"),
        ):
            rounds = []
            for _ in range(REPEATS):
                app = "service" if name == "not logged" else name
                async with self._server(app) as (_, port):
                    rounds.append(await beside(port, target))
            figures[name] = median(rounds)
        return figures

    async def starts(self) -> Figures:
        """Return the time to the first response, and the memory at that moment."""
        rounds: dict[str, list[dict[str, float]]] = {name: [] for name in NAMES}
        for _ in range(REPEATS):
            for name in NAMES:
                began = time.perf_counter()
                async with self._server(name) as (process, _):
                    seconds = time.perf_counter() - began
                    memory = process.memory_info().rss / 2**20
                    rounds[name].append({"first answer, s": seconds, "memory, MiB": memory})
        return {name: median(measured) for name, measured in rounds.items()}

    @asynccontextmanager
    async def _server(self, name: str) -> AsyncIterator[tuple[psutil.Process, int]]:
        port = free_port()
        with (self.folder / "log").open("w") as log:
            process = psutil.Popen(
                [self.python(name), "-m", "bench.served", name, str(port)],
                cwd=self.folder, env=self.variables, stdout=log, stderr=log,
            )  # fmt: skip
        try:
            await first_answer(port)
            yield process, port
        finally:
            process.terminate()
            process.wait(timeout=30)


def free_port() -> int:
    """Return a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def first_answer(port: int) -> None:
    """Wait until the server answers a request."""
    for _ in range(3_000):
        try:
            await Connection(port, "/plain", count=1).run()
            return
        except OSError:
            await asyncio.sleep(0.01)
    raise TimeoutError("the server does not answer")


async def under_load(process: psutil.Process, port: int) -> dict[str, float]:
    """Return CPU time, throughput, latency and memory with busy connections."""
    await Connection(port, "/plain", count=500).run()
    connections = [Connection(port, "/plain", REQUESTS) for _ in range(CONNECTIONS)]
    cpu, began = process.cpu_times(), time.perf_counter()
    await asyncio.gather(*(connection.run() for connection in connections))
    seconds, after = time.perf_counter() - began, process.cpu_times()
    latencies = [latency for connection in connections for latency in connection.latencies]
    used = after.user + after.system - cpu.user - cpu.system
    return {
        "CPU µs": used / len(latencies) * 1e6,
        "requests/s": len(latencies) / seconds,
        "p50 ms": percentile(latencies, 50),
        "p99 ms": percentile(latencies, 99),
        "memory, MiB": process.memory_info().rss / 2**20,
    }


async def beside(port: int, target: str) -> dict[str, float]:
    """Return the latency of good requests while a thousand others fail in sequence."""
    await Connection(port, "/plain", count=500).run()
    failing = Connection(port, target, count=1_000)
    good = [Connection(port, "/plain") for _ in range(4)]
    tasks = [asyncio.create_task(connection.run()) for connection in good]
    await failing.run()
    for connection in good:
        connection.stop()
    await asyncio.gather(*tasks)
    latencies = [latency for connection in good for latency in connection.latencies]
    return {"good p50 ms": percentile(latencies, 50), "good p99 ms": percentile(latencies, 99)}


def median(measured: list[dict[str, float]]) -> dict[str, float]:
    """Return the median of each figure."""
    return {name: statistics.median(one[name] for one in measured) for name in measured[0]}


def print_table(title: str, figures: Figures, *, above_bare: bool = False) -> None:
    """Print figures as a Markdown table, with their ratios to the first application."""
    first, *others = figures
    print_row(title, *figures, *(f"{name} / {first}" for name in others))
    print_row("---", *["---:"] * (len(figures) + len(others)))
    for name, base in figures[first].items():
        values = [measured[name] for measured in figures.values()]
        ratios = [f"{value / base:.2f}" for value in values[1:]]
        print_row(name, *map(number, values), *ratios)
        if above_bare:
            above = [value - base for value in values[1:]]
            parts = [f"{one / above[0]:.2f} of the reference" for one in above[1:]]
            print_row("… above bare", "", *map(number, above), "", *parts)
    print()


def print_added(
    title: str, figures: Figures, option: tuple[str, str], usual: tuple[str, str]
) -> None:
    """Print what an option adds to a request, beside its usual alternative."""
    print_row(f"{title}, added CPU µs", usual[0], option[0], f"{option[0]} / {usual[0]}")
    print_row("---", "---:", "---:", "---:")
    for name in figures["bare"]:
        theirs, ours = (figures[one][name] - figures[base][name] for one, base in (usual, option))
        print_row(name, number(theirs), number(ours), f"{ours / theirs:.2f}")
    print()


def print_hostile(figures: Figures) -> None:
    """Print the cost of redacting hostile texts of the maximum length."""
    print_row("hostile texts", *figures)
    print_row("---", *["---:"] * len(figures))
    for name in next(iter(figures.values())):
        print_row(name, *(number(measured[name]) for measured in figures.values()))
    print()


def print_row(*cells: str) -> None:
    """Print a row of a Markdown table."""
    print(f"| {' | '.join(cells)} |")


def number(value: float) -> str:
    """Return a figure with three significant digits."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


if __name__ == "__main__":
    main()
