"""Write log lines to standard error; a stalled reader never blocks the service.

A line goes straight to the file descriptor while that accepts it. When the reader stalls, lines
wait in a backlog of at most `BACKLOG_LIMIT` bytes, which a thread writes as soon as it can. Lines
that do not fit are counted and dropped. When the reader is gone, lines are dropped.

A signal handler or a `__del__` can log while its own thread is writing a line. So writing never
waits for the lock: each line goes into a queue, which the holder of the lock empties.
"""

import os
import select
import sys
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from threading import Lock, Thread

from ..platforms import after_fork

BACKLOG_LIMIT = 4 * 1024 * 1024
# Bytes that a writable pipe accepts without blocking (pipe(7)): 4,096 on Linux, 512 on macOS.
_CHUNK = getattr(select, "PIPE_BUF", 4_096)
_RETRY = 0.01  # seconds, if a writable descriptor accepts nothing


class Stream:
    """Write whole lines to the current `sys.stderr`.

    Args:
        on_dropped: called with the number of dropped lines when the reader reads again.
    """

    _poll: "select.poll"  # Windows has none

    def __init__(self, on_dropped: Callable[[int], None]) -> None:
        self._on_dropped = on_dropped
        self._start_empty()
        # A child process has neither the backlog's thread nor the one that holds the lock.
        after_fork(self._start_empty)

    def _start_empty(self) -> None:
        self._lock = Lock()
        self._new: deque[tuple[int, bytes]] = deque()
        self._backlog: deque[bytes] = deque()
        self._backlog_size = 0
        self._dropped = 0
        self._drain: Thread | None = None
        self._fd = self._out = -1
        self._terminal = ""

    def write(self, line: bytes) -> None:
        """Write `line` or queue it; never raise."""
        stream = sys.stderr
        try:
            fd = stream.fileno()
        except Exception:  # closed, None, or a replacement without a descriptor
            fd = -1
        if type(fd) is not int or fd < 0:
            write_text(stream, line)
            return
        self._new.append((fd, line))
        self._process_queue()

    def _process_queue(self) -> None:
        """Write new lines as far as the descriptor takes them now, and keep the rest for a thread.

        The holder of the lock does so for other threads too.
        """
        while self._new and self._lock.acquire(blocking=False):
            try:
                while self._new:
                    fd, line = self._new.popleft()
                    if not self._drain:
                        line = self._write_after_backlog(fd, line)
                    if line:
                        self._keep(line)
            finally:
                self._lock.release()

    def _write_after_backlog(self, fd: int, line: bytes) -> bytes:
        """Write what the descriptor accepts without blocking; return the rest of `line`."""
        if fd != self._fd or (self._terminal and self._terminal != _terminal(fd)):
            self._watch(fd)
        while self._backlog:  # no thread could be started
            kept = self._backlog.popleft()
            self._backlog_size -= len(kept)
            if rest := self._write_now(kept):
                self._backlog.appendleft(rest)
                self._backlog_size += len(rest)
                return line
        return self._write_now(line)

    def flush(self, timeout: float) -> None:
        """Wait at most `timeout` seconds until the backlog is written."""
        drain = self._drain
        if drain:
            drain.join(timeout)

    def _watch(self, fd: int) -> None:
        """Write to this descriptor from now on.

        A terminal that can be written may still block. So it is opened again, without blocking; the
        flag would else apply to every process that uses it.
        """
        if self._out != self._fd:
            os.close(self._out)
        out, terminal = fd, _terminal(fd)
        if terminal:
            try:
                out = os.open(terminal, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
            except OSError:  # it belongs to another user
                terminal = ""
        poll = select.poll()
        poll.register(out, select.POLLOUT)
        self._poll, self._fd, self._out, self._terminal = poll, fd, out, terminal

    def _write_now(self, line: bytes) -> bytes:
        """Write what the descriptor accepts without blocking; return the rest.

        If nothing is accepted, the rest is `line` itself; when the reader is gone, it is empty.
        """
        while line and self._poll.poll(0):
            try:
                line = line[os.write(self._out, line[:_CHUNK]) :]
            except BlockingIOError:
                break
            except OSError:
                return b""
        return line

    def _keep(self, line: bytes) -> None:
        if self._backlog_size + len(line) > BACKLOG_LIMIT:
            self._dropped += 1
        else:
            self._backlog.append(line)
            self._backlog_size += len(line)
        if not self._drain:
            self._start_drain()

    def _start_drain(self) -> None:
        self._drain = Thread(target=self._run, name="log-drain", daemon=True)
        try:
            self._drain.start()
        except RuntimeError:  # the interpreter is shutting down, or there are too many threads
            self._drain = None

    def _run(self) -> None:
        """Write the backlog and report dropped lines."""
        while line := self._next():
            while line:
                self._poll.poll()
                rest = self._write_now(line)
                if rest is line:
                    time.sleep(_RETRY)
                line = rest

    def _next(self) -> bytes | None:
        self._report_dropped()
        with self._lock:
            line = self._backlog.popleft() if self._backlog else None
            self._backlog_size -= len(line or b"")
            if line is None:
                self._drain = None
        self._process_queue()
        return line

    def _report_dropped(self) -> None:
        """Log the number of dropped lines once the backlog is at most half full."""
        if self._dropped and self._backlog_size <= BACKLOG_LIMIT // 2:
            with self._lock:
                dropped, self._dropped = self._dropped, 0
            self._process_queue()
            with suppress(Exception):  # the thread continues, whatever a listener does
                self._on_dropped(dropped)


def _terminal(fd: int) -> str:
    """Return the path of a terminal; empty for anything else."""
    try:
        return os.ttyname(fd)
    except OSError:
        return ""


def write_text(stream: object, line: bytes) -> None:
    """Write a line to any text stream; never raise."""
    try:
        stream.write(line.decode("utf-8"))  # type: ignore[attr-defined]
        stream.flush()  # type: ignore[attr-defined]
    except Exception:  # there is nowhere left to report it
        pass
