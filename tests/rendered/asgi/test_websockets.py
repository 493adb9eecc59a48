"""websocket_exchange.py, and what `hypercorn_websocket_streams.py` does for WebSockets."""

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
    """Return a connection to this path."""
    return connect(f"ws://127.0.0.1:{service.port}{path}", open_timeout=10, close_timeout=10)


def request_id(socket: ClientConnection) -> str:
    """Return the id in the response to the handshake."""
    assert socket.response
    return socket.response.headers["x-request-id"]


def test_the_id_is_in_every_line(service: Served) -> None:
    """In those written inside and in the one at the end, which tells what the client asked for."""
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
def test_the_code_of_the_client_is_told(path: str, service: Served) -> None:
    """Whether the endpoint listens or only sends; Hypercorn would say 1006."""
    with open_socket(service, path) as socket:
        socket.close(4001)
    line = service.wait_for("log websocket", request_id=request_id(socket))
    assert (line["level"], line["close_code"]) == ("INFO", 4001)


@pytest.mark.parametrize("path", ["/echo", "/ticker"])
def test_a_client_that_vanishes(path: str, service: Served) -> None:
    """The endpoint ends, and the line says how: 1006."""
    socket = open_socket(service, path)
    socket.socket.shutdown(2)
    line = service.wait_for("log websocket", request_id=request_id(socket))
    assert (line["level"], line["close_code"]) == ("INFO", 1006)
    socket.socket.close()


def test_a_client_that_talks_nonsense(service: Served) -> None:
    """A frame that is none ends the connection, and is no failure of the service."""
    with open_socket(service, "/echo") as socket:
        socket.socket.sendall(b"\xff" * 100)
        line = service.wait_for("log websocket", request_id=request_id(socket))
    assert line["level"] == "INFO"


def test_the_code_of_the_service_is_told(service: Served) -> None:
    """To the client and in the line."""
    path = "/closing?code=4002&accept=1"
    with open_socket(service, path) as socket, pytest.raises(ConnectionClosed) as caught:
        socket.recv(10)
    assert caught.value.rcvd
    assert caught.value.rcvd.code == 4002
    line = service.wait_for("log websocket", request_id=request_id(socket))
    assert (line["level"], line["close_code"]) == ("INFO", 4002)


def test_a_failure_is_an_error(service: Served) -> None:
    """The line has the exception, the client the code for it."""
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
def test_a_handshake_that_is_refused(
    path: str, status: int, close_code: int, service: Served
) -> None:
    """Has its line too, and the response the id."""
    with pytest.raises(InvalidStatus) as caught:
        open_socket(service, path)
    response = caught.value.response
    assert response.status_code == status
    line = service.wait_for("log websocket", request_id=response.headers["x-request-id"])
    assert (line["status_code"], line["close_code"]) == (status, close_code)
    assert line["level"] == ("ERROR" if status == 500 else "INFO")
    assert ("exception" in line) is (status == 500)


def sending(*messages: Message | BaseException) -> ASGIApp:
    """Return an application that sends these messages, and raises what is among them."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for message in messages:
            if isinstance(message, BaseException):
                raise message
            await send(message)

    return logged(app)


def websocket_line(log: Log) -> dict[str, Any]:
    """Return the only line; nothing may be in progress behind it."""
    [line] = log("log websocket")
    assert not in_flight
    return line


def types(server: Server) -> list[str]:
    return [message["type"].removeprefix("websocket.") for message in server.sent]


async def test_what_is_left_open_is_closed(log: Log) -> None:
    """An endpoint that just returns has ended normally."""
    server = await call(sending(ACCEPT), websocket())
    assert server.sent[-1] == {"type": "websocket.close", "code": 1000}
    assert websocket_line(log)["close_code"] == 1000


async def test_no_answer_is_an_error(log: Log) -> None:
    """An application that does not answer the handshake gets a 500."""
    server = await call(sending(), websocket())
    line = websocket_line(log)
    assert server.head["status"] == line["status_code"] == 500
    assert line["level"] == "ERROR"
    assert "did not answer" in line["exception"]


@pytest.mark.parametrize("messages", [[CLOSE], [ValueError("broken")]])
async def test_a_server_that_knows_only_one_refusal(
    messages: list[Message | BaseException], log: Log
) -> None:
    """Without the extension for it the answer is the server's own 403."""
    server = await call(sending(*messages), websocket(extensions={}))
    assert types(server) == ["close"]
    line = websocket_line(log)
    assert line["status_code"] == 403
    assert ("exception" in line) is (messages != [CLOSE])


@pytest.mark.parametrize("code", [1001, None])
async def test_a_disconnect_that_nobody_catches(code: int | None, log: Log) -> None:
    """It is how an endpoint usually ends; where the server names no code, that is told."""
    app = make_app()

    @app.websocket("/")
    async def endpoint(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.receive_text()

    gone = {"type": "websocket.disconnect"} | ({"code": code} if code else {"code": 1005})
    await call(app, websocket(), CONNECT, gone)
    line = websocket_line(log)
    assert (line["level"], line["close_code"]) == ("INFO", code or 1005)


async def test_a_disconnect_of_the_applications_own(log: Log) -> None:
    """Who raises it without having received it closes the connection."""
    server = await call(sending(ACCEPT, WebSocketDisconnect(4004)), websocket())
    assert server.sent[-1] == {"type": "websocket.close", "code": 4004}
    assert websocket_line(log)["close_code"] == 4004


async def test_a_client_that_does_not_wait_for_the_handshake(log: Log) -> None:
    """There was no answer, so there is no status of one."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()

    await call(logged(app), websocket(), {"type": "websocket.disconnect", "code": 1006})
    line = websocket_line(log)
    assert (line["level"], line["status_code"], line["close_code"]) == ("INFO", 499, 1006)


async def test_a_send_that_finds_nobody(log: Log) -> None:
    """The OSError of a server is the end of the connection, not of the endpoint's making."""
    server = Server(lost_at=1)
    text = {"type": "websocket.send", "text": "a"}
    await sending(ACCEPT, text)(websocket(), server.receive, server.send)
    line = websocket_line(log)
    assert (line["level"], line["close_code"]) == ("INFO", 1006)
    assert "exception" not in line


async def test_a_failure_after_the_close(log: Log) -> None:
    """The client has its code already; the line has both."""
    server = await call(sending(ACCEPT, CLOSE, ValueError("broken")), websocket())
    assert types(server) == ["accept", "close"]
    line = websocket_line(log)
    assert (line["level"], line["close_code"]) == ("ERROR", 4000)
    assert "ValueError: broken" in line["exception"]


async def test_a_lost_send_does_not_change_the_code(log: Log) -> None:
    """The first reason counts."""
    server = Server(lost_at=2)
    app = sending(ACCEPT, CLOSE, {"type": "websocket.send", "text": "a"})
    await app(websocket(), server.receive, server.send)
    assert websocket_line(log)["close_code"] == 4000


async def test_the_first_close_counts(log: Log) -> None:
    """Whatever the server makes of another one."""
    server = await call(sending(ACCEPT, CLOSE, CLOSE | {"code": 4999}), websocket())
    assert types(server) == ["accept", "close", "close"]
    assert websocket_line(log)["close_code"] == 4000


@pytest.mark.parametrize("end", [asyncio.CancelledError, KeyboardInterrupt, SystemExit])
async def test_what_ends_a_task_still_does(end: type[BaseException], log: Log) -> None:
    """The client hears of it, the log has its line; then it is raised again."""
    server = Server()
    with pytest.raises(end):
        await sending(ACCEPT, end())(websocket(), server.receive, server.send)
    assert server.sent[-1] == {"type": "websocket.close", "code": 1011}
    line = websocket_line(log)
    assert (line["level"], line["close_code"]) == ("ERROR", 1011)
    assert end.__name__ in line["exception"]


async def test_the_end_of_the_process(log: Log) -> None:
    """A connection that cannot be ended is told before it is cut off, and only once."""

    async def wait(scope: Scope, receive: Receive, send: Send) -> None:
        await send(ACCEPT)
        await asyncio.Event().wait()

    await given_up(wait, websocket())
    line = websocket_line(log)
    assert (line["level"], line["close_code"]) == ("ERROR", 1011)
    assert "TimeoutError" in line["exception"]
    assert line["request_id"]


def test_a_connection_that_is_dropped(log: Log) -> None:
    """An event loop that ends without it can await nothing any more."""

    async def wait(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(0)

    server = Server()
    running = logged(wait)(websocket(), server.receive, server.send)
    running.send(None)
    running.close()
    assert "GeneratorExit" in websocket_line(log)["exception"]


async def test_the_own_headers_of_a_denial_stay(log: Log) -> None:
    """A response to the handshake is the application's, with the id."""
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
