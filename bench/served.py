"""Serve one of the applications with Hypercorn: run as `python -m bench.served NAME PORT`."""

import asyncio
import sys

from hypercorn.asyncio import serve
from hypercorn.config import Config

from bench import apps


def main() -> None:
    """Serve until a signal arrives."""
    name, port = sys.argv[1:]
    if name in ("service", "all options"):
        from my_service._internal.hypercorn.server import run
        from my_service.config import Settings

        apps.app = apps.application(name)
        sys.exit(run("bench.apps:app", Settings(port=int(port))))
    config = Config()
    config.bind = [f"127.0.0.1:{port}"]
    config.keep_alive_max_requests = 1_000_000_000
    asyncio.run(serve(apps.application(name), config))


if __name__ == "__main__":
    main()
