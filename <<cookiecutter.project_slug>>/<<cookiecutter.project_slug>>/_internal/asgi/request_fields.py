"""Log fields and response headers of a request."""

from collections.abc import Iterable
from time import perf_counter_ns
from typing import Any
from urllib.parse import quote

from fastapi.exceptions import RequestValidationError
from starlette.types import Message, Scope

from ..log.fields import SafeFields
from ..log.jsonable import validation_errors
from ..log.texts import safe_target, safe_text

_OWN_HEADERS = frozenset({b"x-request-id", b"x-processed-time"})


def request_fields(scope: Scope) -> dict[str, Any]:
    """Return the log fields that requests and WebSockets have in common."""
    client = scope.get("client")
    return {
        "remote_ip": safe_text(client[0]) if client else "",
        "schema": safe_text(scope["scheme"]),
        "protocol": safe_text(scope.get("http_version", "1.1")),  # optional in ASGI
        "path_with_query": _path_with_query(scope),
    }


def referer_and_user_agent(headers: Iterable[tuple[bytes, bytes]]) -> tuple[str, str]:
    """Return both headers, redacted; empty if missing."""
    found = dict(headers)
    referer, user_agent = found.get(b"referer", b""), found.get(b"user-agent", b"")
    return safe_target(_text(referer)), safe_text(_text(user_agent))


def validation_fields(
    scope: Scope, error: RequestValidationError, *, with_input: bool
) -> SafeFields:
    """Return the log fields of a request that did not validate, with or without what was sent."""
    detail = validation_errors(error.errors(), body=error.body, with_input=with_input)
    return SafeFields(
        {
            "method": safe_text(scope["method"]),
            "path_with_query": _path_with_query(scope),
            "detail": detail,
        }
    )


def own_headers(head: Message, request_id: str, elapsed: float) -> list[tuple[bytes, bytes]]:
    """Return the response headers with X-Request-ID and X-Processed-Time, each once."""
    headers = [*head.get("headers", ())]
    if not _OWN_HEADERS.isdisjoint(dict(headers)):
        headers = [header for header in headers if header[0] not in _OWN_HEADERS]
    headers.append((b"x-request-id", request_id.encode()))
    headers.append((b"x-processed-time", b"%.6f" % elapsed))
    return headers


def seconds_since(start: int) -> float:
    """Return the seconds since a `perf_counter_ns()` value, in whole microseconds."""
    return (perf_counter_ns() - start) // 1_000 / 1_000_000


def _path_with_query(scope: Scope) -> str:
    path = scope.get("raw_path") or quote(scope["path"]).encode()
    query = scope["query_string"]
    return safe_target(_text(path + b"?" + query if query else path))


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")
