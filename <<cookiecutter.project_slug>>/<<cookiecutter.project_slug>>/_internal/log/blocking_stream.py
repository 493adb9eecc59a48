"""Write log lines where pipes cannot be polled (Windows): a stalled reader blocks the writer."""

import os
import sys
from collections import deque
from contextlib import suppress

from typing_extensions import override

from .stream import Stream, write_text

# While one thread is blocked, the lines of others wait; beyond this number the oldest are lost.
WAITING_LIMIT = 4_096


class BlockingStream(Stream):
    """Write whole lines to the current `sys.stderr`, without a backlog."""

    @override
    def _start_empty(self) -> None:
        super()._start_empty()
        self._new = deque(maxlen=WAITING_LIMIT)

    @override
    def _write_after_backlog(self, fd: int, line: bytes) -> bytes:
        """Write the whole line."""
        if os.isatty(fd):  # a console of Windows shows bytes in its own encoding
            write_text(sys.stderr, line)
            return b""
        with suppress(OSError):  # the reader is gone
            while line:
                line = line[os.write(fd, line) :]
        return b""
