"""What logging may cost, as figures of one run."""

from dataclasses import dataclass

from bench.measurements import Figures


@dataclass
class Aim:
    """A figure, and what it may be."""

    name: str
    value: float
    wanted: str


def behind_servers(hypercorn: Figures, uvicorn: Figures) -> list[Aim]:
    """Return what was reached under load."""
    cpu, rate = "CPU µs", "requests/s"
    return [
        Aim(
            "uvicorn: CPU time of the service / bare with the access log",
            uvicorn["service"][cpu] / uvicorn["access log"][cpu],
            "at most 1.0",
        ),
        Aim(
            "service: requests per second, uvicorn / Hypercorn",
            uvicorn["service"][rate] / hypercorn["service"][rate],
            "at least 2",
        ),
        Aim(
            "Hypercorn: CPU time of the service / bare",
            hypercorn["service"][cpu] / hypercorn["bare"][cpu],
            "at most 1.15",
        ),
    ]


def in_process(figures: Figures) -> list[Aim]:
    """Return what was reached without a server."""

    def above_bare(name: str, case: str = "request") -> float:
        return figures[name][case] - figures["bare"][case]

    request = above_bare("service")
    return [
        Aim("request above bare, CPU µs", request, "at most 20"),
        Aim("422 above bare, CPU µs", above_bare("service", "422"), "at most 60"),
        Aim("all options: request above bare, CPU µs", above_bare("all options"), "at most 45"),
        Aim(
            "request above bare, structlog / service",
            above_bare("structlog") / request,
            "more than 1",
        ),
        Aim(
            "request above bare, service / reference",
            request / above_bare("reference"),
            "at most 0.2",
        ),
    ]


def beside_failures(figures: Figures) -> list[Aim]:
    """Return what was reached for good requests."""
    p99 = "good p99 ms"
    ratio = figures["service"][p99] / figures["not logged"][p99]
    return [Aim("p99 beside failures, logged / not logged", ratio, "at most 1.5")]


def starts(figures: Figures) -> list[Aim]:
    """Return what was reached at the start."""
    return [Aim("first answer, s", figures["service"]["first answer, s"], "at most 1")]
