"""Timestamps of log lines."""

from datetime import datetime, timedelta, timezone
from functools import lru_cache
from time import time_ns


def now() -> str:
    """Return the local time in RFC 3339 format, in microseconds."""
    second, fraction = divmod(time_ns() // 1_000, 1_000_000)
    time, offset = _parts(second)
    return f"{time}.{fraction:06}{offset}"


def rfc3339(time: datetime) -> str:
    """Return an aware datetime in RFC 3339 format, which has no seconds in its offset."""
    text = time.isoformat()
    if text[-6] in "+-":  # `+05:30`
        return text
    minutes = int((time.utcoffset() or timedelta()) / timedelta(minutes=1))
    return time.astimezone(timezone(timedelta(minutes=minutes))).isoformat()


@lru_cache(maxsize=1)
def _parts(second: int) -> tuple[str, str]:
    """Return the local time and its offset, given seconds since 1970."""
    text = rfc3339(datetime.fromtimestamp(second).astimezone())
    return text[:-6], text[-6:]
