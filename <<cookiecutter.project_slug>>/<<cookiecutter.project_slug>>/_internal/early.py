"""Log failed imports as JSON, and exit on signals, while `python -m` starts.

Import it first in `__main__`, and only there: with these signal handlers, an interrupted script
would exit with 0 and skip `finally` and `atexit`.
"""

import json
import os
import signal
import sys
import traceback
from datetime import UTC, datetime
from types import TracebackType

from .log.timestamps import rfc3339

_TEXT_LIMIT = 6_000


def _log_uncaught(
    kind: type[BaseException], error: BaseException, tb: TracebackType | None
) -> None:
    place = traceback.extract_tb(tb)[-1]
    line = {
        "timestamp": rfc3339(datetime.now(UTC).astimezone()),
        "level": "ERROR",
        "message": "uncaught exception",
        "source": f"{os.path.basename(place.filename)}:{place.name}:{place.lineno}",
        "exception": "".join(traceback.format_exception(error))[-_TEXT_LIMIT:],
    }
    print(json.dumps(line), file=sys.stderr)


sys.excepthook = _log_uncaught
for number in (signal.SIGTERM, signal.SIGINT):
    # Nothing is running yet that needs a shutdown.
    signal.signal(number, lambda *_: os._exit(0))

from . import begin  # noqa: E402, F401 - from here on the log takes over
