"""stream.py: the service continues if the reader of standard error is slow, stalls or closes it."""

import io
import os
import threading
import time
import tty
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest

from checks.served import SECONDS, serve
from my_service._internal.log import stream as stream_module
from my_service._internal.log.stream import BACKLOG_LIMIT, Stream

LINE = b"x" * 9_999 + b"\n"  # more than a pipe accepts at once


class Pipe:
    """A pipe in place of standard error, and its reader."""

    def __init__(self) -> None:
        self.reader, self.writer = os.pipe()
        self.file = open(self.writer, "w")  # noqa: SIM115

    def read(self, size: int) -> bytes:
        """Return this many bytes, or fewer if the writer is closed."""
        parts = []
        while size and (part := os.read(self.reader, min(size, 65_536))):
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def close(self) -> None:
        """Close the reading end."""
        with suppress(OSError):
            os.close(self.reader)


def use(standard_error: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace standard error for the module only, because pytest uses `sys.stderr`."""
    monkeypatch.setattr(stream_module, "sys", SimpleNamespace(stderr=standard_error))


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pipe]:
    pipe = Pipe()
    use(pipe.file, monkeypatch)
    yield pipe
    pipe.file.close()
    pipe.close()


@pytest.fixture
def dropped() -> list[int]:
    """The reported numbers of dropped lines."""
    return []


@pytest.fixture
def stream(dropped: list[int]) -> Stream:
    def on_dropped(count: int) -> None:
        dropped.append(count)
        made.write(b"%d dropped\n" % count)

    made = Stream(on_dropped)
    return made


def test_a_line_is_written_at_once(pipe: Pipe, stream: Stream) -> None:
    """A line is written without a thread if the reader keeps up."""
    threads = threading.active_count()
    stream.write(b"first\n")
    stream.write(b"second\n")
    assert pipe.read(13) == b"first\nsecond\n"
    assert threading.active_count() == threads


def test_a_stalled_reader_blocks_nothing(pipe: Pipe, stream: Stream) -> None:
    """Lines wait, whole and in order, including the line that filled the pipe."""
    begin = time.monotonic()
    lines = [b"%06d" % number + LINE[6:] for number in range(100)]
    for line in lines:
        stream.write(line)
    assert time.monotonic() - begin < 5
    assert pipe.read(len(LINE) * 100) == b"".join(lines)
    stream.flush(SECONDS)
    stream.write(b"directly again\n")
    assert pipe.read(15) == b"directly again\n"


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pipe]:
    """A terminal that passes lines on as they are, and its reader."""
    screen = Pipe.__new__(Pipe)
    screen.reader, screen.writer = os.openpty()
    tty.setraw(screen.writer)
    screen.file = open(screen.writer, "w")  # noqa: SIM115
    use(screen.file, monkeypatch)
    yield screen
    screen.file.close()
    screen.close()


def test_a_terminal_that_is_not_read_blocks_nothing(terminal: Pipe, stream: Stream) -> None:
    """Lines for a terminal wait too, whole and in order."""
    lines = [b"%06d" % number + LINE[6:] for number in range(20)]
    for line in lines:
        stream.write(line)
    assert stream._drain
    assert terminal.read(len(LINE) * 20) == b"".join(lines)
    stream.flush(SECONDS)


def test_a_terminal_is_replaced_under_its_number(terminal: Pipe, stream: Stream) -> None:
    """After `dup2`, lines go where the descriptor leads now."""
    stream.write(b"first\n")
    reader, writer = os.pipe()
    os.dup2(writer, terminal.writer)
    stream.write(b"second\n")
    assert (terminal.read(6), os.read(reader, 100)) == (b"first\n", b"second\n")
    os.close(reader)
    os.close(writer)


def test_a_terminal_of_another_user(
    terminal: Pipe, stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A terminal that cannot be opened again is used as it is."""

    def refuse(*_: object) -> int:
        raise PermissionError

    monkeypatch.setattr(os, "open", refuse)
    stream.write(b"first\n")
    stream.write(b"second\n")
    assert terminal.read(13) == b"first\nsecond\n"


def test_the_backlog_is_bounded(pipe: Pipe, stream: Stream, dropped: list[int]) -> None:
    """Lines over the limit are counted, and reported in one line once there is space."""
    count = 3 * BACKLOG_LIMIT // len(LINE)
    for _ in range(count):
        stream.write(LINE)
    assert stream._backlog_size <= BACKLOG_LIMIT
    received = b""
    while not received.endswith(b" dropped\n"):
        received += os.read(pipe.reader, 65_536)
    [told] = dropped
    assert told > count // 2
    assert received.count(LINE) == count - told
    assert received.replace(LINE, b"") == b"%d dropped\n" % told


def test_a_reader_that_closes_the_pipe(pipe: Pipe, stream: Stream) -> None:
    """If the reader closes the pipe, the waiting lines and all later ones are discarded."""
    for _ in range(20):
        stream.write(LINE)
    pipe.close()
    stream.flush(SECONDS)
    stream.write(b"into the void\n")
    assert not stream._backlog


def test_lines_of_many_threads_stay_whole(pipe: Pipe, stream: Stream) -> None:
    """Lines of many threads stay whole and in order during a stall."""

    def work(name: int) -> None:
        for number in range(50):
            stream.write(b"%02d %02d " % (name, number) * 1_000 + b"\n")

    threads = [threading.Thread(target=work, args=[name]) for name in range(8)]
    for thread in threads:
        thread.start()
    received = pipe.read(8 * 50 * 6_001)
    for thread in threads:
        thread.join()
    lines = received.split(b"\n")[:-1]
    assert all(line == line[:6] * 1_000 for line in lines)
    for name in range(8):  # the lines of each thread are in order
        own = [line[:6] for line in lines if line.startswith(b"%02d" % name)]
        assert own == [b"%02d %02d " % (name, number) for number in range(50)]


def test_a_non_blocking_descriptor(pipe: Pipe, stream: Stream) -> None:
    """Lines are whole even if another process has made the descriptor non-blocking."""
    os.set_blocking(pipe.writer, False)
    for _ in range(20):
        stream.write(LINE)
    assert pipe.read(len(LINE) * 20) == LINE * 20


def test_a_descriptor_that_polls_as_writable_but_is_not(
    pipe: Pipe, stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A descriptor that refuses writes although it polls as writable delays only the thread."""
    refusals = iter([True] * 5)
    write = os.write

    def refuse(fd: int, data: bytes) -> int:
        if fd == pipe.writer and next(refusals, False):
            raise BlockingIOError
        return write(fd, data)

    monkeypatch.setattr(os, "write", refuse)
    stream.write(b"first\n")
    stream.write(b"second\n")
    assert pipe.read(13) == b"first\nsecond\n"


def test_without_a_thread_the_next_line_writes_the_backlog(
    pipe: Pipe, stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If no thread can start, waiting lines are written before the lines that follow."""

    class NoThread(threading.Thread):
        def start(self) -> None:
            raise RuntimeError("can't start new thread")

    monkeypatch.setattr(stream_module, "Thread", NoThread)
    for _ in range(20):
        stream.write(LINE)
    received = b""
    while len(received) < len(LINE) * 20:
        received += os.read(pipe.reader, 65_536)
        stream.write(b"next\n")
    assert received.startswith(LINE * 20)
    assert not received.removeprefix(LINE * 20).replace(b"next\n", b"")


def test_a_failing_callback_for_dropped_lines(pipe: Pipe) -> None:
    """The backlog is written even if the callback for dropped lines fails."""

    def fail(count: int) -> None:
        raise ValueError(count)

    stream = Stream(fail)
    for _ in range(BACKLOG_LIMIT // len(LINE) + 50):
        stream.write(LINE)
    os.set_blocking(pipe.reader, False)
    while stream._drain:
        with suppress(BlockingIOError):
            os.read(pipe.reader, 65_536)
    assert not stream._backlog


def test_a_forked_child_has_no_backlog(pipe: Pipe, stream: Stream) -> None:
    """A forked child has no thread for the parent's backlog, and writes only its own lines."""
    for _ in range(10):
        stream.write(LINE)
    child = os.fork()
    if not child:
        stream.write(b"from the child\n")
        stream.flush(SECONDS)
        os._exit(0)
    received = pipe.read(len(LINE) * 10 + 15)
    os.waitpid(child, 0)
    assert b"from the child\n" in received
    assert received.replace(b"from the child\n", b"") == LINE * 10


@pytest.mark.parametrize(
    "standard_error",
    [
        None,
        io.StringIO(),
        object(),
        SimpleNamespace(fileno=lambda: None),
        SimpleNamespace(fileno=lambda: -1),
    ],
)
def test_standard_error_can_be_any_object(
    standard_error: object, stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Standard error is looked up for every line; without a descriptor, it gets text."""
    use(standard_error, monkeypatch)
    stream.write("größe\n".encode())
    stream.flush(0)
    if isinstance(standard_error, io.StringIO):
        assert standard_error.getvalue() == "größe\n"


def test_standard_error_can_be_closed(stream: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log call does not raise if standard error is closed."""
    closed = open(os.devnull, "w")  # noqa: SIM115
    closed.close()
    use(closed, monkeypatch)
    stream.write(b"lost\n")


def resident(pid: int) -> int:
    """Return the resident memory of a process in bytes."""
    pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not Path("/proc").exists(), reason="needs /proc")
def test_a_service_whose_log_is_not_read(tmp_path: Path) -> None:
    """Requests are answered and memory is bounded; one line counts the lines that are lost."""
    long = {"user-agent": "x" * 4_000, "referer": "x" * 4_000}
    count = 3 * BACKLOG_LIMIT // 8_000
    with serve(tmp_path) as service, service.client(headers=long) as client:
        service.stall()
        memory = []
        for _ in range(2):
            for _ in range(count):
                assert client.get("/nowhere").status_code == 404
            memory.append(resident(service.process.pid))
        assert memory[1] - memory[0] < BACKLOG_LIMIT // 2
        service.resume()
        line = service.wait_for("log lines dropped: standard error was not read")
        assert line["level"] == "WARNING"
        assert service.stop() == 0
        assert service.messages()[-1] == "shutdown"
        assert len(service.all("log request")) + line["dropped"] == 2 * count
        assert service.messages().count(line["message"]) == 1


def test_exit_does_not_wait_for_the_reader(tmp_path: Path) -> None:
    """The process exits soon, with the correct code, if its last lines are not read."""
    with serve(tmp_path) as service:
        service.get("/hello")
        service.stall()
        with service.client() as client:
            for _ in range(100):
                client.get("/nowhere", headers={"user-agent": "x" * 4_000})
        service.signal()
        assert service.process.wait(SECONDS) == 0
        service.may_be_torn = True


def test_a_service_whose_log_is_closed(tmp_path: Path) -> None:
    """Requests are answered, and the exit code is correct."""
    with serve(tmp_path) as service:
        assert service.port
        service.leave()
        for _ in range(10):
            assert service.get("/hello").status_code == 200
        assert service.stop() == 0
