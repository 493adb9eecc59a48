"""Which records are written: by their level, and by the level of their logger."""

import logging
from collections.abc import Mapping
from functools import lru_cache

from loguru import logger

# The lowest levels of loggers whose lines below are noise: hpack (HTTP/2) logs the value of every
# header, Alembic logs each of its own plugins when it is imported.
_NOISY = dict.fromkeys(
    ("aiosqlite", "asyncio", "hpack", "httpcore", "httpx", "watchfiles"), logging.INFO
) | {"alembic.runtime.plugins": logging.WARNING}

_default = 0
_numbers: dict[str, int] = {}  # of single loggers
_replaced: dict[str, int] = {}  # what their levels were


def set_levels(level: str, levels: Mapping[str, str]) -> None:
    """Set the lowest level to write, and that of single loggers and of those below them.

    Args:
        level: the level of every other logger.
        levels: levels by the name of a logger, or of a module that logs with Loguru.
    """
    global _default, _numbers
    for name, earlier in _replaced.items():
        logging.getLogger(name).setLevel(earlier)
    _replaced.clear()
    _default = level_number(level)
    _numbers = {name: level_number(given) for name, given in levels.items()}
    logging.getLogger().setLevel(_default)
    for name, lowest in _NOISY.items():
        library = logging.getLogger(name)
        library.setLevel(max(library.level, lowest))
    # A level of `alembic` is that of `alembic.runtime.plugins` too.
    below = {n: _numbers[up] for up in sorted(_numbers) for n in _NOISY if n.startswith(f"{up}.")}
    for name, lowest in (below | _numbers).items():
        _replaced[name] = logging.getLogger(name).level
        logging.getLogger(name).setLevel(lowest)
    _of_logger.cache_clear()


def level_number(level: str) -> int:
    """Return the number of a level.

    Raises:
        ValueError: Loguru has no such level.
    """
    return logger.level(level).no


def lowest_level() -> int:
    """Return the lowest level that any logger writes."""
    return min(_default, *_numbers.values()) if _numbers else _default


def is_written(name: str | None, level: int) -> bool:
    """Return whether to write a record, given its logger and the number of its level."""
    return level >= (_of_logger(name or "") if _numbers else _default)


@lru_cache(maxsize=1024)
def _of_logger(name: str) -> int:
    """Return the level of the longest name that is the logger or above it."""
    while name and name not in _numbers:
        name = name.rpartition(".")[0]
    return _numbers.get(name, _default)
