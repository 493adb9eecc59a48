"""Standard error as the log's destination: one write per line, and a reader that stalls stops nobody.

A line goes straight to the file descriptor while that takes it at once. When the reader stalls,
lines wait in a backlog of at most `BACKLOG_LIMIT` bytes, which a thread writes as soon as it can; what
does not fit is counted and dropped. When the reader is gone, lines are dropped.

A signal handler or a `__del__` can log while its own thread is in the middle of a line. So writing
never waits for the lock: a line is put into a queue, which the holder of the lock empties.
"""

import os
import select
import sys
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from threading import Lock, Thread

BACKLOG_LIMIT = 4 * 1024 * 1024
# A pipe that polls as writable takes this much without blocking (PIPE_BUF of pipe(7)).
_CHUNK = 4_096
_RETRY = 0.01  # seconds, where a descriptor is not what it says


class Stream:
    """Write whole lines to what `sys.stderr` is at that moment.

    Args:
        on_dropped: called with the number of lines dropped, once the reader reads again.
    """

    def __init__(self, on_dropped: Callable[[int], None]) -> None:
        self._on_dropped = on_dropped
        self._start_empty()
        # A child has neither the thread that writes the backlog nor the one that holds the lock.
        os.register_at_fork(after_in_child=self._start_empty)

    def _start_empty(self) -> None:
        self._lock = Lock()
        self._new: deque[tuple[int, bytes]] = deque()
        self._backlog: deque[bytes] = deque()
        self._backlog_size = 0
        self._dropped = 0
        self._drain: Thread | None = None
        self._poll = select.poll()
        self._fd = -1

    def write(self, line: bytes) -> None:
        """Write `line`, or keep it for later; never raise."""
        stream = sys.stderr
        try:
            fd = stream.fileno()
        except Exception:  # closed, None, or a stand-in without a descriptor
            fd = -1
        if type(fd) is not int or fd < 0:
            _write_text(stream, line)
            return
        self._new.append((fd, line))
        self._take_new()

    def _take_new(self) -> None:
        """Write or keep what is new, unless the holder of the lock does so when it looks again."""
        while self._new and self._lock.acquire(blocking=False):
            try:
                while self._new:
                    self._take(*self._new.popleft())
            finally:
                self._lock.release()

    def _take(self, fd: int, line: bytes) -> None:
        if self._drain:
            self._keep(line)
            return
        self._watch(fd)
        # A backlog without its thread: there was none to be had.
        while self._backlog and line:
            self._backlog_size -= len(self._backlog[0])
            rest = self._write_now(self._backlog.popleft())
            if rest:
                self._backlog.appendleft(rest)
                self._backlog_size += len(rest)
                self._keep(line)
                line = b""
        rest = self._write_now(line)
        if rest:
            self._keep(rest)
        if self._backlog:
            self._start_drain()

    def flush(self, timeout: float) -> None:
        """Wait at most `timeout` seconds until the backlog is written."""
        drain = self._drain
        if drain:
            drain.join(timeout)

    def _watch(self, fd: int) -> None:
        if fd != self._fd:
            poll = select.poll()
            poll.register(fd, select.POLLOUT)
            self._poll, self._fd = poll, fd

    def _write_now(self, line: bytes) -> bytes:
        """Write what the descriptor takes without blocking; return the rest."""
        rest = b""
        while line and line is not rest and self._poll.poll(0):
            line, rest = self._write_chunk(line), line
        return line

    def _write_chunk(self, line: bytes) -> bytes:
        """Write the beginning of `line`; return the rest, `line` itself where nothing was taken.

        When the reader has gone there is no rest.
        """
        try:
            return line[os.write(self._fd, line[:_CHUNK]) :]
        except BlockingIOError:
            return line
        except OSError:
            return b""

    def _keep(self, line: bytes) -> None:
        if self._backlog_size + len(line) > BACKLOG_LIMIT:
            self._dropped += 1
        else:
            self._backlog.append(line)
            self._backlog_size += len(line)

    def _start_drain(self) -> None:
        self._drain = Thread(target=self._run, name="log-drain", daemon=True)
        try:
            self._drain.start()
        except RuntimeError:  # the interpreter is about to end, or there are too many threads
            self._drain = None

    def _run(self) -> None:
        """Write the backlog, and tell how many lines did not fit into it."""
        while line := self._next():
            while line:
                self._poll.poll()
                rest = self._write_chunk(line)
                if rest is line:
                    time.sleep(_RETRY)
                line = rest

    def _next(self) -> bytes | None:
        self._tell_dropped()
        with self._lock:
            line = self._backlog.popleft() if self._backlog else None
            self._backlog_size -= len(line or b"")
            if line is None:
                self._drain = None
        self._take_new()
        return line

    def _tell_dropped(self) -> None:
        """Log the number of lost lines, as soon as there is room for that line."""
        if self._dropped and self._backlog_size <= BACKLOG_LIMIT // 2:
            with self._lock:
                dropped, self._dropped = self._dropped, 0
            self._take_new()
            with suppress(Exception):  # the thread goes on, whatever a listener does
                self._on_dropped(dropped)


def _write_text(stream: object, line: bytes) -> None:
    try:
        stream.write(line.decode("utf-8"))  # type: ignore[attr-defined]
        stream.flush()  # type: ignore[attr-defined]
    except Exception:  # noqa: S110 - there is nowhere left to tell
        pass
