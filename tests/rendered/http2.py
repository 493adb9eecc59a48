"""An HTTP/2 client that sends what other clients refuse to send."""

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, Event, ResponseReceived, StreamReset

from .served import Service

Head = list[tuple[bytes, bytes]]


def head(path: bytes, method: bytes = b"GET") -> Head:
    """Return the headers of a request."""
    return [(b":method", method), (b":path", path), (b":scheme", b"http"), (b":authority", b"a")]


HEAD = head(b"/hello")


def websocket(path: bytes) -> Head:
    """Return the headers of a WebSocket handshake."""
    return [
        *head(path, b"CONNECT"),
        (b":protocol", b"websocket"),
        (b"sec-websocket-version", b"13"),
    ]


class Http2Client:
    """One connection and the events received on it."""

    def __init__(self, service: Service) -> None:
        config = H2Configuration(header_encoding=None, validate_outbound_headers=False)
        self.protocol = H2Connection(config)
        self.protocol.initiate_connection()
        self.socket = service.connect()
        self.events: list[Event] = []
        self.received = b""

    def ask(self, path: bytes, method: bytes = b"GET", *, body: bytes = b"") -> int:
        """Send a request and return its stream id."""
        stream = self.begin(head(path, method), end_stream=not body)
        for start in range(0, len(body), 10_000):
            self.protocol.send_data(stream, body[start : start + 10_000])
        self.flush()
        return stream

    def begin(self, head: Head, *, end_stream: bool = False) -> int:
        """Send the headers of a request and return its stream id."""
        stream = self.protocol.get_next_available_stream_id()
        self.protocol.send_headers(stream, head, end_stream=end_stream)
        self.flush()
        return stream

    def flush(self) -> None:
        """Send the pending bytes of the protocol."""
        self.socket.sendall(self.protocol.data_to_send())

    def answer(self, stream: int, *kinds: type[Event]) -> Event:
        """Return the first event of these kinds on a stream, by default its response or reset."""
        while True:
            for event in self.events:
                kind = isinstance(event, kinds or (ResponseReceived, StreamReset))
                if kind and getattr(event, "stream_id", None) == stream:
                    return event
            data = self.socket.recv(65_536)
            assert data, "the service has closed the connection"
            for event in self.protocol.receive_data(data):
                self.events.append(event)
                if isinstance(event, DataReceived):
                    self.received += event.data
                    self.protocol.acknowledge_received_data(
                        event.flow_controlled_length, event.stream_id
                    )
            self.flush()
