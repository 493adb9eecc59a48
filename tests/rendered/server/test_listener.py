"""listener.py and shutdown.py: closing the port loses no request."""

import asyncio
import errno
import http.client
import resource
import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from checks.served import Service, serve
from my_service._internal.log.capture import log_loop_error
from my_service._internal.server import listener as listener_module
from my_service._internal.server.listener import Listener, Port, PortError
from tests.conftest import Log


class Proxy(threading.Thread):
    """A proxy that sends POSTs on one connection while it is open, then on a new one."""

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
    """Until the port refuses connections, a client gets a response to everything it sends."""
    with serve(tmp_path, SHUTDOWN_DELAY=delay) as service:
        proxies = [Proxy(service, pause) for _ in range(8)]
        while not all(len(proxy.answers) > 2 for proxy in proxies):
            time.sleep(0.01)
        assert service.stop() == 0
        for proxy in proxies:
            proxy.join(10)
            assert set(proxy.answers) == {200}


async def test_pending_connections_are_accepted() -> None:
    """Connections in the system's queue are accepted first; closing the port would reset them."""
    listener = Listener("127.0.0.1", 0)
    port = listener.port

    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        writer.close()

    address = port.getsockname()
    async with await asyncio.start_server(greet, sock=port):
        with socket.create_connection(address) as client:
            await listener.drain()
            listener.close()
            assert await asyncio.to_thread(client.recv, 10) == b"hello"
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address)


async def test_close_does_not_wait_for_pending_connections() -> None:
    """Without free file descriptors, or in a flood, the port is closed anyway."""
    listener = Listener("127.0.0.1", 0)
    with listener.port as port:
        port.listen()
        with socket.create_connection(port.getsockname()):
            await asyncio.wait_for(listener.drain(), 5)
            listener.close()


def test_a_port_in_use_leaves_nothing_open() -> None:
    """The system's error is raised, and no socket stays open."""
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(OSError, match="in use"):
        Listener("127.0.0.1", other.getsockname()[1])


def has_ipv6() -> bool:
    """Return whether this machine has IPv6."""
    try:
        with socket.socket(socket.AF_INET6) as port:
            port.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.mark.skipif(not has_ipv6(), reason="needs IPv6")
def test_a_dual_stack_port(tmp_path: Path) -> None:
    """A dual-stack port logs an IPv4 address as IPv4."""
    with serve(tmp_path, HOST="::") as service:
        service.get("/hello")
        assert service.wait_for("log request")["remote_ip"] == "127.0.0.1"


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="needs Linux")
def failing(number: int) -> Any:
    """Return a system call that fails with this error number."""

    def accept(_: Port) -> None:
        raise OSError(number, "no")

    return accept


async def test_the_end_of_a_shortage_is_logged(monkeypatch: pytest.MonkeyPatch, log: Log) -> None:
    """After a period without failures, one line has their number."""
    monkeypatch.setattr(listener_module, "CALM", 0.3)
    monkeypatch.setattr(listener_module, "_RETRY", 0)
    monkeypatch.setattr(Port, "_accept", failing(errno.EMFILE), raising=False)
    asyncio.get_running_loop().set_exception_handler(log_loop_error)
    with Port() as port:
        for _ in range(3):
            with pytest.raises(PortError):
                port.accept()
            await asyncio.sleep(0.2)
        lines = log()
        while len(lines) < 2:
            await asyncio.sleep(0.01)
            lines += log()
        with pytest.raises(PortError):
            port.accept()
    assert [line["message"] for line in lines + log()] == [
        "cannot accept connections",
        "connections are accepted again",
        "cannot accept connections",
    ]
    assert lines[1]["failures"] == 3


async def test_an_early_attempt_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    """An attempt before the retry time is skipped: asyncio makes a thousand in a row."""
    monkeypatch.setattr(Port, "_accept", failing(errno.EMFILE), raising=False)
    with Port() as port:
        with pytest.raises(PortError):
            port.accept()
        with pytest.raises(BlockingIOError):
            port.accept()


async def test_other_errors_are_left_to_asyncio(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error that is not about descriptors is raised unchanged."""
    monkeypatch.setattr(Port, "_accept", failing(errno.EPERM), raising=False)
    with Port() as port, pytest.raises(PermissionError):
        port.accept()


async def test_a_late_attempt_is_not_logged(log: Log) -> None:
    """asyncio's attempt on a port that is already closed is not logged."""
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(log_loop_error)
    port = Port()
    port.close()
    loop.call_soon(lambda: loop.add_reader(port, print))
    await asyncio.sleep(0.01)
    assert log() == []
