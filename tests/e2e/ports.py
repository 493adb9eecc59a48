"""Free ports for the servers of the tests."""

import socket


def free_port(host: str = "127.0.0.1") -> int:
    """Return a port of a local address that is free for TCP and UDP."""
    while True:
        with (
            socket.socket(type=socket.SOCK_STREAM) as tcp,
            socket.socket(type=socket.SOCK_DGRAM) as udp,
        ):
            tcp.bind((host, 0))
            try:
                udp.bind(tcp.getsockname())
            except OSError:
                continue
            port: int = tcp.getsockname()[1]
            return port
