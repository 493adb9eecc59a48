"""Until the log is set up: a failed import is one line too, and a signal ends the process at once.

This is for `python -m` with this package, which is then the first that Python imports. Whoever
imports it for something else has its own ways.
"""

import json
import os
import signal
import sys
import traceback
from datetime import UTC, datetime
from types import TracebackType

from .timestamps import rfc3339

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


if sys.argv[:1] == ["-m"]:
    sys.excepthook = _log_uncaught
    for number in (signal.SIGTERM, signal.SIGINT):
        # Nothing has been started that would have to be stopped.
        signal.signal(number, lambda *_: os._exit(0))
