"""Timestamps of log lines."""

from datetime import datetime, timedelta, timezone


def rfc3339(time: datetime) -> str:
    """Return an aware datetime in RFC 3339 format, which has no seconds in its offset."""
    text = time.isoformat()
    if text[-6] in "+-":  # `+05:30`
        return text
    minutes = int((time.utcoffset() or timedelta()) / timedelta(minutes=1))
    return time.astimezone(timezone(timedelta(minutes=minutes))).isoformat()
