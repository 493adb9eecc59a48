"""The fixtures of the rendered project's tests."""

from tests.conftest import anyio_backend, client, log

__all__ = ["anyio_backend", "client", "log"]
