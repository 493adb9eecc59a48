"""The settings that a server needs."""

from typing import Protocol

IDLE_TIMEOUT = 150  # seconds that a connection may wait for a request


class StopSettings(Protocol):
    """How long a stop may take, in seconds.

    Attributes:
        shutdown_delay: how long the port still answers after the first signal.
        shutdown_timeout: how long requests in flight have after that.
    """

    shutdown_delay: float
    shutdown_timeout: float


class ServerSettings(StopSettings, Protocol):
    """Where the application is served; port 0 takes a free one."""

    host: str
    port: int
    root_path: str
