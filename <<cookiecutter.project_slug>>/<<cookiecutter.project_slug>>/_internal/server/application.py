"""Import the application from a `package.module:name` string."""

from importlib import import_module

from loguru import logger
from starlette.types import ASGIApp


def load(path: str) -> ASGIApp:
    """Return the application at `package.module:name`.

    Raises:
        SystemExit: the import raised it; its message is logged.
    """
    module, _, name = path.partition(":")
    try:
        application: ASGIApp = getattr(import_module(module), name)
    except SystemExit as error:
        if isinstance(error.code, str):  # Python would print it
            logger.error(error.code)
            raise SystemExit(1) from None
        raise
    return application
