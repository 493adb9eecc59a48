"""What Windows lacks, in one place; on other platforms nothing changes.

Keep its imports few: `early` needs it before anything else.
"""

import os
import select
import signal
from collections.abc import Callable

# Windows sends SIGBREAK for Ctrl+Break and a closed console. There, SIGTERM of another process ends
# this one at once, without a handler.
STOP_SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGBREAK") if hasattr(signal, name)
)
HAS_POLL = hasattr(select, "poll")


def after_fork(reset: Callable[[], None]) -> None:
    """Call `reset` in every forked child process; Windows has no fork."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=reset)


def shortcomings() -> list[str]:
    """Return what this platform cannot promise, in words."""
    known = {
        "only Ctrl+C and Ctrl+Break stop the service in order": hasattr(signal, "SIGBREAK"),
        "a stalled reader of standard error blocks the service": not HAS_POLL,
    }
    return [text for text, applies in known.items() if applies]
