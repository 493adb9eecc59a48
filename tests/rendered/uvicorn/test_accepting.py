"""accepting.py: connections where the event loop cannot watch a port, as on Windows."""

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress

import pytest

from my_service._internal.uvicorn.accepting import accept_on


class Port(socket.socket):
    """A port that fails at first."""

    failures = 2

    def accept(self) -> tuple[socket.socket, object]:
        """Accept a connection.

        Raises:
            OSError: the first attempts fail.
        """
        if self.failures:
            self.failures -= 1
            raise ConnectionResetError
        return super().accept()


@pytest.fixture
def without_readers(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise NotImplementedError

    monkeypatch.setattr(asyncio.SelectorEventLoop, "add_reader", fail)


@pytest.mark.usefixtures("without_readers")
async def test_failures_end_nothing() -> None:
    """Connections are accepted after failures of the port and of the receiver, until the end."""
    loop = asyncio.get_running_loop()
    lost: list[object] = []
    loop.set_exception_handler(lambda _, context: lost.append(context["exception"]))
    accepted: asyncio.Queue[socket.socket] = asyncio.Queue()

    def receive(connection: socket.socket, _: object) -> None:
        accepted.put_nowait(connection)
        raise ValueError

    with Port() as port:
        port.setblocking(False)
        port.bind(("127.0.0.1", 0))
        port.listen()
        stop: Callable[[], object] = accept_on(port, lambda: None, receive)
        for _ in range(2):
            with socket.create_connection(port.getsockname()):
                (await asyncio.wait_for(accepted.get(), 10)).close()
        stop()
        await asyncio.sleep(0)
        with socket.create_connection(port.getsockname()), suppress(TimeoutError):
            await asyncio.wait_for(accepted.get(), 0.05)
        assert accepted.empty()
    assert [type(error) for error in lost] == [ValueError, ValueError]
