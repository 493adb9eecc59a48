"""`python -m todo.migrations`: run the migrations that are missing, then end."""

from .._internal import begin  # noqa: F401 - first, so that every line is JSON

# isort: split
import sys

from alembic import command
from alembic.script.revision import ResolutionError
from alembic.util import CommandError
from loguru import logger

from . import alembic_config


def main() -> int:
    """Run the migrations; return the exit code."""
    try:
        command.upgrade(alembic_config(), "head")
    except CommandError as error:
        if isinstance(error.__cause__, ResolutionError):
            # After a step back to an older version, which can start with these tables.
            logger.warning("the tables are newer than the code; they stay as they are")
            return 0
        logger.error("migrations failed", error=str(error))
        return 1
    except Exception:
        logger.exception("migrations failed")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
