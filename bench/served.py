"""Serve one of the applications: run as `python -m bench.served SERVER NAME PORT`."""

import asyncio
import sys
from importlib import import_module

from fastapi import FastAPI

from bench import apps

# The service and its options use the project's own server.
OURS = ("service", "all options")


def main() -> None:
    """Serve until a signal arrives."""
    server, name, port = sys.argv[1:]
    app = apps.application(name)
    if name in OURS:
        serve_project(server, app, int(port))
    elif server == "hypercorn":
        asyncio.run(serve_hypercorn(app, int(port)))
    else:
        serve_uvicorn(app, int(port), access_log=name == "access log")


def serve_project(server: str, app: FastAPI, port: int) -> None:
    """Serve as `python -m my_service` does."""
    from my_service.config import Settings

    apps.app = app
    run = import_module(f"my_service._internal.{server}.server").run
    sys.exit(run("bench.apps:app", Settings(port=port)))


async def serve_hypercorn(app: FastAPI, port: int) -> None:
    """Serve with Hypercorn; its access log is off by default."""
    from hypercorn.asyncio import serve
    from hypercorn.config import Config

    config = Config()
    config.bind = [f"127.0.0.1:{port}"]
    config.keep_alive_max_requests = 1_000_000_000
    await serve(app, config)


def serve_uvicorn(app: FastAPI, port: int, *, access_log: bool) -> None:
    """Serve with uvicorn's defaults, and with the same loop and parser as the service."""
    import uvicorn

    uvicorn.run(app, port=port, loop="uvloop", http="httptools", access_log=access_log)


if __name__ == "__main__":
    main()
