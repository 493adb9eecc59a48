"""`make bench`: render and install the projects, measure, print the tables."""

import tempfile
from pathlib import Path

from bench import aims
from bench.measurements import FAILURES, IN_PROCESS, OPTION_NAMES, Bench, Figures, machine
from bench.tables import print_added, print_aims, print_hostile, print_table


def main() -> None:
    """Measure everything and print it as Markdown."""
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        bench.install()
        print(f"{machine()}\n")
        servers = bench.behind_servers()
        print_table("behind uvicorn", servers["uvicorn"])
        print_table("behind Hypercorn", servers["hypercorn"])
        process = bench.in_process((*IN_PROCESS, *OPTION_NAMES))
        print_in_process(process)
        beside = bench.beside_failures()
        print_table(f"{FAILURES} failures beside good requests", beside)
        starts = bench.starts()
        print_table("start", starts)
        print_hostile(bench.hostile())
        print_aims(
            [
                *aims.behind_servers(servers["hypercorn"], servers["uvicorn"]),
                *aims.in_process(process),
                *aims.beside_failures(beside),
                *aims.starts(starts),
            ]
        )


def print_in_process(figures: Figures) -> None:
    """Print what was measured without a server."""
    contenders = {name: figures[name] for name in IN_PROCESS}
    print_table("in process, CPU µs for one", contenders, above_bare=True)
    print_added("Sentry", figures, ("use_sentry", "service"), ("SDK's integrations", "service"))
    print_added("metrics", figures, ("use_prometheus", "service"), ("instrumentator", "bare"))


if __name__ == "__main__":
    main()
