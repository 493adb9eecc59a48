"""Importing the package reads the settings and sets the log up."""

from . import early  # noqa: F401 - it has to be the first
from .logging import init

init()  # the import of the settings may warn or log

from .config import settings  # noqa: E402
from .texts import add_secret_names  # noqa: E402

add_secret_names(settings.redact)
init(
    level=settings.log_level,
    fields=settings.log_fields,
    pygments_style=settings.pygments_style if settings.env == "development" else None,
)
