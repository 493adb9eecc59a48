"""Send a GET over HTTP/3."""

import asyncio

from aioquic.asyncio.client import connect
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import QuicEvent


class Http3(QuicConnectionProtocol):
    """A connection for one request; `answer` is done when headers and body are complete."""

    def __init__(self, *arguments: object, **options: object) -> None:
        super().__init__(*arguments, **options)  # type: ignore[arg-type]
        self.http = H3Connection(self._quic)
        self.answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.headers: dict[str, str] = {}
        self.body = b""

    def quic_event_received(self, event: QuicEvent) -> None:
        """Collect the headers and the body."""
        for part in self.http.handle_event(event):
            if isinstance(part, HeadersReceived):
                self.headers |= {name.decode(): value.decode() for name, value in part.headers}
            elif isinstance(part, DataReceived):
                self.body += part.data
            ended = isinstance(part, HeadersReceived | DataReceived) and part.stream_ended
            if ended and not self.answer.done():
                self.answer.set_result(None)

    def ask(self, authority: str, path: str) -> None:
        """Send a GET."""
        fields = {":method": "GET", ":scheme": "https", ":authority": authority, ":path": path}
        headers = [(name.encode(), value.encode()) for name, value in fields.items()]
        stream = self._quic.get_next_available_stream_id()
        self.http.send_headers(stream, headers, end_stream=True)
        self.transmit()


async def get(port: int, path: str, root: str) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers and body; verify the server's certificate against `root`."""
    configuration = QuicConfiguration(alpn_protocols=H3_ALPN, server_name="localhost")
    configuration.load_verify_locations(cadata=root.encode())
    async with connect(
        "127.0.0.1", port, configuration=configuration, create_protocol=Http3
    ) as connection:
        assert isinstance(connection, Http3)
        connection.ask(f"localhost:{port}", path)
        await asyncio.wait_for(connection.answer, 10)
    return int(connection.headers[":status"]), connection.headers, connection.body
