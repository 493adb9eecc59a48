"""Random request ids."""

from collections import defaultdict, deque
from math import ceil
from secrets import token_urlsafe

from ..platforms import after_fork

_POOL = 64  # ids made at once: asking the system for random bytes takes longer than the rest
_pools: defaultdict[int, deque[str]] = defaultdict(deque)
# A child process must not use the same ids.
after_fork(_pools.clear)


def random_id(length: int) -> str:
    """Return an id as long and as random as `secrets.token_urlsafe(length)`."""
    pool = _pools[length]
    try:
        return pool.popleft()  # other threads take theirs at the same time
    except IndexError:
        size = ceil(length * 8 / 6)  # base64 has 6 bits per character
        text = token_urlsafe(_POOL * size)
        pool.extend(text[start : start + size] for start in range(size, _POOL * size, size))
        return text[:size]
