"""The fixtures of the project's own tests."""

from tests.conftest import anyio_backend, client, log

__all__ = ["anyio_backend", "client", "log"]
