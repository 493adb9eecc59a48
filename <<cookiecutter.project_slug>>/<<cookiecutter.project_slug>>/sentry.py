"""Sentry: every failure that the log tells of is one event there. Off without SENTRY_DSN."""

from importlib.metadata import PackageNotFoundError, version
from typing import Annotated

from fastapi import FastAPI
from pydantic import AfterValidator, Field

from .config import settings
from .environment import EnvironmentSettings


def _dsn(value: str) -> str:
    """Refuse what the SDK would refuse, before anything else is started."""
    if value:
        # Whoever has no DSN never imports the SDK.
        from sentry_sdk.utils import Dsn

        Dsn(value)
    return value


Rate = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False, description="a number from 0 to 1")]


class SentrySettings(EnvironmentSettings):
    """What is read from the environment, by the names that Sentry's own documents use."""

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
    """Report what goes wrong in this process; where no DSN is set, nothing is done or imported."""
    settings = settings or SentrySettings.load()
    if settings.sentry_dsn:
        from . import sentry_reporting

        sentry_reporting.start(
            app,
            dsn=settings.sentry_dsn,
            environment=settings.sentry_environment,
            release=settings.sentry_release or _version(),
            sample_rate=settings.sentry_sample_rate,
            # With a rate of 0 every request would pay for a transaction that is thrown away.
            traces_sample_rate=settings.sentry_traces_sample_rate or None,
        )


def _version() -> str:
    try:
        return version("<< cookiecutter.__distribution >>")
    except PackageNotFoundError:  # it runs from its folder, and was never installed
        return ""
