"""Log fields and response headers of a request."""

from collections.abc import Iterable
from time import perf_counter
from typing import Any
from urllib.parse import quote

from starlette.types import Message, Scope

from ..log.texts import safe_target

_OWN_HEADERS = frozenset({b"x-request-id", b"x-processed-time"})


def request_fields(scope: Scope) -> dict[str, Any]:
    """Return the log fields that requests and WebSockets have in common."""
    client = scope.get("client")
    path = scope.get("raw_path") or quote(scope["path"]).encode()
    query = scope["query_string"]
    return {
        "remote_ip": client[0] if client else "",
        "schema": scope["scheme"],
        "protocol": scope.get("http_version", "1.1"),  # optional in ASGI
        "path_with_query": safe_target(_text(path + b"?" + query if query else path)),
    }


def referer_and_user_agent(headers: Iterable[tuple[bytes, bytes]]) -> tuple[str, str]:
    """Return both headers, empty if missing."""
    referer = user_agent = b""
    for name, value in headers:
        if name == b"user-agent":
            user_agent = value
        elif name == b"referer":
            referer = value
    return safe_target(_text(referer)), _text(user_agent)


def own_headers(head: Message, request_id: str, elapsed: float) -> list[tuple[bytes, bytes]]:
    """Return the response headers with X-Request-ID and X-Processed-Time, each once."""
    headers = [header for header in head.get("headers", ()) if header[0] not in _OWN_HEADERS]
    headers.append((b"x-request-id", request_id.encode()))
    headers.append((b"x-processed-time", b"%.6f" % elapsed))
    return headers


def seconds_since(start: float) -> float:
    """Return the seconds since a `perf_counter()` value, rounded to microseconds."""
    return round(perf_counter() - start, 6)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")
