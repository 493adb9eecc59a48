"""`python -m todo.migrations`: run the migrations that are missing, then end."""

from .._internal import begin  # noqa: F401 - first, so that every line is JSON

# isort: split
from alembic import command

from . import alembic_config

command.upgrade(alembic_config(), "head")
