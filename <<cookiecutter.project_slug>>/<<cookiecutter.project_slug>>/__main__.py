"""`python -m << cookiecutter.project_slug >>`: serve the application, in this process."""

import sys

from .config import settings
from .main import app
from .server import run

if __name__ == "__main__":
    sys.exit(run(app, settings))
