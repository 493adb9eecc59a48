"""A cache whose look-ups run no Python code, for the texts of every line."""

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class Cache(dict[str, T]):
    """The results of a function of a text; short texts repeat, so only those are kept.

    Args:
        function: called for texts that are not in the cache.
        length: the length of the longest text to keep.
        entries: how many results to keep; one more empties the cache.
    """

    def __init__(self, function: Callable[[str], T], *, length: int, entries: int) -> None:
        super().__init__()
        self._function = function
        self._length = length
        self._entries = entries

    def __missing__(self, text: str) -> T:
        result = self._function(text)
        if len(text) <= self._length:
            if len(self) >= self._entries:
                self.clear()
            self[text] = result
        return result
