"""`python -m my_service` from its first line to its last: start, stop and exit codes."""

import asyncio
import json
import os
import shutil
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

import my_service
from checks.served import LINE_LIMIT, PLAIN, SECONDS, SERVER, Service, read_all, serve
from my_service._internal import early
from my_service._internal.server import process
from tests.conftest import Log

PACKAGE = Path(my_service.__file__).parent
# A JSON line from a module that is imported before the log begins.
EARLY_LINE = r"""
import os, time
os.write(2, b'{"timestamp": "2026-01-01T00:00:00+00:00", "level": "INFO",'
            b' "message": "importing", "source": "test:test:1"}\n')
time.sleep(60)
"""


def program(code: str) -> tuple[str, str]:
    """Return the arguments for Python to run this code and then serve."""
    serving = "import runpy; runpy.run_module('my_service', run_name='__main__')"
    return "-c", f"import my_service._internal.early\n{code}\n{serving}"


@contextmanager
def serve_changed(folder: Path, module: str, code: str) -> Iterator[Service]:
    """Serve a copy of the package with this code at the end or the beginning of a module."""
    shutil.copytree(PACKAGE, folder / "my_service", ignore=shutil.ignore_patterns("__pycache__"))
    path = folder / "my_service" / module
    source = path.read_text("utf-8")
    path.write_text(code + source if code is EARLY_LINE else source + code, "utf-8")
    with serve(folder, *PLAIN, PYTHONPATH=str(folder)) as service:
        yield service


HANDSHAKE = (
    b"GET %s HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
    b"sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


class Request:
    """A GET in a thread, in progress while the test continues."""

    def __init__(self, service: Service, path: str) -> None:
        self.response: httpx.Response | None = None
        self._thread = threading.Thread(target=self._get, args=[service, path], daemon=True)
        self._thread.start()

    def _get(self, service: Service, path: str) -> None:
        with suppress(httpx.TransportError):
            self.response = service.get(path)

    def wait(self) -> httpx.Response | None:
        """Return the response, or None if the request failed."""
        self._thread.join(SECONDS)
        return self.response


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_signal_stops_the_service(name: str, tmp_path: Path) -> None:
    """The exit code is 0, and the log begins with `started` and ends with `shutdown`."""
    with serve(tmp_path, *PLAIN) as service:
        assert service.get("/hello").status_code == 200
        service.signal(getattr(signal, name))
        assert service.wait() == 0
        messages = service.messages()
        assert messages[0] == "started"
        assert messages[-2:] == ["stopping", "shutdown"]
        assert service.lines[-2]["signal"] == name


def test_requests_in_flight_finish(tmp_path: Path) -> None:
    """Requests in flight have their response and their line before `shutdown`."""
    with serve(tmp_path) as service:
        request = Request(service, "/slow?seconds=0.5")
        service.wait_for("slow begins")
        assert service.stop() == 0
        response = request.wait()
        assert response
        assert response.json() == {"seconds": 0.5}
        assert service.messages()[-3:] == ["stopping", "log request", "shutdown"]


def test_the_port_answers_during_the_delay(tmp_path: Path) -> None:
    """During the delay the service is live but not ready."""
    with serve(tmp_path, *PLAIN, SHUTDOWN_DELAY="1") as service:
        assert service.get("/health/ready").status_code == 200
        begin = time.monotonic()
        service.signal()
        service.wait_for("stopping")
        assert service.get("/health/ready").status_code == 503
        assert service.get("/health/live").status_code == 200
        assert service.wait() == 0
        assert time.monotonic() - begin > 1


@pytest.mark.parametrize(
    "path", ["/slow?seconds=60", "/stubborn", "/blocked", "/large?size=50000000"]
)
def test_the_limit_ends_requests(path: str, tmp_path: Path) -> None:
    """The exit code is 1, every request has its line, and `shutdown` is the last line."""
    with serve(tmp_path, SHUTDOWN_TIMEOUT="0.3") as service, service.connect() as connection:
        connection.sendall(b"GET %s HTTP/1.1\r\nhost: a\r\n\r\n" % path.encode())
        if path.startswith("/large"):
            assert connection.recv(100)  # the client reads no more than this
        else:
            service.wait_for(f"{path[1:].partition('?')[0]} begins")
        begin = time.monotonic()
        assert service.stop() == 1
        assert time.monotonic() - begin < 10
        assert service.wait_for("shutdown limit passed")["cancelled"] == 1
        [line] = service.all("unhandled exception")
        assert line["path_with_query"] == path
        assert service.messages()[-1] == "shutdown"


def test_the_limit_answers_waiting_clients(tmp_path: Path) -> None:
    """A client that still waits gets a 500 with the id."""
    with serve(tmp_path, SHUTDOWN_TIMEOUT="0.3") as service:
        request = Request(service, "/slow?seconds=60")
        service.wait_for("slow begins")
        assert service.stop() == 1
        response = request.wait()
        assert response
        [line] = service.all("unhandled exception")
        assert response.status_code == line["status_code"] == 500
        assert response.headers["x-request-id"] == line["request_id"]


def test_the_limit_ends_a_stalled_upload(tmp_path: Path) -> None:
    """The limit also ends the wait for the rest of a body."""
    with serve(tmp_path, SHUTDOWN_TIMEOUT="0.3") as service, service.connect() as connection:
        connection.sendall(b"POST /upload HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\n1234")
        service.wait_for("upload begins")
        assert service.stop() == 1
        assert service.all("unhandled exception")
        assert service.messages()[-1] == "shutdown"


@pytest.mark.parametrize(
    "sent", [b"", b"GET /hello HTTP/1.1\r\nhos", b"GET /hello HTTP/1.1\r\nhost: a\r\n\r\n"]
)
def test_an_idle_connection_does_not_delay_the_stop(sent: bytes, tmp_path: Path) -> None:
    """A connection without a request in progress is closed at once."""
    with serve(tmp_path) as service, service.connect() as connection:
        connection.sendall(sent)
        if sent.endswith(b"\r\n\r\n"):
            assert connection.recv(1000)
        service.get("/hello")  # after this response, the bytes above have arrived
        begin = time.monotonic()
        assert service.stop() == 0
        assert time.monotonic() - begin < 5


def test_a_handshake_in_progress_delays_nothing(tmp_path: Path) -> None:
    """A handshake in progress is refused, because its connection would not end by itself."""
    with serve(tmp_path) as service, service.connect() as connection:
        connection.sendall(HANDSHAKE % b"/late")
        service.wait_for("late begins")
        assert service.stop() == 0
        [line] = service.all("log websocket")
        assert (line["level"], line["close_code"]) == ("INFO", 1001)


@pytest.mark.parametrize("path", ["/echo", "/ticker"])
def test_websockets_are_closed(path: str, tmp_path: Path) -> None:
    """Clients and endpoints receive 1001, and the exit code is 0."""
    with serve(tmp_path) as service, connect(f"ws://127.0.0.1:{service.port}{path}") as websocket:
        begin = time.monotonic()
        service.signal()
        with pytest.raises(ConnectionClosed) as caught:
            for _ in iter(websocket.recv, None):
                pass
        assert caught.value.rcvd
        assert caught.value.rcvd.code == 1001
        assert service.wait() == 0
        assert time.monotonic() - begin < 5
        [line] = service.all("log websocket")
        assert (line["level"], line["close_code"]) == ("INFO", 1001)


def test_a_websocket_that_does_not_answer_delays_nothing(tmp_path: Path) -> None:
    """The service does not wait for a close frame of the client."""
    with serve(tmp_path) as service, service.connect() as connection:
        connection.sendall(HANDSHAKE % b"/echo")
        service.wait_for("accepted")
        begin = time.monotonic()
        assert service.stop() == 0
        assert time.monotonic() - begin < 5


def test_a_websocket_whose_client_has_disconnected(tmp_path: Path) -> None:
    """A WebSocket without a client cannot be closed with 1001, so the limit ends it."""
    with serve(tmp_path, SHUTDOWN_TIMEOUT="0.3") as service:
        with service.connect() as connection:
            connection.sendall(HANDSHAKE % b"/deaf")
            service.wait_for("accepted")
        service.get("/hello")  # after this response, the service knows
        assert service.stop() == 1
        [line] = service.all("log websocket")
        assert line["close_code"] == 1011


def test_the_limit_ends_a_websocket(tmp_path: Path) -> None:
    """The limit ends a WebSocket as it ends a request."""
    with serve(tmp_path, SHUTDOWN_TIMEOUT="0.3") as service, service.connect() as connection:
        connection.sendall(HANDSHAKE % b"/deaf")
        service.wait_for("accepted")
        assert service.stop() == 1
        [line] = service.all("log websocket")
        assert line["level"] == "ERROR"
        assert service.messages()[-1] == "shutdown"


def test_a_second_signal_ends_the_wait(tmp_path: Path) -> None:
    """A second signal ends the wait for requests, with exit code 1."""
    with serve(tmp_path) as service:
        request = Request(service, "/slow?seconds=60")
        service.wait_for("slow begins")
        service.signal()
        service.wait_for("stopping")
        time.sleep(0.3)  # an immediate second signal would count as the same
        service.signal()
        assert service.wait() == 1
        assert service.wait_for("second signal")["cancelled"] == 1
        assert request.wait()
        assert service.messages()[-1] == "shutdown"


@pytest.mark.parametrize(("signals", "delay"), [(1, "1"), (2, "20")])
def test_an_idle_connection_is_closed_after_the_delay(
    signals: int, delay: str, tmp_path: Path
) -> None:
    """An idle connection is closed before the limit, and by a second signal."""
    variables = {"SHUTDOWN_DELAY": delay, "SHUTDOWN_TIMEOUT": "1"}
    with serve(tmp_path, **variables) as service, service.client() as client:
        client.get("/hello")
        begin = time.monotonic()
        service.signal()
        if signals == 2:
            service.wait_for("stopping")
            time.sleep(0.3)  # an immediate second signal would count as the same
            service.signal()
        assert service.wait() == (0 if signals == 1 else 1)
        assert time.monotonic() - begin < 5
        assert not service.all("shutdown limit passed")


@pytest.mark.parametrize("numbers", [(15, 15), (2, 2), (15, 2)])
def test_a_signal_to_a_group_can_arrive_twice(numbers: tuple[int, ...], tmp_path: Path) -> None:
    """Service managers and `timeout` signal a process and its group: both count as one."""
    with serve(tmp_path) as service:
        request = Request(service, "/slow?seconds=0.5")
        service.wait_for("slow begins")
        for number in numbers:
            os.killpg(service.process.pid, number)
        assert service.wait() == 0
        response = request.wait()
        assert response
        assert response.status_code == 200
        assert service.messages()[-3:] == ["stopping", "log request", "shutdown"]


def test_a_late_signal_changes_nothing(tmp_path: Path) -> None:
    """A signal has no effect after the last line, while the interpreter exits."""
    with serve(tmp_path, SHUTDOWN_TIMEOUT="1") as service:
        service.get("/left-behind")
        service.signal()
        service.wait_for("shutdown")
        time.sleep(0.2)
        service.signal(signal.SIGTERM)
        service.signal(signal.SIGINT)
        assert service.wait() == 0


def test_a_remaining_thread_does_not_keep_the_process(tmp_path: Path) -> None:
    """The thread has the rest of the limit; the exit code is 0 because all requests ended."""
    with serve(tmp_path, SHUTDOWN_TIMEOUT="0.3") as service:
        service.get("/left-behind")
        begin = time.monotonic()
        assert service.stop() == 0
        assert time.monotonic() - begin < 10


@pytest.mark.parametrize(
    ("path", "code"),
    [("/exit/3", 3), ("/exit/0", 0), ("/exit-with-a-text", 1), ("/interrupted", 130)],
)
def test_an_endpoint_can_end_the_process(path: str, code: int, tmp_path: Path) -> None:
    """The exit code is the endpoint's, its line is correct, and other requests finish."""
    with serve(tmp_path) as service:
        other = Request(service, "/slow?seconds=0.5")
        service.wait_for("slow begins")
        response = service.get(path)
        assert response.status_code == 500
        assert service.wait() == code
        [line] = service.all("unhandled exception")
        assert line["request_id"] == response.headers["x-request-id"]
        assert ("KeyboardInterrupt" if code == 130 else "SystemExit") in line["exception"]
        finished = other.wait()
        assert finished
        assert finished.status_code == 200
        assert service.messages()[-1] == "shutdown"


def test_a_task_can_end_the_process(tmp_path: Path) -> None:
    """A SystemExit in another task leaves the event loop, and other requests finish."""
    with serve(tmp_path) as service:
        other = Request(service, "/slow?seconds=0.5")
        service.wait_for("slow begins")
        with pytest.raises(httpx.RemoteProtocolError):
            service.get("/exit-in-a-stream")
        assert service.wait() == 3
        [line] = service.all("unhandled exception")
        assert line["completed"] is False
        finished = other.wait()
        assert finished
        assert finished.status_code == 200
        assert service.messages()[-1] == "shutdown"


def test_a_port_in_use(tmp_path: Path) -> None:
    """One line names the port and its variable, before anything is started."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with serve(tmp_path, *PLAIN, PORT=str(port)) as service:
            assert service.wait() == 1
            [line] = service.lines
            assert line["level"] == "ERROR"
            assert str(port) in line["message"]
            assert line["message"].endswith("; set PORT to a free port")


@pytest.mark.parametrize("host", ["192.0.2.1", "x" * 64])
def test_a_host_that_cannot_be_bound(host: str, tmp_path: Path) -> None:
    """One line names the host and its variable."""
    with serve(tmp_path, *PLAIN, HOST=host) as service:
        assert service.wait() == 1
        [line] = service.lines
        assert line["level"] == "ERROR"
        assert host in line["message"]
        assert line["message"].endswith("; check HOST and PORT")


@pytest.mark.parametrize(("count", "warnings"), [("3", 1), ("many", 1), ("1", 0)])
def test_a_number_of_workers(count: str, warnings: int, tmp_path: Path) -> None:
    """One process serves; a line says that another number of workers has no effect."""
    with serve(tmp_path, *PLAIN, WEB_CONCURRENCY=count) as service:
        assert service.get("/hello").status_code == 200
        assert service.stop() == 0
        told = [line["message"] for line in service.lines if line["level"] == "WARNING"]
        assert len(told) == warnings
        assert all(f"WEB_CONCURRENCY={count} " in message for message in told)


@pytest.mark.parametrize("path", ["/api/hello", "/hello"])
def test_a_path_prefix(path: str, tmp_path: Path) -> None:
    """A proxy can keep the prefix or remove it; the line has it."""
    with serve(tmp_path, *PLAIN, ROOT_PATH="/api") as service:
        response = service.get(path)
        assert response.status_code == 200
        line = service.wait_for("log request", request_id=response.headers["x-request-id"])
        assert line["path_with_query"] == "/api/hello"


def test_bad_variables(tmp_path: Path) -> None:
    """One line names all invalid variables."""
    with serve(tmp_path, *PLAIN, PORT="http", LOG_LEVEL="loud") as service:
        assert service.wait() == 1
        [line] = service.lines
        assert line["level"] == "ERROR"
        assert "PORT" in line["message"]
        assert "LOG_LEVEL" in line["message"]


@pytest.mark.parametrize(
    ("module", "code", "expected"),
    [
        ("main.py", "\nimport not_installed\n", "not_installed"),
        ("main.py", "\nthis is no Python\n", "SyntaxError"),
        ("main.py", "\n1 / 0\n", "ZeroDivisionError"),
        ("logging.py", "\nimport not_installed\n", "not_installed"),
        ("_internal/log/redaction.py", "\nthis is no Python\n", "SyntaxError"),
        ("main.py", "\nraise SystemExit('DATABASE_URL is missing')\n", "DATABASE_URL is missing"),
    ],
)
def test_an_import_that_fails(module: str, code: str, expected: str, tmp_path: Path) -> None:
    """One line says why, even if the log itself cannot be imported."""
    with serve_changed(tmp_path, module, code) as service:
        assert service.wait() == 1
        [line] = service.lines
        assert line["level"] == "ERROR"
        assert expected in line["message"] + line.get("exception", "")


def test_an_import_can_end_the_process(tmp_path: Path) -> None:
    """A SystemExit during import ends the process silently, with its exit code."""
    with serve_changed(tmp_path, "main.py", "\nraise SystemExit(7)\n") as service:
        assert service.wait() == 7
        assert service.lines == []


def replaced(name: str, body: str) -> tuple[str, str]:
    """Return the arguments for a service with another `startup` or `shutdown`."""
    return program(f"""
import asyncio
from loguru import logger
from my_service import resources
async def {name}() -> None:
    {body}
resources.{name} = {name}
""")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("raise ConnectionError('database')", 1),
        ("raise SystemExit('database')", 1),
        ("raise SystemExit(5)", 5),
        ("raise KeyboardInterrupt", 130),
    ],
)
def test_a_startup_that_fails(body: str, code: int, tmp_path: Path) -> None:
    """One line says why, nothing is served, and the exit code is not 0."""
    with serve(tmp_path, *replaced("startup", body)) as service:
        assert service.wait() == code
        [line] = service.lines
        assert (line["message"], line["level"]) == ("startup failed", "ERROR")
        assert body.removeprefix("raise ").partition("(")[0] in line["exception"]


@pytest.mark.parametrize(
    ("body", "code"), [("raise OSError('database')", 1), ("raise SystemExit(5)", 5)]
)
def test_a_shutdown_that_fails(body: str, code: int, tmp_path: Path) -> None:
    """The failure is logged, `shutdown` is still the last line, and the exit code is not 0."""
    with serve(tmp_path, *replaced("shutdown", body)) as service:
        service.get("/hello")
        assert service.stop() == code
        assert service.messages()[-2:] == ["shutdown failed", "shutdown"]


def test_a_shutdown_that_does_not_end(tmp_path: Path) -> None:
    """The limit applies to `shutdown` too."""
    endless = replaced("shutdown", "await asyncio.sleep(60)")
    with serve(tmp_path, *endless, SHUTDOWN_TIMEOUT="0.3") as service:
        service.get("/hello")
        assert service.stop() == 1
        messages = service.messages()[-3:]
        assert messages == ["shutdown limit passed", "shutdown failed", "shutdown"]


def test_a_signal_during_startup(tmp_path: Path) -> None:
    """The startup is completed, then stopped, and the service is never ready."""
    slow = replaced("startup", "logger.info('starting'); await asyncio.sleep(0.5)")
    with serve(tmp_path, *slow) as service:
        service.wait_for("starting")
        assert service.stop() == 0
        messages = [message for message in service.messages() if "Running" not in message]
        assert messages == ["starting", "stopping", "started", "shutdown"]


def test_a_startup_that_does_not_end(tmp_path: Path) -> None:
    """The limit applies to `startup` too."""
    endless = replaced("startup", "logger.info('starting'); await asyncio.sleep(60)")
    with serve(tmp_path, *endless, SHUTDOWN_TIMEOUT="0.3") as service:
        service.wait_for("starting")
        assert service.stop() == 1
        messages = service.messages()[-3:]
        assert messages == ["shutdown limit passed", "startup failed", "shutdown"]


@pytest.mark.parametrize("module", ["main.py", "_internal/log/redaction.py"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_during_import(module: str, number: int, tmp_path: Path) -> None:
    """Nothing has to be stopped yet, so the process ends at once without a line."""
    with serve_changed(tmp_path, module, EARLY_LINE) as service:
        service.wait_for("importing")
        service.signal(number)
        assert service.wait() == 0
        assert service.messages() == ["importing"]


REFUSE_TO_LISTEN = """
import asyncio
async def refuse(*args, **kwargs):
    raise OSError("taken in the meantime")
""" + {
    "hypercorn": "asyncio.start_server = refuse\n",
    "uvicorn": "from my_service._internal.uvicorn.server import _Server; _Server._accept = refuse\n",
}[SERVER]


def test_a_server_that_fails(tmp_path: Path) -> None:
    """The error is logged, what was started is stopped, and the exit code is 1."""
    with serve(tmp_path, *program(REFUSE_TO_LISTEN)) as service:
        assert service.wait() == 1
        assert service.messages() == ["started", "server failed", "shutdown"]
        assert "taken in the meantime" in service.lines[1]["exception"]


def test_a_crash_keeps_its_code(tmp_path: Path) -> None:
    """The exit code of a crashed interpreter is kept."""
    with serve(tmp_path, *program("import my_service.main, os; os.abort()")) as service:
        assert service.wait() == -signal.SIGABRT


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that has to survive all tests."""
    with serve(tmp_path_factory.mktemp("process")) as service:
        yield service
        assert service.stop() == 0


NO_REQUESTS = [
    b"no request\r\n\r\n",
    b"GET / HTTP/1.1\r\nhost: a\r\nx: " + b"x" * 100_000 + b"\r\n\r\n",
    b"GET /\xff HTTP/1.1\r\nhost: a\r\n\r\n",
    HANDSHAKE.replace(b"13", b"12") % b"/echo",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 64,
    bytes(range(256)) * 8,
]
REQUESTS = [
    b"GET /%ff%00%0a?a=%ff&\\xff HTTP/1.1\r\nhost: a\r\nuser-agent: \xff\xfe\r\n\r\n",
    b"GET / HTTP/1.1\r\nhost: \xff\r\nreferer: \xff\r\nx-forwarded-for: \xff\r\n\r\n",
    b"GET * HTTP/1.1\r\nhost: a\r\n\r\n",
    b"GET http://b/hello HTTP/1.1\r\nhost: a\r\n\r\n",
    b"POST /upload HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
]
if SERVER == "hypercorn":  # uvicorn refuses an unknown method, and bytes behind a handshake
    REQUESTS += [b"BREW /hello HTTP/1.0\r\n\r\n", HANDSHAKE % b"/echo?\\xff" + b"\xff" * 64]
else:
    NO_REQUESTS += [HANDSHAKE % b"/echo?\\xff" + b"\xff" * 64]


@pytest.mark.parametrize("raw", NO_REQUESTS + REQUESTS)
def test_arbitrary_bytes_do_not_break_the_log(raw: bytes, service: Service) -> None:
    """A request has one line if it reaches the application, and none if the server refuses it."""

    def lines() -> int:
        return len(service.all("log request") + service.all("log websocket"))

    before = lines()
    with service.connect() as connection:
        connection.sendall(raw)
        connection.shutdown(1)
        answer = read_all(connection)
    assert service.get("/hello").status_code == 200
    expected = before + 1 + (raw in REQUESTS)
    service.wait_until(lambda: lines() >= expected)
    assert lines() == expected
    if raw in NO_REQUESTS[:4]:
        assert answer.startswith(b"HTTP/1.1 4")
        assert b"x-request-id" not in answer.lower()


def test_only_failures_at_the_end_of_the_loop_are_logged(log: Log) -> None:
    """When the event loop ends, only a task that failed has a line."""
    loop = asyncio.new_event_loop()
    for error in (
        asyncio.CancelledError(),
        process.LifespanError(),
        ValueError("lost"),
    ):
        process._log_lost(loop, {"message": "unhandled", "exception": error})
    loop.close()
    [line] = log("unhandled")
    assert "ValueError: lost" in line["exception"]


def test_a_failed_import_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """The line is written without any library that may be missing, and has the usual limit."""
    try:
        raise ImportError("x" * 100_000)
    except ImportError as error:
        early._log_uncaught(ImportError, error, error.__traceback__)
    [line, rest] = capsys.readouterr().err.split("\n")
    assert rest == ""
    assert len(line) < LINE_LIMIT
    told = json.loads(line)
    assert told.keys() == {"timestamp", "level", "message", "source", "exception"}
    assert told["source"].startswith("test_process.py:test_a_failed_import_is_one_line:")
