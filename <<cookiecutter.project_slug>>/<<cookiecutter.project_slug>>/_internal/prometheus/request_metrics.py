"""Metrics of requests and WebSockets, counted from the fields of their log lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from prometheus_client import Counter, Gauge, Histogram, Info, Summary, disable_created_metrics
from starlette.types import Scope

from ..asgi.exchange import Exchange, in_flight
from ..asgi.hooks import hooks
from ..asgi.http_exchange import HttpExchange
from ..asgi.websocket_exchange import WebSocketExchange
from ..context import current_request
from ..reports.route import route_template

# Any other method that a client sends is counted as OTHER.
METHODS = frozenset(
    {"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"}
)
CLOSE_CODES = range(1000, 1016)  # RFC 6455, section 7.4.1; clients can send any other
ID_LIMIT = 128 - len("request_id")  # OpenMetrics limit for an exemplar


def count_requests(*, buckets: Sequence[float], version: str) -> None:
    """Count every request of this process; a second call with the same values changes nothing.

    Args:
        buckets: upper bounds for durations, in seconds.
        version: version of the service, for `service_build_info`.
    """
    metrics = _request_metrics(tuple(buckets), version)
    if metrics not in hooks:
        hooks.append(metrics)


@cache
def _request_metrics(buckets: tuple[float, ...], version: str) -> RequestMetrics:
    """Return the only instance of the process: its metrics can be registered only once."""
    # Created timestamps would double the number of series; no rule or dashboard uses them.
    disable_created_metrics()  # type: ignore[no-untyped-call]
    Info("service_build", "What is running.").info({"version": version})
    return RequestMetrics(buckets)


class _Route(NamedTuple):
    duration: Histogram
    size: Summary


class RequestMetrics:
    """Request hook that counts. It caches children of metrics: looking one up takes a lock."""

    def __init__(self, buckets: Sequence[float]) -> None:
        self._requests = Counter(
            "http_requests", "Requests that ended.", ["method", "route", "status"]
        )
        self._incomplete = Counter(
            "http_requests_incomplete",
            "Requests without a last byte: the response broke off (error) or the client left"
            " (client).",
            ["method", "route", "reason"],
        )
        self._duration = Histogram(
            "http_request_duration_seconds",
            "Time from a request to the last byte of its response, or to where it was given up.",
            ["method", "route"],
            buckets=buckets,
        )
        self._size = Summary("http_response_size_bytes", "Bytes of body sent.", ["method", "route"])
        Gauge("http_requests_in_progress", "Requests whose response is not complete.").set_function(
            lambda: _incomplete(HttpExchange)
        )
        self._exceptions = Counter(
            "http_exceptions",
            "Exceptions without a handler, those of background tasks and WebSockets included.",
            ["exception", "route"],
        )
        self._websockets = Counter(
            "websocket_connections",
            "WebSockets that ended; status 101 was accepted.",
            ["route", "status", "close_code"],
        )
        Gauge("websocket_connections_open", "WebSockets that are open.").set_function(
            lambda: _incomplete(WebSocketExchange)
        )
        self._of_routes: dict[tuple[str, str], _Route] = {}
        self._of_statuses: dict[tuple[str, str, int], Counter] = {}

    def on_start(self, scope: Scope) -> None:
        """Count nothing: scrapes count what is in flight."""

    def on_end(self, scope: Scope, fields: Mapping[str, Any], error: BaseException | None) -> None:
        """Count the fields of the log line."""
        route = route_template(scope)
        if scope["type"] == "websocket":
            self._websockets.labels(route, fields["status_code"], _close_code(fields)).inc()
        else:
            self._count(scope["method"], route, fields)
        if error:
            self._exceptions.labels(type(error).__name__, route).inc()

    def on_late_error(self, scope: Scope, error: BaseException) -> None:
        """Count an exception of a request that is already counted."""
        self._exceptions.labels(type(error).__name__, route_template(scope)).inc()

    def _count(self, method: str, route: str, fields: Mapping[str, Any]) -> None:
        if method not in METHODS:
            method = "OTHER"
        self._of_status(method, route, fields["status_code"]).inc()
        duration, size = self._of_route(method, route)
        duration.observe(fields["elapsed"], _exemplar())
        size.observe(fields["response_length"])
        if "disconnected" in fields:
            self._incomplete.labels(method, route, "client").inc()
        elif "completed" in fields:
            self._incomplete.labels(method, route, "error").inc()

    def _of_status(self, *key: Any) -> Counter:
        if key not in self._of_statuses:
            self._of_statuses[key] = self._requests.labels(*key)
        return self._of_statuses[key]

    def _of_route(self, *key: Any) -> _Route:
        if key not in self._of_routes:
            # `rate()` misses the first increment of a new series.
            self._requests.labels(*key, 500)
            self._of_routes[key] = _Route(self._duration.labels(*key), self._size.labels(*key))
        return self._of_routes[key]


def _incomplete(kind: type[Exchange]) -> int:
    """Return the number of requests or WebSockets without a log line."""
    running = in_flight.copy()  # the event loop changes it during a scrape
    return sum(type(exchange) is kind and not exchange.line_is_written for exchange in running)


def _exemplar() -> dict[str, str] | None:
    """Return the request id, which links a bucket to log lines; None for quiet requests."""
    request = current_request.get()
    if request is None or request.quiet or len(request.request_id) > ID_LIMIT:
        return None
    return {"request_id": request.request_id}


def _close_code(fields: Mapping[str, Any]) -> str:
    code = fields["close_code"]
    return str(code) if code in CLOSE_CODES else "OTHER"
