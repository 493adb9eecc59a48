"""Input of hostile clients, generated from a seed so that failures can be reproduced."""

import struct
from collections.abc import Callable
from random import Random

from hpack import Decoder, Encoder
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    PriorityFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from checks.served import SERVER

# None of these causes an error of the service.
PATHS = (
    b"/hello",
    b"/nowhere",
    b"/divide?a=4&b=2",
    b"/divide?a=x&b=%ff",
    b"/large?size=200000",
    b"/slow?seconds=0.02",
    b"/stream/silent",
    b"/stream/endless",
    b"/upload",
)
WEBSOCKETS = (b"/echo", b"/ticker", b"/nap", b"/late", b"/closing?code=4000&accept=1", b"/denied")
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

Stream = list[bytes]  # the bytes to send, in pieces


def http1(rng: Random) -> Stream:
    """Return valid, invalid and truncated HTTP/1.1 requests."""
    count = rng.choice((1, 1, 1, 2, 5, 50))
    requests = [_request(rng) for _ in range(count)]
    if rng.random() < 0.6:
        number = rng.randrange(count)
        requests[number] = mutated(rng, requests[number])
    raw = b"".join(requests)
    return cut(rng, raw[: rng.randrange(len(raw) + 1)] if rng.random() < 0.2 else raw)


def _request(rng: Random) -> bytes:
    method = rng.choice((b"GET", b"GET", b"POST", b"HEAD", b"OPTIONS", b"CONNECT", b"BREW"))
    head = b"%s %s HTTP/1.%d\r\nhost: a\r\n" % (method, rng.choice(PATHS), rng.random() < 0.9)
    return head + b"".join(rng.sample(HEADERS, rng.randrange(4))) + rng.choice(BODIES)(rng)


HEADERS = [
    b"user-agent: \xff\xfe\r\n",
    b"expect: 100-continue\r\n",
    b"connection: close\r\n",
    b"connection: upgrade\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n",
    b"traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n",
    b"x-forwarded-for: 1.2.3.4, \xff\r\n",
    b"cookie: " + b"a=b; " * 50 + b"\r\n",
    b"x-large: " + b"x" * 20_000 + b"\r\n",
    b"a: b\r\n" * 100,
]


def _chunked(rng: Random) -> bytes:
    chunks = [rng.choice((b"5\r\n12345\r\n", b"1\r\nx\r\n", b"fffffffff\r\n", b"zz\r\n", b"-1\r\n\r\n"))
              for _ in range(rng.choice((1, 3, 500)))]  # fmt: skip
    return b"transfer-encoding: chunked\r\n\r\n" + b"".join(chunks) + b"0\r\n\r\n"


def _body(rng: Random) -> bytes:
    body = rng.randbytes(rng.choice((0, 1, 1_000, 100_000)))
    length = len(body) + rng.choice((0, 0, 0, 1, -1, 10**20))
    return b"content-length: %d\r\n\r\n" % length + body


BODIES: list[Callable[[Random], bytes]] = [lambda _: b"\r\n"] * 4 + [_chunked, _body]


def mutated(rng: Random, raw: bytes) -> bytes:
    """Change some bytes at random positions."""
    data = bytearray(raw)
    for _ in range(rng.choice((1, 1, 3, 20))):
        at = rng.randrange(len(data) + 1)
        action = rng.randrange(5)
        if action == 0:
            data[at:at] = rng.randbytes(rng.choice((1, 2, 30)))
        elif action == 1:
            del data[at : at + rng.choice((1, 4, 100))]
        elif action == 2:
            data[at:at] = data[at : at + rng.choice((1, 20, 1_000))]
        elif action == 3:
            data[at:at] = rng.choice((b"\r\n", b"\n", b"\0", b":", b" ", b"\xff" * 4))
        else:
            data[at : at + 1] = rng.randbytes(1)
    return bytes(data)


def cut(rng: Random, raw: bytes) -> Stream:
    """Split bytes into a few pieces."""
    at = sorted(rng.randrange(len(raw) + 1) for _ in range(rng.choice((0, 0, 1, 4))))
    return [raw[start:end] for start, end in zip([0, *at], [*at, len(raw)], strict=True)]


def http2(rng: Random) -> Stream:
    """Return HTTP/2 frames after a valid preface."""
    encoder, streams = Encoder(), iter(range(1, 100_000, 2))
    frames: list[bytes] = []
    for _ in range(rng.choice((1, 3, 10))):
        frames += rng.choice(FRAMES)(rng, encoder, next(streams))
    settings = SettingsFrame(0, settings=rng.choice(SETTINGS)).serialize()
    if rng.random() < 0.3:
        number = rng.randrange(len(frames))
        frames[number] = mutated(rng, frames[number])
    return [PREFACE + settings, *cut(rng, b"".join(frames))]


SETTINGS: list[dict[int, int]] = [
    {},
    {},
    {SettingsFrame.INITIAL_WINDOW_SIZE: 0},
    {SettingsFrame.INITIAL_WINDOW_SIZE: 2**31 - 1},
    {SettingsFrame.MAX_FRAME_SIZE: 2**14},
    {SettingsFrame.HEADER_TABLE_SIZE: 0},
    {SettingsFrame.ENABLE_PUSH: 1, 0xFFFF: 7},
]


def _headers(encoder: Encoder, stream: int, *head: tuple[bytes, bytes], end: bool = True) -> bytes:
    frame = HeadersFrame(stream, encoder.encode(head), flags=["END_HEADERS"])
    if end:
        frame.flags.add("END_STREAM")
    return frame.serialize()


def _head(rng: Random, path: bytes = b"", method: bytes = b"GET") -> list[tuple[bytes, bytes]]:
    path = path or rng.choice(PATHS)
    return [(b":method", method), (b":path", path), (b":scheme", b"http"), (b":authority", b"a")]


def _good(rng: Random, encoder: Encoder, stream: int) -> list[bytes]:
    return [_headers(encoder, stream, *_head(rng))]


def _upload(rng: Random, encoder: Encoder, stream: int) -> list[bytes]:
    path = rng.choice((b"/upload", b"/hello", b"/nowhere", b"/slow?seconds=0.1"))
    head = _headers(encoder, stream, *_head(rng, path, b"POST"), end=False)
    size, count = rng.choice((0, 1, 10_000)), rng.choice((1, 5, 30))
    pieces = [DataFrame(stream, rng.randbytes(size)).serialize() for _ in range(count)]
    end = DataFrame(stream, flags=["END_STREAM"]).serialize()
    return [head, *pieces, end][: rng.choice((1, 3, 100))]


def _missing(rng: Random, encoder: Encoder, stream: int) -> list[bytes]:
    head = _head(rng, method=rng.choice((b"GET", b"CONNECT")))
    return [_headers(encoder, stream, *rng.sample(head, rng.randrange(len(head))))]


def _connect(rng: Random, encoder: Encoder, stream: int) -> list[bytes]:
    return [_headers(encoder, stream, (b":method", b"CONNECT"), (b":authority", b"a"))]


def _odd(rng: Random, encoder: Encoder, stream: int) -> list[bytes]:
    return [_headers(encoder, stream, *_head(rng), rng.choice(ODD))]


ODD = [
    (b"Upper", b"a"),
    (b"", b"a"),
    (b"a b", b"c"),
    (b"\xff", b"\xff"),
    (b"a", b"\r\n"),
    (b"a", b"x" * 16_000),
    (b":path", b"/again"),
    (b"connection", b"close"),
    (b"te", b"gzip"),
    (b"content-length", b"9"),
    (b"content-length", b"x"),
    (b"host", b"\xff"),
    (b"cookie", b"\xff"),
]


def _odd_values(rng: Random, encoder: Encoder, stream: int) -> list[bytes]:
    head = _head(rng, rng.choice((b"/\xff", b"*", b"no", b"/%00", b"/?\xff")), b"G\xff")
    return [_headers(encoder, stream, *(head if rng.random() < 0.5 else _head(rng, head[1][1])))]


def _websocket(rng: Random, encoder: Encoder, stream: int) -> list[bytes]:
    head = _head(rng, rng.choice(WEBSOCKETS), b"CONNECT")
    more = [(b":protocol", rng.choice((b"websocket", b"websocket", b"other")))]
    version = [(b"sec-websocket-version", rng.choice((b"13", b"13", b"12")))]
    pieces = [DataFrame(stream, frame).serialize() for frame in _messages(rng)]
    end = DataFrame(stream, flags=["END_STREAM"]).serialize()
    return [_headers(encoder, stream, *head, *more, *version, end=False), *pieces, end]


def _rapid_reset(rng: Random, encoder: Encoder, stream: int) -> list[bytes]:
    first = stream + 1_000 * rng.randrange(1, 9)
    return [
        _headers(encoder, number, *_head(rng)) + RstStreamFrame(number, error_code=8).serialize()
        for number in range(first, first + 2 * rng.choice((10, 100, 300)), 2)
    ]


def _flood(rng: Random, encoder: Encoder, stream: int) -> list[bytes]:
    frames: list[Frame] = [
        PingFrame(0, b"12345678"),
        SettingsFrame(0),
        PriorityFrame(stream, depends_on=stream),
        PriorityFrame(stream, depends_on=stream + 2, stream_weight=255, exclusive=True),
        WindowUpdateFrame(0, 1),
        WindowUpdateFrame(stream, 1),
        RstStreamFrame(stream),
        DataFrame(stream),
        ContinuationFrame(stream, b""),
    ]
    return [rng.choice(frames).serialize() * rng.choice((1, 10, 2_000))]


def _windows(rng: Random, encoder: Encoder, stream: int) -> list[bytes]:
    number = rng.choice((0, stream, stream - 2 if stream > 2 else 0))
    return [WindowUpdateFrame(number, rng.choice((1, 65_535, 2**31 - 1))).serialize()]


def _priorities(rng: Random, encoder: Encoder, stream: int) -> list[bytes]:
    first = 2 * rng.randrange(1_000) + 1
    return [
        PriorityFrame(number, depends_on=rng.randrange(100), stream_weight=7).serialize()
        for number in range(first, first + 2 * rng.choice((10, 1_500)), 2)
    ]


def _goodbye(rng: Random, encoder: Encoder, stream: int) -> list[bytes]:
    return [GoAwayFrame(0, last_stream_id=stream, error_code=rng.randrange(20)).serialize()]


def _noise(rng: Random, encoder: Encoder, stream: int) -> list[bytes]:
    body = rng.randbytes(rng.choice((0, 4, 8, 100, 20_000)))
    head = struct.pack(">I", len(body))[1:] + bytes((rng.randrange(14), rng.randrange(256)))
    return [head + struct.pack(">I", rng.choice((0, stream, 2, 2**31 - 1))) + body]


FRAMES: list[Callable[[Random, Encoder, int], list[bytes]]] = [
    _good, _good, _good, _upload, _upload, _missing, _connect, _odd, _odd_values, _websocket,
    _websocket, _rapid_reset, _flood, _windows, _priorities, _goodbye, _noise,
]  # fmt: skip


def websocket(rng: Random) -> Stream:
    """Return a WebSocket handshake and frames that follow no protocol."""
    handshake = (
        b"GET %s HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n%s"
        b"sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    ) % (rng.choice(WEBSOCKETS), rng.choice(OFFERS))
    if rng.random() < 0.2:
        handshake = mutated(rng, handshake)
    messages = b"".join(_messages(rng))
    if messages and rng.random() < 0.3:
        messages = mutated(rng, messages)
    return [handshake, *cut(rng, messages)]


OFFERS = [
    b"",
    b"",
    b"sec-websocket-extensions: permessage-deflate\r\n",
    b"sec-websocket-extensions: permessage-deflate; client_max_window_bits=x\r\n",
    b"sec-websocket-extensions: permessage-deflate; server_max_window_bits=\r\n",
    b"sec-websocket-extensions: \xff\r\n",
    b"sec-websocket-protocol: \xff\r\n",
]


def _messages(rng: Random) -> list[bytes]:
    return [_message(rng) * rng.choice((1, 1, 1, 30, 3_000)) for _ in range(rng.choice((0, 1, 4)))]


def _message(rng: Random) -> bytes:
    opcode = rng.choice((0, 1, 1, 2, 8, 9, 10, rng.randrange(16)))
    first = opcode | rng.choice((0x80, 0x80, 0x80, 0, 0xC0, 0x70))
    payload = rng.choice(
        (b"", b"hello", b"\xff\xfe", b"\x03\xe8", b"\x03\xe9bye", b"\xff\xff\xff", b"x" * 200)
    )
    mask = rng.choice((0x80, 0x80, 0x80, 0))
    length = rng.choice((len(payload),) * 8 + (125, 126, 127))
    if length < 126:
        head = bytes((first, mask | length))
    elif length == 127 or rng.random() < 0.1:
        head = bytes((first, mask | 127)) + rng.choice((rng.randbytes(8), b"\0" * 7 + b"\xc8"))
    else:
        head = bytes((first, mask | 126)) + struct.pack(">H", length)
    return head + (bytes(4) if mask else b"") + payload


KINDS: dict[str, Callable[[Random], Stream]] = {
    "http1": http1,
    "http2": http2,
    "websocket": websocket,
}
if SERVER == "uvicorn":
    del KINDS["http2"]


def request_ids(kind: str, received: bytes) -> list[str]:
    """Return the request ids in the responses of a connection."""
    if kind != "http2":
        return [
            part.partition(b"\r\n")[0].decode()
            for part in received.split(b"\r\nx-request-id: ")[1:]
        ]
    decoder, ids = Decoder(), []
    while len(received) >= 9:
        frame, length = Frame.parse_frame_header(memoryview(received[:9]))
        if len(received) < 9 + length:
            break
        if isinstance(frame, HeadersFrame):
            frame.parse_body(memoryview(received[9 : 9 + length]))
            fields = dict(decoder.decode(frame.data, raw=True))
            ids += [fields[b"x-request-id"].decode()] if b"x-request-id" in fields else []
        received = received[9 + length :]
    return ids
