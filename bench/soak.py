"""`make soak`: send many requests to one process of each server, and check its log and memory."""

import os
import selectors
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import psutil

from bench import projects
from bench.measurements import machine
from bench.soak_clients import TIMEOUT, Client
from bench.soak_log import LogCheck
from bench.soak_requests import KINDS
from bench.tables import print_row

# Each server, and the combination of answers that has nothing but it.
SERVERS = {"Hypercorn": "none", "uvicorn": "uvicorn"}
CLIENTS = 8
FIRST = 10_000  # requests before the first measurement
INTERVAL = 100_000  # requests between the others
LIMIT = 5.0  # MB that the memory may grow after it
SETTLE = 30.0  # seconds for the last lines, and for connections to close
ROUTERS = {
    "from .hello import router as hello_router\n": "from .soak import router as soak_router\n",
    "    hello_router,\n": "    soak_router,\n",
}


class SoakError(Exception):
    """The soak cannot go on."""


@dataclass
class Measured:
    """A process without connections: its resident memory in MB, its open descriptors."""

    memory: float
    descriptors: int


@dataclass
class Report:
    """What was seen of one server.

    Attributes:
        measured: after the first requests, then in intervals, then at the end.
        seconds: for all requests.
    """

    log: LogCheck
    measured: list[Measured] = field(default_factory=list)
    seconds: float = 0.0
    exit_code: int | None = None

    def problems(self) -> list[str]:
        """Return what is wrong."""
        found = [*self.log.problems]
        if self.measured:
            first, last = self.measured[0], self.measured[-1]
            if last.memory - first.memory > LIMIT:
                found.append(f"memory has grown from {first.memory:.1f} to {last.memory:.1f} MB")
            if last.descriptors > first.descriptors:
                found.append(f"{first.descriptors} descriptors have become {last.descriptors}")
        if self.exit_code != 0:
            found.append(f"exit code {self.exit_code}")
        if self.log.last != "shutdown":
            found.append(f"the last line is {self.log.last!r}, not the one of the shutdown")
        return found


class Soak:
    """A service under load, with its log read while it runs.

    Args:
        process: the service, with standard error as a pipe.
        requests: how many to send.
    """

    def __init__(self, process: psutil.Popen, requests: int) -> None:
        self.report = Report(LogCheck(requests))
        self._process = process
        self._requests = requests
        self._selector = selectors.DefaultSelector()
        self._log: IO[bytes] = process.stderr
        self._is_open = True
        self._selector.register(self._log, selectors.EVENT_READ, self._read_log)

    def run(self) -> None:
        """Send the requests, measure, and stop the service.

        Raises:
            SoakError: the service does not respond.
            OSError: it refuses connections or closes them.
        """
        port = self._port()
        self.report.log.serving = True
        began = time.monotonic()
        first = min(FIRST, self._requests)
        self._send(port, 0, first)
        for start in range(first, self._requests, INTERVAL):
            self._send(port, start, min(start + INTERVAL, self._requests))
        self.report.seconds = time.monotonic() - began
        self.report.log.serving = False
        self._process.terminate()
        self._until(lambda: not self._is_open)
        self.report.exit_code = self._process.wait(SETTLE)
        self.report.log.check_complete()

    def _port(self) -> int:
        """Return the port, once the service has named it in its log."""
        running = "Running on http://127.0.0.1:"
        if not self._until(lambda: self.report.log.last.startswith(running)):
            raise SoakError(f"the service has not started: {self.report.log.problems}")
        return int(self.report.log.last.removeprefix(running).partition(" ")[0])

    def _send(self, port: int, start: int, end: int) -> None:
        """Send some of the requests, wait for the end of all connections and measure."""
        numbers = iter(range(start, end))
        on_problem = self.report.log.add_problem
        clients = [Client(port, numbers, self._selector, on_problem) for _ in range(CLIENTS)]
        for client in clients:
            client.send_next()
        while not all(client.is_done for client in clients):
            if not self._handle_events(TIMEOUT):
                raise SoakError(f"no response for {TIMEOUT:.0f} seconds")
        self._until(lambda: self.report.log.lines >= end and not self._has_connections())
        self._measure(end)

    def _has_connections(self) -> bool:
        open_sockets = self._process.net_connections("tcp")
        return any(one.status != psutil.CONN_LISTEN for one in open_sockets)

    def _measure(self, sent: int) -> None:
        memory = self._process.memory_info().rss / 1e6
        print(f"{sent:,} requests: {memory:.1f} MB", file=sys.stderr)
        self.report.measured.append(Measured(memory, self._process.num_fds()))

    def _until(self, is_over: Callable[[], bool]) -> bool:
        """Handle events until `is_over` or too late, and return which."""
        end = time.monotonic() + SETTLE
        while not is_over() and time.monotonic() < end:
            self._handle_events(0.05)
        return is_over()

    def _handle_events(self, timeout: float) -> bool:
        """Handle what can be read, and return whether there was anything."""
        ready = self._selector.select(timeout)
        for key, _ in ready:
            key.data()
        return bool(ready)

    def _read_log(self) -> None:
        if data := os.read(self._log.fileno(), 1 << 20):
            self.report.log.feed(data)
        else:
            self._selector.unregister(self._log)
            self._is_open = False


def add_router(project: Path) -> None:
    """Add the router to the project as its owner would."""
    routers = project / projects.SLUG / "routers"
    source = (Path(__file__).parent / "soak_router.py").read_text("utf-8")
    (routers / "soak.py").write_text(source, "utf-8")
    listed = (routers / "__init__.py").read_text("utf-8")
    for line, ours in ROUTERS.items():
        assert line in listed
        listed = listed.replace(line, line + ours)
    (routers / "__init__.py").write_text(listed, "utf-8")


def soak(project: Path, requests: int) -> Report:
    """Return what was seen of a project's service during a number of requests."""
    process = psutil.Popen(
        [projects.python(project), "-m", projects.SLUG],
        cwd=project, env=projects.variables(HOST="127.0.0.1", PORT="0"), stderr=subprocess.PIPE,
    )  # fmt: skip
    running = Soak(process, requests)
    try:
        running.run()
    except (SoakError, OSError) as error:
        running.report.log.add_problem(f"{type(error).__name__}: {error}")
    finally:
        with suppress(psutil.NoSuchProcess):
            process.kill()
        process.wait()
    return running.report


def print_reports(reports: dict[str, Report], requests: int) -> None:
    """Print what was seen as Markdown tables."""
    print_row(f"{requests:,} requests", *reports)
    print_row("---", *["---:"] * len(reports))
    all_of = reports.values()
    print_row("lines of requests", *(f"{one.log.lines:,}" for one in all_of))
    for moment, index in ((f"after the first {FIRST:,}", 0), ("at the end", -1)):
        measured = [one.measured[index] for one in all_of if one.measured]
        print_row(f"memory {moment}, MB", *(f"{one.memory:.1f}" for one in measured))
        print_row(f"descriptors {moment}", *(str(one.descriptors) for one in measured))
    print_row("seconds", *(f"{one.seconds:,.0f}" for one in all_of))
    print_row("exit code", *(str(one.exit_code) for one in all_of))
    print()
    print_row("kind", "status", *reports)
    print_row("---", "---:", *["---:"] * len(reports))
    names = [kind.name for kind in KINDS]
    seen = {key for one in all_of for key in one.log.statuses}
    for name, status in sorted(seen, key=lambda key: (names.index(key[0]), key[1])):
        print_row(name, str(status), *(f"{one.log.statuses[name, status]:,}" for one in all_of))
    print()


def main() -> int:
    """Soak each server, print the report and return the exit code."""
    requests = int(os.environ.get("SOAK_REQUESTS") or 1_000_000)
    reports: dict[str, Report] = {}
    with tempfile.TemporaryDirectory() as folder:
        installed = {
            server: projects.install(combination, Path(folder))
            for server, combination in SERVERS.items()
        }
        for server, project in installed.items():
            add_router(project)
            print(server, file=sys.stderr)
            reports[server] = soak(project, requests)
    print(f"{machine()}\n")
    print_reports(reports, requests)
    problems = [f"{name}: {one}" for name, report in reports.items() for one in report.problems()]
    print("\n".join(problems or ["passed"]))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
