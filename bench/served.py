"""One of the applications behind Hypercorn: run as `python -m bench.served NAME PORT`."""

import asyncio
import sys

from hypercorn.asyncio import serve
from hypercorn.config import Config

from bench.apps import application


def main() -> None:
    """Serve until a signal."""
    name, port = sys.argv[1:]
    if name in {"service", "everything"}:
        from my_service.config import Settings
        from my_service.server import run

        sys.exit(run(application(name), Settings(port=int(port))))
    config = Config()
    config.bind = [f"127.0.0.1:{port}"]
    config.keep_alive_max_requests = 1_000_000_000
    asyncio.run(serve(application(name), config))


if __name__ == "__main__":
    main()
