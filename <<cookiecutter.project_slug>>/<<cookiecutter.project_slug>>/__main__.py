"""`python -m << cookiecutter.project_slug >>`: serve the application, in this process."""

import os
import sys

from loguru import logger

from .config import settings
from .server import run


def main() -> int:
    """Import the application, serve it, and return the exit code."""
    if "WATCHFILES_CHANGES" in os.environ:  # `make dev`
        from .development import end_with_parent

        end_with_parent()
    try:
        from .main import app
    except SystemExit as error:
        if isinstance(error.code, str):  # Python would print it
            logger.error(error.code)
            return 1
        raise
    return run(app, settings)


if __name__ == "__main__":
    sys.exit(main())
