"""Prometheus metrics of every request, served apart from the public port.

Make your own metrics with prometheus_client, in any module: they are served with these.
"""

from fastapi import FastAPI
from pydantic_settings import SettingsConfigDict

from ._internal.prometheus.request_metrics import count_requests
from ._internal.prometheus.scrape_server import serve_during_lifespan
from ._internal.prometheus.settings import (
    DEFAULT_BUCKETS,
    DEFAULT_HOST,
    Buckets,
    Host,
    OptionalPort,
)
from ._internal.settings.environment import EnvironmentSettings
from ._internal.version import service_version


class MetricsSettings(EnvironmentSettings):
    """Where the metrics are served; an empty METRICS_PORT turns them off."""

    model_config = SettingsConfigDict(env_ignore_empty=False)

    metrics_host: Host = DEFAULT_HOST
    metrics_port: OptionalPort = 9464
    metrics_buckets: Buckets = DEFAULT_BUCKETS


def add_metrics(app: FastAPI, settings: MetricsSettings | None = None) -> None:
    """Count every request, and serve the metrics while `app` runs."""
    settings = settings or MetricsSettings.load()
    version = service_version("<< cookiecutter.project_slug | distribution >>")
    count_requests(buckets=settings.metrics_buckets, version=version or "unknown")
    serve_during_lifespan(app, settings.metrics_host, settings.metrics_port)
