"""Importing the package reads the settings and sets the log up."""

from . import early, redaction  # noqa: F401 - it has to be the first
from .config import settings
from .logging import init

redaction.add_secret_names(settings.redact)
init(
    level=settings.log_level,
    fields=settings.log_fields,
    pygments_style=settings.pygments_style if settings.env == "development" else None,
)
