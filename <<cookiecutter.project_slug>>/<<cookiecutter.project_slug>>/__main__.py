"""`python -m << cookiecutter.project_slug >>`: serve the application in this process."""

import sys

from ._internal import early  # noqa: F401 - first, so that a failing import is a line of JSON too
from ._internal.<< cookiecutter.server >>.server import run
from .config import settings

if __name__ == "__main__":
    sys.exit(run("<< cookiecutter.project_slug >>.main:app", settings))
