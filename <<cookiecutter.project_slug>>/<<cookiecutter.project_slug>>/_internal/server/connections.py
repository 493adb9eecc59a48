"""What a graceful shutdown needs of a server."""

from typing import Protocol


class Connections(Protocol):
    """The open connections of a server."""

    async def close_port(self) -> None:
        """Accept the connections that wait, and refuse new ones."""

    def announce_end(self) -> None:
        """Ask every client to send no more requests on its connection."""

    async def wait_closed(self) -> None:
        """Return when no connection is open."""
