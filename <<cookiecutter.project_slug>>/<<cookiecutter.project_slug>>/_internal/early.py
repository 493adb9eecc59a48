"""Log failed imports as JSON, and exit on signals, while `python -m` starts.

Import it first in `__main__`, and only there: with these signal handlers, an interrupted script
would exit with 0 and skip `finally` and `atexit`.
"""

import os
import signal
import sys
import traceback
from types import TracebackType

from .log.first_lines import print_line
from .platforms import STOP_SIGNALS

_TEXT_LIMIT = 6_000


def _log_uncaught(
    kind: type[BaseException], error: BaseException, tb: TracebackType | None
) -> None:
    text = "".join(traceback.format_exception(error))[-_TEXT_LIMIT:]
    print_line("ERROR", "uncaught exception", traceback.extract_tb(tb)[-1], exception=text)


sys.excepthook = _log_uncaught
for number in STOP_SIGNALS:
    # Nothing is running yet that needs a shutdown.
    signal.signal(number, lambda *_: os._exit(0))

from . import begin  # noqa: E402, F401 - from here on the log takes over
