"""exchange.py, http_exchange.py and request_log.py: each request has exactly one correct line."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Annotated, Any

import pytest
from fastapi import BackgroundTasks, Depends, FastAPI, HTTPException, Request
from fastapi.responses import FileResponse, JSONResponse, Response
from loguru import logger
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from checks.apps import logged, make_app
from checks.asgi_calls import DISCONNECT, END, START, Server, call, given_up, http
from my_service._internal.asgi.exchange import in_flight
from my_service._internal.log.texts import TEXT_LIMIT
from my_service.logging import bind_request
from tests.conftest import Log, connect

REQUEST_LINES = {"log request", "unhandled exception"}
Line = dict[str, Any]


def request_line(lines: list[Line]) -> Line:
    """Return the only request line, and check that no request is in flight."""
    [line] = [line for line in lines if line["message"] in REQUEST_LINES]
    assert not in_flight
    return line


def sending(*messages: Message | BaseException, **options: Any) -> ASGIApp:
    """Return an application that sends these messages and raises the exceptions among them."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for message in messages:
            if isinstance(message, BaseException):
                raise message
            await send(message)

    return logged(app, **options)


def body(content: bytes, *, more: bool = False) -> Message:
    """Return a message with a part of the response body."""
    return {"type": "http.response.body", "body": content, "more_body": more}


class Failure(Exception):
    """The exception that endpoints raise."""


def failing(**options: Any) -> FastAPI:
    """Return an application whose only endpoint raises."""
    app = make_app(**options)

    @app.get("/")
    async def fail() -> None:
        raise Failure("broken")

    return app


class PureMiddleware:
    """A typical ASGI middleware, which passes every message through."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def pass_on(message: Message) -> None:
            await send(message)

        await self.app(scope, receive, pass_on)


async def pass_on(request: Request, call_next: RequestResponseEndpoint) -> Response:
    """Do nothing, as a `BaseHTTPMiddleware` dispatch function."""
    return await call_next(request)


def with_handler(*, fails: bool = False) -> FastAPI:
    """Return a failing application with a handler for all exceptions."""
    app = failing()

    @app.exception_handler(Exception)
    async def handle(request: Request, exc: Exception) -> JSONResponse:
        if fails:
            raise RuntimeError("the handler fails too") from exc
        return JSONResponse({"sorry": True}, status_code=500)

    return app


def with_middleware(middleware: Any, **options: Any) -> FastAPI:
    app = failing()
    app.add_middleware(middleware, **options)
    return app


def mounted(inner: FastAPI) -> FastAPI:
    app = make_app()
    app.mount("/", inner)
    return app


def plain(inner: FastAPI) -> FastAPI:
    """Return the same routes in a plain `FastAPI` application."""
    app = FastAPI()
    app.include_router(inner.router)
    return app


@pytest.mark.parametrize(
    "make",
    [
        failing,
        lambda: failing(debug=True),
        with_handler,
        lambda: with_handler(fails=True),
        lambda: with_middleware(PureMiddleware),
        lambda: with_middleware(GZipMiddleware),
        lambda: with_middleware(BaseHTTPMiddleware, dispatch=pass_on),
        lambda: mounted(plain(failing())),
        lambda: mounted(failing()),
    ],
    ids=["plain", "debug", "handler", "failing handler", "middleware", "gzip", "base middleware"]
    + ["mounted", "mounted service"],
)
async def test_a_failure_is_one_line(make: Callable[[], FastAPI], log: Log) -> None:
    """Any failure is one ERROR line with the exception, and a 500 with the request id."""
    async with connect(make()) as client:
        response = await client.get("/")
    line = request_line(log())
    assert (line["message"], line["level"]) == ("unhandled exception", "ERROR")
    assert "Failure: broken" in line["exception"]
    assert response.status_code == line["status_code"] == 500
    assert response.headers.get_list("x-request-id") == [line["request_id"]]
    assert line["response_length"] == len(response.content)
    assert "completed" not in line


@pytest.mark.parametrize("status", [200, 418, 500])
async def test_a_middleware_can_handle_a_failure(status: int, log: Log) -> None:
    """A handled exception is not a failure: the line has the status of the response."""

    async def answer(request: Request, call_next: RequestResponseEndpoint) -> Response:
        try:
            return await call_next(request)
        except Failure:
            return Response("sorry", status)

    async with connect(with_middleware(BaseHTTPMiddleware, dispatch=answer)) as client:
        assert (await client.get("/")).text == "sorry"
    line = request_line(log())
    assert (line["message"], line["status_code"]) == ("log request", status)
    assert line["level"] == ("ERROR" if status == 500 else "INFO")


@pytest.mark.parametrize("messages", [[], [START], [START, body(b"12345", more=True)]])
async def test_an_incomplete_response_is_an_error(messages: list[Message], log: Log) -> None:
    """An incomplete response is a 500 before its first byte, and a broken response after it."""
    server = await call(sending(*messages), http())
    line = request_line(log())
    assert (line["message"], line["level"]) == ("unhandled exception", "ERROR")
    assert "did not complete its response" in line["exception"]
    begun = len(messages) == 2
    assert server.head["status"] == line["status_code"] == (200 if begun else 500)
    assert server.headers["x-request-id"] == line["request_id"]
    assert line["response_length"] == len(server.body)
    assert ("completed" in line) is begun


async def test_invalid_response_headers_are_a_500(log: Log) -> None:
    """Invalid response headers produce a 500 with the request id."""

    class Strict(Server):
        async def send(self, message: Message) -> None:
            if any(isinstance(name, str) for name, _ in message.get("headers", ())):
                raise TypeError("headers are bytes")
            await super().send(message)

    server = Strict()
    wrong = START | {"headers": [("content-length", "0")]}
    await sending(wrong, END)(http(), server.receive, server.send)
    line = request_line(log())
    assert "headers are bytes" in line["exception"]
    assert server.head["status"] == line["status_code"] == 500
    assert server.headers["x-request-id"] == line["request_id"]


async def test_a_late_500_keeps_the_headers_of_cors(log: Log) -> None:
    """A response that fails before its first byte is a 500 that a browser does not hide."""
    cors = [(b"access-control-allow-origin", b"https://shop.test"), (b"vary", b"Origin")]
    start = START | {"headers": [(b"content-length", b"9"), (b"etag", b"x"), *cors]}
    server = await call(sending(start, Failure("no body")), http())
    assert request_line(log())["status_code"] == server.head["status"] == 500
    assert server.headers.items() >= {name.decode(): value.decode() for name, value in cors}.items()
    assert "etag" not in server.headers
    assert server.headers["content-length"] == str(len(server.body))


async def test_a_failing_server_loses_no_line(log: Log) -> None:
    """A request has its line even if every `send` of the server raises."""

    class Broken(Server):
        async def send(self, message: Message) -> None:
            raise RuntimeError("the server is broken")

    server = Broken()
    await sending(START, END)(http(), server.receive, server.send)
    line = request_line(log())
    assert "the server is broken" in line["exception"]
    assert (line["status_code"], line["completed"]) == (500, False)


@pytest.mark.parametrize(
    ("method", "status", "length"),
    [("GET", 200, 10), ("HEAD", 200, 0), ("GET", 204, 0), ("GET", 304, 0)],
)
async def test_response_length_counts_only_sent_bytes(
    method: str, status: int, length: int, log: Log
) -> None:
    """`response_length` is 0 for HEAD, 204 and 304, because servers send no body with them."""
    app = sending(START | {"status": status}, body(b"12345", more=True), body(b"67890"))
    await call(app, http(method=method))
    line = request_line(log())
    assert (line["response_length"], line["status_code"]) == (length, status)
    assert line["level"] == "INFO"


async def test_early_hints_are_not_held_back(log: Log) -> None:
    """Messages before the response head, such as early hints, pass at once."""
    hint = {"type": "http.response.early_hint", "links": [b"</style.css>"]}
    server = await call(sending(hint, START, END), http())
    assert [message["type"] for message in server.sent] == [
        hint["type"],
        START["type"],
        END["type"],
    ]
    assert request_line(log())["status_code"] == 200


async def test_a_file_that_the_server_sends_has_its_size(log: Log) -> None:
    """The line has the file size if a server such as Granian sends the file itself."""
    scope = http(extensions={"http.response.pathsend": {}})
    server = await call(logged(FileResponse(__file__)), scope)
    line = request_line(log())
    assert server.headers["x-request-id"] == line["request_id"]
    assert server.sent[-1]["path"] == __file__
    assert line["response_length"] == int(server.headers["content-length"]) > 1000


async def test_a_long_body_is_sent_in_parts(log: Log) -> None:
    """The client receives the same bytes if a long body is split."""
    content = bytes(range(256)) * 4096
    server = await call(sending(START, body(content, more=True), body(content)), http())
    assert server.body == content + content
    more = [message["more_body"] for message in server.sent[1:]]
    assert more == [True] * (len(more) - 1) + [False]
    assert request_line(log())["response_length"] == len(content) * 2


async def test_headers_of_an_inner_application_are_replaced(log: Log) -> None:
    """The request id and time of the outer application replace those of an inner one."""
    own = [(b"x-request-id", b"other"), (b"x-processed-time", b"0"), (b"x-more", b"kept")]
    server = await call(sending(START | {"headers": own}, END), http())
    names = [name for name, _ in server.head["headers"]]
    assert sorted(names) == [b"x-more", b"x-processed-time", b"x-request-id"]
    assert server.headers["x-request-id"] == request_line(log())["request_id"]


async def test_two_request_ids_are_ignored(log: Log) -> None:
    """Two request ids are ambiguous, so the request gets a new one."""
    headers = [(b"x-request-id", b"one"), (b"x-request-id", b"two")]
    server = await call(sending(START, END), http(headers=headers))
    assert server.headers["x-request-id"] not in {"one", "two"}


def with_background(*, handled: bool) -> FastAPI:
    app = make_app()

    async def fail() -> None:
        raise Failure("too late")

    @app.get("/")
    async def endpoint(tasks: BackgroundTasks) -> None:
        tasks.add_task(fail)
        if handled:
            raise HTTPException(404)

    @app.exception_handler(HTTPException)
    async def handle(request: Request, exc: HTTPException) -> Response:
        tasks = BackgroundTasks()
        tasks.add_task(fail)
        return Response(status_code=exc.status_code, background=tasks)

    return app


def with_teardown() -> FastAPI:
    app = make_app()

    async def dependency() -> AsyncIterator[None]:
        yield
        raise Failure("too late")

    @app.get("/", dependencies=[Depends(dependency)])
    async def endpoint() -> None: ...

    return app


def with_sync_teardown() -> FastAPI:
    app = make_app()

    def dependency() -> Iterator[None]:
        yield
        raise Failure("too late")

    @app.get("/")
    def endpoint(value: Annotated[None, Depends(dependency)]) -> None: ...

    return app


@pytest.mark.parametrize(
    ("make", "status"),
    [
        (lambda: with_background(handled=False), 200),
        (lambda: with_background(handled=True), 404),
        (with_teardown, 200),
        (with_sync_teardown, 200),
    ],
    ids=["background", "background of a handler", "teardown", "sync teardown"],
)
@pytest.mark.parametrize("middleware", [False, True])
async def test_a_failure_after_the_response_has_a_separate_line(
    make: Callable[[], FastAPI], status: int, middleware: bool, log: Log
) -> None:
    """A late failure is a line with the id, and changes neither response nor request line."""
    app = make()
    if middleware:
        app.add_middleware(BaseHTTPMiddleware, dispatch=pass_on)
    async with connect(app) as client:
        response = await client.get("/")
    lines = log()
    line = request_line(lines)
    assert (line["message"], line["level"]) == ("log request", "INFO")
    assert response.status_code == line["status_code"] == status
    [failure] = [line for line in lines if line["message"] == "exception after response"]
    assert failure["level"] == "ERROR"
    assert failure["request_id"] == response.headers["x-request-id"]
    assert "Failure: too late" in failure["exception"]


async def test_elapsed_excludes_background_tasks(log: Log) -> None:
    """`elapsed` ends with the response, before the background tasks run."""
    app = make_app()

    @app.get("/")
    async def endpoint(tasks: BackgroundTasks) -> None:
        tasks.add_task(asyncio.sleep, 0.05)

    async with connect(app) as client:
        await client.get("/")
    assert request_line(log())["elapsed"] < 0.05


@pytest.mark.parametrize("end", [asyncio.CancelledError, KeyboardInterrupt, SystemExit])
async def test_exceptions_that_end_a_task_are_raised_again(
    end: type[BaseException], log: Log
) -> None:
    """The client gets a 500, the log gets a line, and the exception is raised again."""
    server = Server()
    with pytest.raises(end):
        await sending(end())(http(), server.receive, server.send)
    line = request_line(log())
    assert (line["message"], line["level"]) == ("unhandled exception", "ERROR")
    assert end.__name__ in line["exception"]
    assert server.head["status"] == line["status_code"] == 500
    assert server.headers["x-request-id"] == line["request_id"]


async def test_a_request_cancelled_twice_has_its_line(log: Log) -> None:
    """A request has its line even if it is cancelled twice while `send` blocks."""

    class Stuck(Server):
        async def send(self, message: Message) -> None:
            await asyncio.Event().wait()

    async def wait(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.Event().wait()

    server = Stuck()
    task = asyncio.create_task(logged(wait)(http(), server.receive, server.send))
    for _ in range(2):
        await asyncio.sleep(0.01)
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert "CancelledError" in request_line(log())["exception"]


def test_a_dropped_request_has_its_line(log: Log) -> None:
    """A request has its line even if the event loop ends and drops its coroutine."""

    async def wait(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        await asyncio.sleep(0)

    server = Server()
    running = logged(wait)(http(), server.receive, server.send)
    running.send(None)
    running.close()
    assert "GeneratorExit" in request_line(log())["exception"]


@pytest.mark.parametrize("error", [None, Failure("broken")])
async def test_a_disconnect_is_not_an_error_of_the_service(
    error: Exception | None, log: Log
) -> None:
    """A disconnect during an upload is a 499 at INFO; an exception of the endpoint is an ERROR."""
    app = make_app()

    @app.post("/")
    async def endpoint(request: Request) -> None:
        try:
            await request.body()
        finally:
            if error:
                raise error

    part = {"type": "http.request", "body": b"12345", "more_body": True}
    await call(app, http(method="POST"), part, DISCONNECT)
    line = request_line(log())
    assert line["disconnected"] is True
    assert (line["level"], line["status_code"]) == (("ERROR", 500) if error else ("INFO", 499))
    assert line["response_length"] == 0


async def test_a_disconnect_while_fastapi_reads_the_body(log: Log) -> None:
    """The line has 499 instead of the 400 that FastAPI would send to the disconnected client."""
    app = make_app()

    @app.post("/")
    async def endpoint(values: dict[str, int]) -> None: ...

    server = await call(app, http(method="POST"), DISCONNECT)
    assert server.sent == []
    line = request_line(log())
    assert (line["level"], line["status_code"], line["disconnected"]) == ("INFO", 499, True)


@pytest.mark.parametrize(("lost_at", "status", "length"), [(0, 499, 0), (1, 200, 0), (2, 200, 5)])
async def test_an_oserror_from_send_is_a_disconnect(
    lost_at: int, status: int, length: int, log: Log
) -> None:
    """An OSError from `send` is a disconnect (ASGI 2.4); bytes sent before it count."""
    server = Server(lost_at=lost_at)
    app = sending(START, body(b"12345", more=True), body(b"67890"))
    await app(http(), server.receive, server.send)
    line = request_line(log())
    assert (line["message"], line["level"]) == ("log request", "INFO")
    assert (line["disconnected"], line["status_code"]) == (True, status)
    assert line["response_length"] == length


async def test_an_oserror_of_the_application_is_a_failure(log: Log) -> None:
    """A refused database connection is a failure, even after the client has disconnected."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        raise ConnectionRefusedError("database")

    await call(logged(app), http(), DISCONNECT)
    line = request_line(log())
    assert (line["message"], line["disconnected"]) == ("unhandled exception", True)


async def test_a_stream_that_ignores_the_disconnect_ends(log: Log) -> None:
    """A `send` after the disconnect raises the OSError that Hypercorn does not raise."""

    async def endless(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        await send(body(b"12345", more=True))
        await receive()
        while True:
            await send(body(b"67890", more=True))

    await call(logged(endless), http(), DISCONNECT)
    line = request_line(log())
    assert (line["message"], line["disconnected"]) == ("log request", True)
    assert (line["status_code"], line["response_length"]) == (200, 5)


async def test_http_disconnect_after_the_response_is_ignored(log: Log) -> None:
    """`http.disconnect` after a complete response does not mark the line as disconnected."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        await send(END)
        await receive()

    await call(logged(app), http(), DISCONNECT)
    assert "disconnected" not in request_line(log())


HOSTILE = b'\xff\xfe\x00\n\r\x1b[31m"}\xe2\x80\xa8'


async def test_any_bytes_can_be_logged(log: Log) -> None:
    """Arbitrary bytes in path, query and headers neither raise nor break a line."""
    headers = [(b"user-agent", HOSTILE), (b"referer", HOSTILE), (b"x-forwarded-for", HOSTILE)]
    await call(
        sending(START, END),
        http(raw_path=b"/" + HOSTILE, query_string=HOSTILE, headers=headers, method="\udcff"),
    )
    line = request_line(log())
    for name in ("path_with_query", "user_agent", "referer"):
        assert r"\xff\xfe" in line[name]
    assert line["method"] == r"\udcff"


async def test_long_texts_are_truncated(log: Log) -> None:
    """A path or header of a megabyte is truncated, and the line says by how much."""
    long = b"x" * 1_000_000
    await call(sending(START, END), http(raw_path=b"/" + long, headers=[(b"user-agent", long)]))
    line = request_line(log())
    for name in ("path_with_query", "user_agent"):
        assert len(line[name]) < TEXT_LIMIT + 50
        assert re.search(r"\[\d+ characters cut\]", line[name])


async def test_client_and_raw_path_are_optional(log: Log) -> None:
    """A scope without `client` and `raw_path`, which are optional in ASGI, has its line."""
    scope = http("/ä", client=None)
    del scope["raw_path"]
    await call(sending(START, END), scope)
    line = request_line(log())
    assert (line["remote_ip"], line["path_with_query"]) == ("", "/%C3%A4")


@pytest.mark.parametrize("path", ["/hello", "/api/hello"])
async def test_a_prefix_is_part_of_the_path(path: str, log: Log) -> None:
    """The log and links have the full path, whether or not the proxy strips the prefix."""
    app = make_app()

    @app.get("/hello")
    async def hello(request: Request) -> str:
        return str(request.url)

    headers = [(b"host", b"test")]
    server = await call(app, http(path, root_path="/api", headers=headers))
    assert server.body == b'"http://test/api/hello"'
    assert request_line(log())["path_with_query"] == "/api/hello"


async def test_a_prefix_needs_no_raw_path(log: Log) -> None:
    """A prefix works without `raw_path`, which is optional in ASGI."""
    await call(sending(START, END), http("/hello", root_path="/ä", raw_path=None))
    assert request_line(log())["path_with_query"] == "/%C3%A4/hello"


async def test_fields_can_be_bound_anywhere(log: Log) -> None:
    """Fields bound in dependencies, endpoints and threads are in every later line."""
    app = make_app()

    async def in_dependency() -> None:
        bind_request(dependency=1)

    def in_sync_dependency() -> None:
        bind_request(sync_dependency=2)

    @app.get("/", dependencies=[Depends(in_dependency), Depends(in_sync_dependency)])
    async def endpoint() -> None:
        bind_request(endpoint=3)
        await asyncio.to_thread(bind_request, thread=4)
        logger.info("inside")

    bound = {"dependency": 1, "sync_dependency": 2, "endpoint": 3, "thread": 4}
    async with connect(app) as client:
        await client.get("/")
    for line in log():
        assert bound.items() <= line.items()


async def test_fields_can_be_bound_below_middleware(log: Log) -> None:
    """Fields bound below a `BaseHTTPMiddleware`, which starts a new task, are in the line."""
    app = make_app()
    app.add_middleware(BaseHTTPMiddleware, dispatch=pass_on)

    @app.get("/")
    def endpoint() -> None:
        bind_request(user=1)

    async with connect(app) as client:
        await client.get("/")
    assert request_line(log())["user"] == 1


async def test_other_scopes_pass_through() -> None:
    """Scopes other than requests and WebSockets pass through."""
    seen = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    await call(logged(app), {"type": "lifespan"})
    assert seen == ["lifespan"]


async def test_an_aborted_request_has_its_line(log: Log) -> None:
    """A request that is aborted at process exit has exactly one line, with its id."""

    async def wait(scope: Scope, receive: Receive, send: Send) -> None:
        bind_request(user=1)
        await asyncio.Event().wait()

    await given_up(wait, http())
    line = request_line(log())
    assert (line["message"], line["level"]) == ("unhandled exception", "ERROR")
    assert (line["status_code"], line["completed"], line["user"]) == (500, False, 1)
    assert "TimeoutError" in line["exception"]
    assert line["request_id"]


async def test_an_aborted_background_task_keeps_the_response(log: Log) -> None:
    """Aborting a background task does not change the line of its complete response."""

    async def wait(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            raise HTTPException(404)
        except HTTPException:
            await send(START | {"status": 404})
            await send(END)
            await asyncio.Event().wait()

    await given_up(wait, http())
    line = request_line(log())
    assert (line["message"], line["status_code"]) == ("log request", 404)
    assert "completed" not in line


async def test_elapsed_has_microseconds(log: Log) -> None:
    """`elapsed` is rounded to microseconds."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        await send(END)

    await call(logged(app), http())
    elapsed = request_line(log())["elapsed"]
    assert elapsed == round(elapsed, 6)


async def test_http_version_is_optional(log: Log) -> None:
    """`http_version` defaults to 1.1; Starlette's TestClient omits it for WebSockets."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        await send(END)

    scope = http()
    del scope["http_version"]
    await call(logged(app), scope)
    assert request_line(log())["protocol"] == "1.1"
