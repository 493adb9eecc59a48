"""exchange.py, http_exchange.py and request_log.py: exactly one request line, whatever happens, and a true one."""

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
    """Return the only request line; nothing may be in progress behind it."""
    [line] = [line for line in lines if line["message"] in REQUEST_LINES]
    assert not in_flight
    return line


def sending(*messages: Message | BaseException, **options: Any) -> ASGIApp:
    """Return an application that sends these messages, and raises what is among them."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for message in messages:
            if isinstance(message, BaseException):
                raise message
            await send(message)

    return logged(app, **options)


def body(content: bytes, *, more: bool = False) -> Message:
    """Return a message with a part of a response."""
    return {"type": "http.response.body", "body": content, "more_body": more}


class Failure(Exception):
    """What endpoints raise here."""


def failing(**options: Any) -> FastAPI:
    """Return an application whose only endpoint raises."""
    app = make_app(**options)

    @app.get("/")
    async def fail() -> None:
        raise Failure("broken")

    return app


class PureMiddleware:
    """What most middleware looks like: it passes on what it does not change."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def pass_on(message: Message) -> None:
            await send(message)

        await self.app(scope, receive, pass_on)


async def pass_on(request: Request, call_next: RequestResponseEndpoint) -> Response:
    """Do nothing, as a middleware of Starlette's own kind."""
    return await call_next(request)


def with_handler(*, fails: bool = False) -> FastAPI:
    """Return a failing application with a handler of all exceptions."""
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
    """Return the same routes in an application of FastAPI's own class."""
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
    """However the application answers for it: the line has the exception, the client the id."""
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
async def test_a_middleware_may_answer_for_a_failure(status: int, log: Log) -> None:
    """What is handled has not failed: the line tells the answer."""

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
    """An application that falls silent gets a 500, or a line that says that its response broke off."""
    server = await call(sending(*messages), http())
    line = request_line(log())
    assert (line["message"], line["level"]) == ("unhandled exception", "ERROR")
    assert "did not complete its response" in line["exception"]
    begun = len(messages) == 2
    assert server.head["status"] == line["status_code"] == (200 if begun else 500)
    assert server.headers["x-request-id"] == line["request_id"]
    assert line["response_length"] == len(server.body)
    assert ("completed" in line) is begun


async def test_a_head_that_no_server_takes_is_a_500(log: Log) -> None:
    """A mistake in the headers costs neither the answer nor the id."""

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


async def test_a_server_that_takes_nothing_does_not_cost_the_line(log: Log) -> None:
    """Whatever a server raises, the request has its line."""

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
async def test_only_bytes_that_are_sent_count(
    method: str, status: int, length: int, log: Log
) -> None:
    """Servers send no body with some responses, whatever the application gives them."""
    app = sending(START | {"status": status}, body(b"12345", more=True), body(b"67890"))
    await call(app, http(method=method))
    line = request_line(log())
    assert (line["response_length"], line["status_code"]) == (length, status)
    assert line["level"] == "INFO"


async def test_what_comes_before_the_head_is_not_held_back(log: Log) -> None:
    """Early hints are early."""
    hint = {"type": "http.response.early_hint", "links": [b"</style.css>"]}
    server = await call(sending(hint, START, END), http())
    assert [message["type"] for message in server.sent] == [
        hint["type"],
        START["type"],
        END["type"],
    ]
    assert request_line(log())["status_code"] == 200


async def test_a_file_that_the_server_reads_is_a_body(log: Log) -> None:
    """Servers such as Granian send files by themselves; the line has their size."""
    scope = http(extensions={"http.response.pathsend": {}})
    server = await call(logged(FileResponse(__file__)), scope)
    line = request_line(log())
    assert server.headers["x-request-id"] == line["request_id"]
    assert server.sent[-1]["path"] == __file__
    assert line["response_length"] == int(server.headers["content-length"]) > 1000


async def test_a_long_body_goes_out_in_pieces(log: Log) -> None:
    """The client gets the same bytes."""
    content = bytes(range(256)) * 4096
    server = await call(sending(START, body(content, more=True), body(content)), http())
    assert server.body == content + content
    more = [message["more_body"] for message in server.sent[1:]]
    assert more == [True] * (len(more) - 1) + [False]
    assert request_line(log())["response_length"] == len(content) * 2


async def test_headers_of_the_same_name_are_replaced(log: Log) -> None:
    """An application inside of another one may have an id of its own."""
    own = [(b"x-request-id", b"other"), (b"x-processed-time", b"0"), (b"x-more", b"kept")]
    server = await call(sending(START | {"headers": own}, END), http())
    names = [name for name, _ in server.head["headers"]]
    assert sorted(names) == [b"x-more", b"x-processed-time", b"x-request-id"]
    assert server.headers["x-request-id"] == request_line(log())["request_id"]


async def test_a_given_id_counts_once(log: Log) -> None:
    """Of two ids nobody knows which is meant."""
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
async def test_a_failure_after_the_response_has_a_line_of_its_own(
    make: Callable[[], FastAPI], status: int, middleware: bool, log: Log
) -> None:
    """It changes neither the response nor the request line, and has the id."""
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


async def test_background_tasks_do_not_count(log: Log) -> None:
    """The response has ended before they begin, and so has its time."""
    app = make_app()

    @app.get("/")
    async def endpoint(tasks: BackgroundTasks) -> None:
        tasks.add_task(asyncio.sleep, 0.05)

    async with connect(app) as client:
        await client.get("/")
    assert request_line(log())["elapsed"] < 0.05


@pytest.mark.parametrize("end", [asyncio.CancelledError, KeyboardInterrupt, SystemExit])
async def test_what_ends_a_task_still_does(end: type[BaseException], log: Log) -> None:
    """The client has its 500 with the id, the log its line; then it is raised again."""
    server = Server()
    with pytest.raises(end):
        await sending(end())(http(), server.receive, server.send)
    line = request_line(log())
    assert (line["message"], line["level"]) == ("unhandled exception", "ERROR")
    assert end.__name__ in line["exception"]
    assert server.head["status"] == line["status_code"] == 500
    assert server.headers["x-request-id"] == line["request_id"]


async def test_a_request_that_is_cancelled_twice_has_its_line(log: Log) -> None:
    """Neither an impatient server nor a client that does not read can prevent it."""

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


def test_a_request_that_is_dropped_has_its_line(log: Log) -> None:
    """An event loop that ends without it can await nothing any more."""

    async def wait(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        await asyncio.sleep(0)

    server = Server()
    running = logged(wait)(http(), server.receive, server.send)
    running.send(None)
    running.close()
    assert "GeneratorExit" in request_line(log())["exception"]


@pytest.mark.parametrize("error", [None, Failure("broken")])
async def test_a_client_that_leaves_is_no_error_of_the_service(
    error: Exception | None, log: Log
) -> None:
    """Who waits for a body that does not come hears of it; a failure stays a failure."""
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


async def test_a_client_that_leaves_while_fastapi_reads(log: Log) -> None:
    """The 400 that FastAPI then has in mind reaches nobody, and is not told."""
    app = make_app()

    @app.post("/")
    async def endpoint(values: dict[str, int]) -> None: ...

    server = await call(app, http(method="POST"), DISCONNECT)
    assert server.sent == []
    line = request_line(log())
    assert (line["level"], line["status_code"], line["disconnected"]) == ("INFO", 499, True)


@pytest.mark.parametrize(("lost_at", "status", "length"), [(0, 499, 0), (1, 200, 0), (2, 200, 5)])
async def test_a_server_may_tell_by_an_error(
    lost_at: int, status: int, length: int, log: Log
) -> None:
    """Servers raise OSError where nobody is left to send to (ASGI 2.4); so far the bytes count."""
    server = Server(lost_at=lost_at)
    app = sending(START, body(b"12345", more=True), body(b"67890"))
    await app(http(), server.receive, server.send)
    line = request_line(log())
    assert (line["message"], line["level"]) == ("log request", "INFO")
    assert (line["disconnected"], line["status_code"]) == (True, status)
    assert line["response_length"] == length


async def test_an_oserror_of_the_application_is_its_own(log: Log) -> None:
    """A database that cannot be reached is a failure, also while nobody waits for the answer."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        raise ConnectionRefusedError("database")

    await call(logged(app), http(), DISCONNECT)
    line = request_line(log())
    assert (line["message"], line["disconnected"]) == ("unhandled exception", True)


async def test_a_stream_that_does_not_listen_ends(log: Log) -> None:
    """Who sends on and on to nobody gets the OSError that Hypercorn does not raise."""

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


async def test_the_end_of_an_exchange_is_no_disconnect(log: Log) -> None:
    """Servers say `http.disconnect` after a complete response too."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        await send(END)
        await receive()

    await call(logged(app), http(), DISCONNECT)
    assert "disconnected" not in request_line(log())


HOSTILE = b'\xff\xfe\x00\n\r\x1b[31m"}\xe2\x80\xa8'


async def test_any_bytes_can_be_logged(log: Log) -> None:
    """Path, query and headers are what somebody sent; they neither raise nor break a line."""
    headers = [(b"user-agent", HOSTILE), (b"referer", HOSTILE), (b"x-forwarded-for", HOSTILE)]
    await call(
        sending(START, END),
        http(raw_path=b"/" + HOSTILE, query_string=HOSTILE, headers=headers, method="\udcff"),
    )
    line = request_line(log())
    for name in ("path_with_query", "user_agent", "referer"):
        assert r"\xff\xfe" in line[name]
    assert line["method"] == r"\udcff"


async def test_long_texts_are_cut(log: Log) -> None:
    """A URL of a megabyte costs a line of a few kilobytes, which says so."""
    long = b"x" * 1_000_000
    await call(sending(START, END), http(raw_path=b"/" + long, headers=[(b"user-agent", long)]))
    line = request_line(log())
    for name in ("path_with_query", "user_agent"):
        assert len(line[name]) < TEXT_LIMIT + 50
        assert re.search(r"\[\d+ characters cut\]", line[name])


async def test_a_server_may_know_little(log: Log) -> None:
    """Neither the client nor the path in its raw form is certain in ASGI."""
    scope = http("/ä", client=None)
    del scope["raw_path"]
    await call(sending(START, END), scope)
    line = request_line(log())
    assert (line["remote_ip"], line["path_with_query"]) == ("", "/%C3%A4")


@pytest.mark.parametrize("path", ["/hello", "/api/hello"])
async def test_a_prefix_is_part_of_the_path(path: str, log: Log) -> None:
    """Whether a proxy has taken it away or not: the log and links have what the client asked for."""
    app = make_app()

    @app.get("/hello")
    async def hello(request: Request) -> str:
        return str(request.url)

    headers = [(b"host", b"test")]
    server = await call(app, http(path, root_path="/api", headers=headers))
    assert server.body == b'"http://test/api/hello"'
    assert request_line(log())["path_with_query"] == "/api/hello"


async def test_a_prefix_needs_no_raw_path(log: Log) -> None:
    """It is optional in ASGI."""
    await call(sending(START, END), http("/hello", root_path="/ä", raw_path=None))
    assert request_line(log())["path_with_query"] == "/%C3%A4/hello"


async def test_fields_can_be_bound_anywhere(log: Log) -> None:
    """In dependencies, sync and async, in endpoints and their threads; every later line has them."""
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


async def test_fields_can_be_bound_under_middleware(log: Log) -> None:
    """Starlette's own kind runs the endpoint in a task of its own."""
    app = make_app()
    app.add_middleware(BaseHTTPMiddleware, dispatch=pass_on)

    @app.get("/")
    def endpoint() -> None:
        bind_request(user=1)

    async with connect(app) as client:
        await client.get("/")
    assert request_line(log())["user"] == 1


async def test_other_scopes_pass() -> None:
    """What is neither a request nor a WebSocket is not the request log's business."""
    seen = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    await call(logged(app), {"type": "lifespan"})
    assert seen == ["lifespan"]


async def test_the_end_of_the_process_leaves_no_request_without_a_line(log: Log) -> None:
    """What cannot be ended is told before it is cut off, with its id, and only once."""

    async def wait(scope: Scope, receive: Receive, send: Send) -> None:
        bind_request(user=1)
        await asyncio.Event().wait()

    await given_up(wait, http())
    line = request_line(log())
    assert (line["message"], line["level"]) == ("unhandled exception", "ERROR")
    assert (line["status_code"], line["completed"], line["user"]) == (500, False, 1)
    assert "TimeoutError" in line["exception"]
    assert line["request_id"]


async def test_a_complete_response_is_not_given_up(log: Log) -> None:
    """A background task that does not end does not make the response another."""

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
    """The digits of a clock that no clock has are left out."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        await send(END)

    await call(logged(app), http())
    elapsed = request_line(log())["elapsed"]
    assert elapsed == round(elapsed, 6)


async def test_the_version_of_http_is_optional(log: Log) -> None:
    """ASGI's default is 1.1; Starlette's TestClient leaves it out for WebSockets."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        await send(END)

    scope = http()
    del scope["http_version"]
    await call(logged(app), scope)
    assert request_line(log())["protocol"] == "1.1"
