"""Send pending events before the process ends."""

from time import monotonic

import sentry_sdk

FLUSH_SECONDS = 1.0  # in total, over all calls of `flush`
_seconds_left = FLUSH_SECONDS
_has_stopped = False


def flush() -> None:
    """Wait until all events are sent, at most `FLUSH_SECONDS` in total per process."""
    global _seconds_left
    start = monotonic()
    sentry_sdk.flush(timeout=_seconds_left)
    _seconds_left = max(0.0, _seconds_left - (monotonic() - start))


def set_stopped(stopped: bool) -> None:
    """Set whether the service has stopped; if so, flush, since the process can end at once."""
    global _has_stopped
    _has_stopped = stopped
    if stopped:
        flush()


def flush_if_stopped() -> None:
    """Send pending events if the service has stopped."""
    if _has_stopped:
        flush()
