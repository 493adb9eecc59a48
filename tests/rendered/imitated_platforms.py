"""Take from Python what it does not have on Windows or macOS.

Import this module first: what is imported later looks for these names.
"""

import asyncio  # modules of Python itself choose by the name of the system, so they come first
import builtins
import enum
import errno
import io
import multiprocessing
import os
import select
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from typing import Any

_NAMES: tuple[tuple[Any, str], ...] = (
    (os, "fork forkpty get_blocking getgid getloadavg initgroups killpg mkfifo openpty pread"),
    (os, "register_at_fork set_blocking setsid sysconf ttyname wait O_NOCTTY O_NONBLOCK"),
    (select, "epoll poll PIPE_BUF POLLERR POLLHUP POLLIN POLLOUT POLLRDHUP"),
    (signal, "SIGALRM SIGHUP SIGKILL SIGPIPE SIGQUIT SIGUSR2 alarm pause pthread_kill"),
    (signal, "pthread_sigmask setitimer siginterrupt sigwait"),
    (socket, "AF_UNIX SO_REUSEPORT fromfd recv_fds send_fds"),
)
_MODULES = ("fcntl", "grp", "pty", "readline", "resource", "syslog", "termios", "tty", "uvloop")
_OF_LOOPS = ("add_reader", "add_signal_handler", "add_writer", "remove_reader",
             "remove_signal_handler", "remove_writer")  # fmt: skip


def windows() -> None:
    """Imitate Windows: SIGUSR1 is its SIGBREAK, SO_KEEPALIVE its SO_EXCLUSIVEADDRUSE.

    Names that packages use because of the name of the system must stay: `os.getuid`, `os.uname`.
    """
    pairs, unix = socket.socketpair, int(vars(socket)["AF_UNIX"])
    vars(socket)["socketpair"] = lambda *args: pairs(*(args or (unix,)))
    # Debuggers and coverage may have imported these before.
    for module, names in _NAMES:
        for name in names.split():
            vars(module).pop(name, None)
    for name in _MODULES:
        sys.modules[name] = None  # type: ignore[assignment]
    for name in _OF_LOOPS:
        own = getattr(asyncio.SelectorEventLoop, name)
        setattr(asyncio.SelectorEventLoop, name, _for_asyncio(own))
    vars(signal)["SIGBREAK"] = enum.IntEnum("Signals", {"SIGBREAK": signal.SIGUSR1}).SIGBREAK  # type: ignore[attr-defined]
    vars(socket)["SO_EXCLUSIVEADDRUSE"] = socket.SO_KEEPALIVE
    vars(os)["dup2"] = _for_files(os.dup2)
    _refuse_shutdown()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="cp1252")


def macos() -> None:
    """Imitate macOS: pipes take 512 bytes, a listening socket has no shutdown, no /proc."""
    for name in ("epoll", "POLLRDHUP"):
        vars(select).pop(name, None)
    vars(select)["PIPE_BUF"] = 512
    vars(os)["write"] = _checked_write(os.write)
    _refuse_shutdown()
    for module, name in ((builtins, "open"), (os, "stat"), (os, "listdir")):
        setattr(module, name, _without_proc(getattr(module, name)))


def _for_asyncio(method: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method that only asyncio itself can call."""

    def checked(*args: Any) -> Any:
        if sys._getframe(1).f_globals["__name__"].startswith("asyncio."):
            return method(*args)
        raise NotImplementedError

    return checked


def _refuse_shutdown() -> None:
    """Refuse to shut down listening sockets."""
    shutdown = socket.socket.shutdown

    def checked(self: Any, how: int) -> None:
        if self.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            raise OSError(errno.ENOTCONN, "Socket is not connected")
        shutdown(self, how)

    sockets: Any = socket.socket
    sockets.shutdown = checked


def _for_files(dup2: Callable[..., int]) -> Callable[..., int]:
    """Refuse sockets, which have no descriptors."""

    def checked(fd: int, *args: Any, **options: Any) -> int:
        if stat.S_ISSOCK(os.fstat(fd).st_mode):
            raise OSError(errno.EBADF, "Bad file descriptor")
        return dup2(fd, *args, **options)

    return checked


def _checked_write(write: Callable[[int, bytes], int]) -> Callable[[int, bytes], int]:
    """Refuse what could block, although the pipe can be written."""

    def checked(fd: int, data: bytes) -> int:
        assert len(data) <= 512
        return write(fd, data)

    return checked


def _without_proc(function: Callable[..., Any]) -> Callable[..., Any]:
    def checked(path: Any = ".", *args: Any, **options: Any) -> Any:
        if str(path).startswith("/proc"):
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", path)
        return function(path, *args, **options)

    return checked


# These bind what is removed above.
_KEPT = (multiprocessing, subprocess)

if __name__ == "__main__":
    # A platform, and what follows `python`: a module after -m, or code after -c.
    _, platform, kind, program, *arguments = sys.argv
    {"macos": macos, "windows": windows}[platform]()
    sys.argv = [program, *arguments]
    if kind == "-m":
        import runpy

        runpy.run_module(program, run_name="__main__", alter_sys=True)
    else:
        exec(program, {"__name__": "__main__"})
