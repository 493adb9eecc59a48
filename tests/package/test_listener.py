"""How the port is given up: listener.py and stop.py lose no request of a client that may send one."""

import asyncio
import http.client
import socket
import threading
import time
from pathlib import Path

import pytest

from my_service.listener import Listener

from .served import Service, serve


class Proxy(threading.Thread):
    """Sends POSTs, as a proxy does: on one connection while that is open, then on a new one."""

    def __init__(self, service: Service, pause: float) -> None:
        super().__init__(daemon=True)
        self.connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=10)
        self.pause = pause  # seconds
        self.answers: list[int | str] = []
        self.start()

    def run(self) -> None:
        while True:
            try:
                if not self.connection.sock:
                    self.connection.connect()
            except OSError:
                return
            try:
                self.connection.request("POST", "/upload", b"x")
                response = self.connection.getresponse()
                response.read()
                self.answers.append(response.status)
            except (OSError, http.client.HTTPException) as error:
                self.answers.append(repr(error))
                self.connection.close()
            time.sleep(self.pause)


@pytest.mark.parametrize(("pause", "delay"), [(0, "1"), (0.3, "1")])
def test_a_stop_loses_no_request(pause: float, delay: str, tmp_path: Path) -> None:
    """Until it cannot connect any more, a client has an answer to everything that it has sent."""
    with serve(tmp_path, SHUTDOWN_DELAY=delay) as service:
        proxies = [Proxy(service, pause) for _ in range(8)]
        while not all(len(proxy.answers) > 2 for proxy in proxies):
            time.sleep(0.01)
        assert service.stop() == 0
        for proxy in proxies:
            proxy.join(10)
            assert set(proxy.answers) == {200}


async def test_who_waits_at_the_port_is_let_in() -> None:
    """The system takes connections before the process does; closing would reset them."""
    listener = Listener("127.0.0.1", 0)
    port = socket.socket(fileno=listener.descriptor)
    port.setblocking(False)

    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        writer.close()

    async with await asyncio.start_server(greet, sock=port):
        with socket.create_connection(port.getsockname()) as client:
            await listener.close()
            assert await asyncio.to_thread(client.recv, 10) == b"hello"
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(port.getsockname())


async def test_what_cannot_be_accepted_is_not_waited_for() -> None:
    """Without file descriptors left, or under a flood, the port is closed all the same."""
    listener = Listener("127.0.0.1", 0)
    with socket.socket(fileno=listener.descriptor) as port:
        port.listen()
        with socket.create_connection(port.getsockname()):
            await asyncio.wait_for(listener.close(), 5)


def test_a_taken_port_is_not_kept() -> None:
    """The error is the system's, and nothing stays open."""
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(OSError, match="in use"):
        Listener("127.0.0.1", other.getsockname()[1])
