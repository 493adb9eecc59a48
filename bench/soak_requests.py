"""The mixture of requests of `make soak`: the number of a request says of which kind it is."""

import json
import random
from collections import Counter
from dataclasses import dataclass
from enum import Enum, auto

REQUEST_LINE, FAILURE_LINE = "log request", "unhandled exception"
LEFT = frozenset({200, 499})  # by how much of the response the client has seen


class Leaves(Enum):
    """When a client closes its connection."""

    NEVER = auto()
    # While the next request of the same client is handled.
    WITHOUT_READING = auto()
    AFTER_FIRST_PIECE = auto()


@dataclass(frozen=True)
class Kind:
    """One kind of requests.

    Attributes:
        share: how many of a hundred requests.
        target: path and query, except the number of the request.
        statuses: which of them its line may have.
        body: of a POST.
        unsent: how many bytes of the body the client keeps back.
        line: message of a further line of the request.
    """

    name: str
    share: int
    target: str
    statuses: frozenset[int]
    body: bytes = b""
    unsent: int = 0
    leaves: Leaves = Leaves.NEVER
    line: str = ""

    @property
    def request_line(self) -> str:
        """The message of the request's line."""
        return FAILURE_LINE if 500 in self.statuses else REQUEST_LINE

    def request(self, number: int) -> bytes:
        """Return the bytes to send."""
        method, more = "GET", ""
        if self.body:
            method = "POST"
            more = f"Content-Type: application/json\r\nContent-Length: {len(self.body)}\r\n"
        head = f"{method} {self.target}?n={number} HTTP/1.1\r\nHost: 127.0.0.1\r\n{more}\r\n"
        return head.encode() + self.body[: len(self.body) - self.unsent]


def _body(price: object) -> bytes:
    return json.dumps({"name": "x" * 1_000, "price": price}).encode()


KINDS = (
    Kind("good", 40, "/soak/good", frozenset({200}), line="good"),
    Kind("good, with a body", 20, "/soak/items", frozenset({200}), body=_body(1.5)),
    Kind("404", 10, "/soak/nothing", frozenset({404})),
    Kind(
        "422", 8, "/soak/items", frozenset({422}),
        body=_body("a lot"), line="request validation exception",
    ),
    Kind("500", 5, "/soak/failure", frozenset({500})),
    Kind("stream", 8, "/soak/stream", frozenset({200})),
    Kind("left a stream", 4, "/soak/endless", LEFT, leaves=Leaves.AFTER_FIRST_PIECE),
    Kind("left before the response", 3, "/soak/slow", LEFT, leaves=Leaves.WITHOUT_READING),
    Kind(
        "left in the body", 2, "/soak/items", frozenset({499}),
        body=_body(1.5), unsent=500, leaves=Leaves.WITHOUT_READING,
    ),
)  # fmt: skip
_MIXTURE = [kind for kind in KINDS for _ in range(kind.share)]
random.Random(0).shuffle(_MIXTURE)


def kind_of(number: int) -> Kind:
    """Return the kind of a request."""
    return _MIXTURE[number % len(_MIXTURE)]


def expected_messages(requests: int) -> Counter[str]:
    """Return how many lines the log has of each message after the first `requests` requests."""
    sent = Counter({kind: requests // len(_MIXTURE) * kind.share for kind in KINDS})
    sent.update(_MIXTURE[: requests % len(_MIXTURE)])
    messages: Counter[str] = Counter()
    for kind, count in sent.items():
        messages[kind.request_line] += count
        if kind.line:
            messages[kind.line] += count
    return messages
