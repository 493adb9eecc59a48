"""websocket_exchange.py and hypercorn_websocket_streams.py: lines and close codes of WebSockets."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import Depends, HTTPException, WebSocket, WebSocketDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from checks.apps import logged, make_app
from checks.asgi_calls import Server, call, given_up, websocket
from checks.served import Service as Served
from checks.served import serve
from my_service._internal.asgi.exchange import in_flight
from tests.conftest import Log

CONNECT = {"type": "websocket.connect"}
ACCEPT = {"type": "websocket.accept"}
CLOSE = {"type": "websocket.close", "code": 4000}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve(tmp_path_factory.mktemp("websockets")) as service:
        yield service


def open_socket(service: Served, path: str) -> ClientConnection:
    """Return a WebSocket connection to this path."""
    return connect(f"ws://127.0.0.1:{service.port}{path}", open_timeout=10, close_timeout=10)


def request_id(socket: ClientConnection) -> str:
    """Return the id in the handshake response."""
    assert socket.response
    return socket.response.headers["x-request-id"]


def test_the_id_is_in_every_line(service: Served) -> None:
    """The id is in the endpoint's lines and in the final line, which has the requested path."""
    with open_socket(service, "/echo?token=secret&a=1") as socket:
        socket.send("hello")
        assert socket.recv(10) == "hello"
        assert socket.response
        assert float(socket.response.headers["x-processed-time"]) > 0
    line = service.wait_for("log websocket", request_id=request_id(socket))
    assert service.all("accepted", request_id=request_id(socket))
    assert (line["level"], line["status_code"], line["close_code"]) == ("INFO", 101, 1000)
    assert line["path_with_query"] == "/echo?token=***&a=1"
    assert (line["remote_ip"], line["schema"]) == ("127.0.0.1", "ws")


@pytest.mark.parametrize("path", ["/echo", "/ticker"])
def test_the_close_code_of_the_client_is_logged(path: str, service: Served) -> None:
    """The line has the client's code even if the endpoint only sends; Hypercorn reports 1006."""
    with open_socket(service, path) as socket:
        socket.close(4001)
    line = service.wait_for("log websocket", request_id=request_id(socket))
    assert (line["level"], line["close_code"]) == ("INFO", 4001)


@pytest.mark.parametrize("path", ["/echo", "/ticker"])
def test_a_client_that_drops_the_connection(path: str, service: Served) -> None:
    """A dropped connection ends the endpoint and is logged with the close code 1006."""
    socket = open_socket(service, path)
    socket.socket.shutdown(2)
    line = service.wait_for("log websocket", request_id=request_id(socket))
    assert (line["level"], line["close_code"]) == ("INFO", 1006)
    socket.socket.close()


def test_an_invalid_frame(service: Served) -> None:
    """An invalid frame ends the connection and is not a failure of the service."""
    with open_socket(service, "/echo") as socket:
        socket.socket.sendall(b"\xff" * 100)
        line = service.wait_for("log websocket", request_id=request_id(socket))
    assert line["level"] == "INFO"


def test_the_close_code_of_the_service_is_logged(service: Served) -> None:
    """The service's close code reaches the client and the line."""
    path = "/closing?code=4002&accept=1"
    with open_socket(service, path) as socket, pytest.raises(ConnectionClosed) as caught:
        socket.recv(10)
    assert caught.value.rcvd
    assert caught.value.rcvd.code == 4002
    line = service.wait_for("log websocket", request_id=request_id(socket))
    assert (line["level"], line["close_code"]) == ("INFO", 4002)


def test_a_failure_is_an_error(service: Served) -> None:
    """A failure is a line with the exception, and the client receives the close code 1011."""
    path = "/failing?accept=1"
    with open_socket(service, path) as socket, pytest.raises(ConnectionClosed) as caught:
        socket.recv(10)
    assert caught.value.rcvd
    assert caught.value.rcvd.code == 1011
    line = service.wait_for("log websocket", request_id=request_id(socket))
    assert (line["level"], line["close_code"]) == ("ERROR", 1011)
    assert "ValueError: broken" in line["exception"]


@pytest.mark.parametrize(
    ("path", "status", "close_code"),
    [
        ("/nowhere", 403, 1000),
        ("/closing?code=4003&accept=0", 403, 4003),
        ("/denied", 401, 1005),
        ("/failing?accept=0", 500, 1011),
    ],
)
def test_a_refused_handshake(path: str, status: int, close_code: int, service: Served) -> None:
    """A refused handshake has its line, and the response has the request id."""
    with pytest.raises(InvalidStatus) as caught:
        open_socket(service, path)
    response = caught.value.response
    assert response.status_code == status
    line = service.wait_for("log websocket", request_id=response.headers["x-request-id"])
    assert (line["status_code"], line["close_code"]) == (status, close_code)
    assert line["level"] == ("ERROR" if status == 500 else "INFO")
    assert ("exception" in line) is (status == 500)


def sending(*messages: Message | BaseException) -> ASGIApp:
    """Return an application that sends these messages and raises the exceptions among them."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for message in messages:
            if isinstance(message, BaseException):
                raise message
            await send(message)

    return logged(app)


def websocket_line(log: Log) -> dict[str, Any]:
    """Return the only line, and check that no connection is in flight."""
    [line] = log("log websocket")
    assert not in_flight
    return line


def types(server: Server) -> list[str]:
    return [message["type"].removeprefix("websocket.") for message in server.sent]


async def test_an_open_connection_is_closed(log: Log) -> None:
    """An endpoint that returns without closing ends with the close code 1000."""
    server = await call(sending(ACCEPT), websocket())
    assert server.sent[-1] == {"type": "websocket.close", "code": 1000}
    assert websocket_line(log)["close_code"] == 1000


async def test_no_answer_is_an_error(log: Log) -> None:
    """An application that does not answer the handshake produces a 500."""
    server = await call(sending(), websocket())
    line = websocket_line(log)
    assert server.head["status"] == line["status_code"] == 500
    assert line["level"] == "ERROR"
    assert "did not answer" in line["exception"]


@pytest.mark.parametrize("messages", [[CLOSE], [ValueError("broken")]])
async def test_a_server_without_denial_responses(
    messages: list[Message | BaseException], log: Log
) -> None:
    """Without the extension for denial responses, a refusal is the server's 403."""
    server = await call(sending(*messages), websocket(extensions={}))
    assert types(server) == ["close"]
    line = websocket_line(log)
    assert line["status_code"] == 403
    assert ("exception" in line) is (messages != [CLOSE])


@pytest.mark.parametrize("code", [1001, None])
async def test_an_uncaught_disconnect(code: int | None, log: Log) -> None:
    """An uncaught disconnect is a normal end; its code is logged, or 1005 without one."""
    app = make_app()

    @app.websocket("/")
    async def endpoint(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.receive_text()

    gone = {"type": "websocket.disconnect"} | ({"code": code} if code else {"code": 1005})
    await call(app, websocket(), CONNECT, gone)
    line = websocket_line(log)
    assert (line["level"], line["close_code"]) == ("INFO", code or 1005)


async def test_a_disconnect_raised_by_the_application(log: Log) -> None:
    """A `WebSocketDisconnect` that the application raises itself closes the connection."""
    server = await call(sending(ACCEPT, WebSocketDisconnect(4004)), websocket())
    assert server.sent[-1] == {"type": "websocket.close", "code": 4004}
    assert websocket_line(log)["close_code"] == 4004


async def test_a_disconnect_before_the_handshake(log: Log) -> None:
    """A disconnect before the handshake is answered is logged with the status 499."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()

    await call(logged(app), websocket(), {"type": "websocket.disconnect", "code": 1006})
    line = websocket_line(log)
    assert (line["level"], line["status_code"], line["close_code"]) == ("INFO", 499, 1006)


async def test_an_oserror_from_send_is_a_disconnect(log: Log) -> None:
    """An OSError from `send` is a disconnect, not a failure of the endpoint."""
    server = Server(lost_at=1)
    text = {"type": "websocket.send", "text": "a"}
    await sending(ACCEPT, text)(websocket(), server.receive, server.send)
    line = websocket_line(log)
    assert (line["level"], line["close_code"]) == ("INFO", 1006)
    assert "exception" not in line


async def test_a_failure_after_the_close(log: Log) -> None:
    """A failure after the close is logged with the exception and the code that was sent."""
    server = await call(sending(ACCEPT, CLOSE, ValueError("broken")), websocket())
    assert types(server) == ["accept", "close"]
    line = websocket_line(log)
    assert (line["level"], line["close_code"]) == ("ERROR", 4000)
    assert "ValueError: broken" in line["exception"]


async def test_a_failed_send_does_not_change_the_code(log: Log) -> None:
    """A `send` that fails after the close does not change the logged code."""
    server = Server(lost_at=2)
    app = sending(ACCEPT, CLOSE, {"type": "websocket.send", "text": "a"})
    await app(websocket(), server.receive, server.send)
    assert websocket_line(log)["close_code"] == 4000


async def test_the_first_close_counts(log: Log) -> None:
    """The line has the code of the first close, even if the application closes again."""
    server = await call(sending(ACCEPT, CLOSE, CLOSE | {"code": 4999}), websocket())
    assert types(server) == ["accept", "close", "close"]
    assert websocket_line(log)["close_code"] == 4000


@pytest.mark.parametrize("end", [asyncio.CancelledError, KeyboardInterrupt, SystemExit])
async def test_exceptions_that_end_a_task_are_raised_again(
    end: type[BaseException], log: Log
) -> None:
    """The client receives 1011 and the log gets a line, then the exception is raised again."""
    server = Server()
    with pytest.raises(end):
        await sending(ACCEPT, end())(websocket(), server.receive, server.send)
    assert server.sent[-1] == {"type": "websocket.close", "code": 1011}
    line = websocket_line(log)
    assert (line["level"], line["close_code"]) == ("ERROR", 1011)
    assert end.__name__ in line["exception"]


async def test_an_aborted_connection_has_its_line(log: Log) -> None:
    """A connection that is aborted at process exit has exactly one line."""

    async def wait(scope: Scope, receive: Receive, send: Send) -> None:
        await send(ACCEPT)
        await asyncio.Event().wait()

    await given_up(wait, websocket())
    line = websocket_line(log)
    assert (line["level"], line["close_code"]) == ("ERROR", 1011)
    assert "TimeoutError" in line["exception"]
    assert line["request_id"]


def test_a_dropped_connection_has_its_line(log: Log) -> None:
    """A connection has its line even if the event loop ends and drops its coroutine."""

    async def wait(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(0)

    server = Server()
    running = logged(wait)(websocket(), server.receive, server.send)
    running.send(None)
    running.close()
    assert "GeneratorExit" in websocket_line(log)["exception"]


async def test_a_denial_keeps_its_headers(log: Log) -> None:
    """A denial response keeps the application's headers and gets the request id."""
    app = make_app()

    def refuse() -> None:
        raise HTTPException(401, headers={"www-authenticate": "Bearer"})

    @app.websocket("/", dependencies=[Depends(refuse)])
    async def endpoint(websocket: WebSocket) -> None: ...

    server = await call(app, websocket(), CONNECT)
    assert server.headers["www-authenticate"] == "Bearer"
    line = websocket_line(log)
    assert server.headers["x-request-id"] == line["request_id"]
    assert server.head["status"] == line["status_code"] == 401
