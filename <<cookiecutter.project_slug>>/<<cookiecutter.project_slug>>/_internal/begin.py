"""Start the log on import.

Import it before the rest of this package in every entry point: `main`, a script, a worker.

    from ._internal import begin  # noqa: F401
"""

from . import upstream

with upstream.required("loguru>=0.7.3,<0.8"):
    from .log.setup import begin

    begin()
