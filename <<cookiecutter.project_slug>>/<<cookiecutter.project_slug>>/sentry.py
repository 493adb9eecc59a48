"""Sentry: every failure in the log is one event there. Off without SENTRY_DSN."""

from typing import Annotated

from fastapi import FastAPI
from pydantic import AfterValidator, Field

from ._internal.settings.environment import EnvironmentSettings
from ._internal.version import service_version
from .config import settings


def _dsn(value: str) -> str:
    """Refuse what the SDK would refuse, before anything else starts."""
    if value:
        # Import the SDK only when a DSN is set.
        from sentry_sdk.utils import Dsn

        Dsn(value)
    return value


Rate = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False, description="a number from 0 to 1")]


class SentrySettings(EnvironmentSettings):
    """Sentry's variables, by the names in its documentation."""

    sentry_dsn: Annotated[
        str,
        AfterValidator(_dsn),
        Field(
            repr=False,
            description="a DSN as Sentry shows it: https://<key>@<host>/<project number>",
        ),
    ] = ""
    sentry_environment: str = settings.env
    sentry_release: str = ""
    sentry_sample_rate: Rate = 1
    sentry_traces_sample_rate: Rate = 0


def add_sentry(app: FastAPI, settings: SentrySettings | None = None) -> None:
    """Report the failures of this process; without a DSN nothing is done or imported.

    Call it after `add_request_log`.
    """
    settings = settings or SentrySettings.load()
    if settings.sentry_dsn:
        from ._internal.sentry.reporting import init_sentry

        version = service_version("<< cookiecutter.project_slug | distribution >>")
        init_sentry(
            app,
            dsn=settings.sentry_dsn,
            environment=settings.sentry_environment,
            release=settings.sentry_release or version,
            sample_rate=settings.sentry_sample_rate,
            # With a rate of 0 every request would pay for a transaction that is thrown away.
            traces_sample_rate=settings.sentry_traces_sample_rate or None,
        )
