"""Prometheus metrics of every request, counted from the measurement that its log line tells of.

Metrics of your own join them: make them with prometheus_client, in any module.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from importlib.metadata import PackageNotFoundError, version
from itertools import pairwise
from typing import Annotated, Any, NamedTuple

from fastapi import FastAPI
from loguru import logger
from prometheus_client import Counter, Gauge, Histogram, Info, Summary, disable_created_metrics
from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_settings import NoDecode, SettingsConfigDict
from starlette.types import Scope

from .context import current_request
from .environment import EnvironmentSettings
from .metrics_server import serve_metrics
from .observers import observers
from .route import route_template

# Any other word that a client sends as its method is counted under one name.
METHODS = frozenset(
    {"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"}
)
CLOSE_CODES = range(1000, 1016)  # RFC 6455, section 7.4.1; the others are free to choose
ID_LIMIT = 128 - len("request_id")  # what OpenMetrics allows an exemplar

DEFAULT_HOST = "127.0.0.1"
DEFAULT_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


def _buckets(value: object) -> object:
    if not isinstance(value, str):
        return value
    return tuple(value.split(",")) if value.strip() else DEFAULT_BUCKETS


def _ascending(buckets: tuple[float, ...]) -> tuple[float, ...]:
    if not all(lower < upper for lower, upper in pairwise(buckets)):
        raise ValueError("not in ascending order")
    return buckets


class MetricsSettings(EnvironmentSettings):
    """Where the metrics are served. An empty METRICS_PORT is no unset one: it turns them off."""

    model_config = SettingsConfigDict(env_ignore_empty=False)

    metrics_host: Annotated[
        str,
        BeforeValidator(lambda value: value or DEFAULT_HOST),
        Field(description="a host name or an IP address"),
    ] = DEFAULT_HOST
    metrics_port: Annotated[
        Annotated[int, Field(ge=0, le=65535)] | None,
        BeforeValidator(lambda value: None if value == "" else value),
        Field(description="a whole number up to 65535, or empty for no metrics"),
    ] = 9464
    metrics_buckets: Annotated[
        tuple[Annotated[float, Field(gt=0, allow_inf_nan=False)], ...],
        NoDecode,
        BeforeValidator(_buckets),
        AfterValidator(_ascending),
        Field(
            min_length=1,
            description="seconds in ascending order, comma-separated, such as 0.1,1,10",
        ),
    ] = DEFAULT_BUCKETS


settings = MetricsSettings.load()
# They would be as many series again, which no rule or dashboard has a use for.
disable_created_metrics()  # type: ignore[no-untyped-call]

REQUESTS = Counter("http_requests", "Requests that ended.", ["method", "route", "status"])
INCOMPLETE = Counter(
    "http_requests_incomplete",
    "Requests without a last byte: the response broke off (error) or the client left (client).",
    ["method", "route", "reason"],
)
DURATION = Histogram(
    "http_request_duration_seconds",
    "Time from a request to the last byte of its response, or to where it was given up.",
    ["method", "route"],
    buckets=settings.metrics_buckets,
)
SIZE = Summary("http_response_size_bytes", "Bytes of body sent.", ["method", "route"])
IN_PROGRESS = Gauge("http_requests_in_progress", "Requests whose response is not complete.")
EXCEPTIONS = Counter(
    "http_exceptions",
    "Exceptions that no handler took, those of background tasks and WebSockets among them.",
    ["exception", "route"],
)
WEBSOCKETS = Counter(
    "websocket_connections",
    "WebSockets that ended; status 101 was accepted.",
    ["route", "status", "close_code"],
)
WEBSOCKETS_OPEN = Gauge("websocket_connections_open", "WebSockets that are open.")
BUILD = Info("service_build", "What is running.")


class _Route(NamedTuple):
    duration: Histogram
    size: Summary


class _Routes(dict[tuple[str, str], _Route]):
    def __missing__(self, key: tuple[str, str]) -> _Route:
        # To rate() a counter that begins with its first failure has never risen.
        REQUESTS.labels(*key, 500)
        self[key] = _Route(DURATION.labels(*key), SIZE.labels(*key))
        return self[key]


class _Requests(dict[tuple[str, str, int], Counter]):
    def __missing__(self, key: tuple[str, str, int]) -> Counter:
        self[key] = REQUESTS.labels(*key)
        return self[key]


class Metrics:
    """The observer that counts. Children of metrics are kept: to look one up takes a lock."""

    def __init__(self) -> None:
        self._routes = _Routes()
        self._requests = _Requests()

    def began(self, scope: Scope) -> None:
        """Count one more in progress."""
        (WEBSOCKETS_OPEN if scope["type"] == "websocket" else IN_PROGRESS).inc()

    def ended(self, scope: Scope, fields: Mapping[str, Any], error: BaseException | None) -> None:
        """Count what its line in the log tells."""
        route = route_template(scope)
        if scope["type"] == "websocket":
            WEBSOCKETS_OPEN.dec()
            WEBSOCKETS.labels(route, fields["status_code"], _close_code(fields)).inc()
        else:
            IN_PROGRESS.dec()
            self._count(scope["method"], route, fields)
        if error:
            EXCEPTIONS.labels(type(error).__name__, route).inc()

    def failed_after(self, scope: Scope, error: BaseException) -> None:
        """Count an exception whose request has been counted."""
        EXCEPTIONS.labels(type(error).__name__, route_template(scope)).inc()

    def _count(self, method: str, route: str, fields: Mapping[str, Any]) -> None:
        if method not in METHODS:
            method = "OTHER"
        self._requests[method, route, fields["status_code"]].inc()
        duration, size = self._routes[method, route]
        duration.observe(fields["elapsed"], _exemplar())
        size.observe(fields["response_length"])
        if "disconnected" in fields:
            INCOMPLETE.labels(method, route, "client").inc()
        elif "completed" in fields:
            INCOMPLETE.labels(method, route, "error").inc()


def _exemplar() -> dict[str, str] | None:
    """Return what leads from a bucket to a request's lines in the log, where it has any."""
    request = current_request.get()
    if request is None or request.quiet or len(request.request_id) > ID_LIMIT:
        return None
    return {"request_id": request.request_id}


def _close_code(fields: Mapping[str, Any]) -> str:
    code = fields["close_code"]
    return str(code) if code in CLOSE_CODES else "OTHER"


def _version() -> str:
    try:
        return version("<< cookiecutter.__distribution >>")
    except PackageNotFoundError:  # it runs from its folder
        return "unknown"


_metrics = Metrics()
BUILD.info({"version": _version()})


def add_metrics(app: FastAPI) -> None:
    """Count every request, and serve the metrics while `app` runs."""
    if _metrics not in observers:
        observers.append(_metrics)
    inner = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[Any]:
        address = settings.metrics_host, settings.metrics_port
        async with serve_metrics(*address) as url, inner(app) as state:
            if url:
                logger.info("serving metrics", url=url)
            yield state

    app.router.lifespan_context = lifespan
