"""trace_context.py and context.py: the trace of a request, in its lines and in its calls."""

import asyncio
import re
import sys
from typing import Any

import pytest
from fastapi import BackgroundTasks, FastAPI, WebSocket
from loguru import logger
from starlette.types import Receive, Scope, Send

from checks.apps import make_app
from checks.asgi_calls import call, given_up, http, websocket
from my_service._internal.asgi.trace_context import given_trace
from my_service._internal.context import RequestContext, current_request
from my_service.logging import bind_request, outbound_headers, request_id
from tests.conftest import Log, connect

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"
GIVEN = f"00-{TRACE}-{PARENT}-01"

INVALID = {
    "empty": "",
    "version ff": f"ff-{TRACE}-{PARENT}-01",
    "upper case": GIVEN.upper(),
    "trace of zeros": f"00-{'0' * 32}-{PARENT}-01",
    "parent of zeros": f"00-{TRACE}-{'0' * 16}-01",
    "short trace": f"00-{TRACE[1:]}-{PARENT}-01",
    "long parent": f"00-{TRACE}-{PARENT}0-01",
    "short flags": f"00-{TRACE}-{PARENT}-1",
    "no flags": f"00-{TRACE}-{PARENT}",
    "more in version 00": f"{GIVEN}-more",
    "no dash in a later version": f"cc-{TRACE}-{PARENT}-01more",
    "no hexadecimal": f"00-{'g' * 32}-{PARENT}-01",
    "underscores": GIVEN.replace("-", "_"),
    "two values": f"{GIVEN},{GIVEN}",
    "line feed": f"{GIVEN}\n",
}


def traced(*values: str, **changes: Any) -> dict[str, Any]:
    """Return the scope of a request with these `traceparent` headers."""
    return http(headers=[(b"traceparent", value.encode()) for value in values], **changes)


@pytest.fixture(name="app")
def app_fixture() -> FastAPI:
    """An application that returns the headers for a call to another service."""
    app = make_app()

    @app.get("/")
    def endpoint(background: BackgroundTasks) -> dict[str, str]:
        logger.info("inside")
        background.add_task(asyncio.to_thread, logger.info, "background")
        return outbound_headers()

    @app.get("/fail")
    async def fail() -> None:
        raise LookupError

    return app


@pytest.mark.parametrize(
    ("value", "flags"),
    [
        (GIVEN, 1),
        (f"00-{TRACE}-{PARENT}-00", 0),
        (f"00-{TRACE}-{PARENT}-03", 3),
        (f"00-{TRACE}-{PARENT}-ff", 3),
        (f"01-{TRACE}-{PARENT}-03", 1),
        (f"cc-{TRACE}-{PARENT}-01-what the future brings", 1),
        (f"cc-{TRACE}-{PARENT}-01-", 1),
    ],
)
def test_valid_headers(value: str, flags: int) -> None:
    """Version 00 is read strictly, a later one as far as it is known; unknown flags are cleared."""
    assert given_trace(traced(value)) == (TRACE, flags, "")


@pytest.mark.parametrize("value", INVALID.values(), ids=INVALID)
async def test_an_invalid_header_is_ignored(value: str, app: FastAPI, log: Log) -> None:
    """With an invalid `traceparent` a request has no trace, as without one."""
    await call(app, traced(value))
    lines = log()
    assert len(lines) == 3
    assert not any("trace_id" in line for line in lines)


@pytest.mark.parametrize("values", [(), (GIVEN, GIVEN)], ids=["none", "two"])
async def test_one_header_is_a_trace(values: tuple[str, ...], app: FastAPI, log: Log) -> None:
    """No header, or more than one, is no trace; calls still pass on the request id."""
    server = await call(app, traced(*values))
    assert all("request_id" in line and "trace_id" not in line for line in log())
    assert b"X-Request-ID" in server.body
    assert b"traceparent" not in server.body


async def test_every_line_of_a_request_has_its_trace(app: FastAPI, log: Log) -> None:
    """Lines of threads, background tasks and the request have the trace, after the request id."""
    async with connect(app) as client:
        await client.get("/", headers={"traceparent": GIVEN})
        await client.get("/fail", headers={"traceparent": GIVEN})
        await client.get("/nowhere", headers={"traceparent": GIVEN})
    lines = log()
    assert len(lines) == 5
    assert {line["trace_id"] for line in lines} == {TRACE}
    for line in lines:
        assert [*line].index("trace_id") == [*line].index("request_id") + 1


async def test_a_websocket_has_its_trace(log: Log) -> None:
    """The line of a WebSocket has the trace of its handshake."""
    app = make_app()

    @app.websocket("/")
    async def endpoint(socket: WebSocket) -> None:
        await socket.accept()

    scope = websocket(headers=[(b"traceparent", GIVEN.encode())])
    await call(app, scope, {"type": "websocket.connect"})
    [line] = log()
    assert (line["message"], line["trace_id"]) == ("log websocket", TRACE)


async def test_an_aborted_request_has_its_trace(log: Log) -> None:
    """The line of a request that is aborted at process exit has the trace."""

    async def wait(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.Event().wait()

    await given_up(wait, traced(GIVEN))
    assert log("unhandled exception")[0]["trace_id"] == TRACE


async def test_calls_continue_the_trace(app: FastAPI) -> None:
    """Each call gets the request id, and the trace with its flags under a new parent id."""
    async with connect(app) as client:
        calls = [await client.get("/", headers={"traceparent": GIVEN}) for _ in range(2)]
    parents = set()
    for response in calls:
        sent = response.json()
        assert sent["X-Request-ID"] == response.headers["x-request-id"]
        [parent] = re.findall(f"^00-{TRACE}-([0-9a-f]{{16}})-01$", sent["traceparent"])
        parents.add(parent)
    assert len(parents - {PARENT}) == 2


def test_nothing_is_passed_on_outside_of_a_request() -> None:
    """Outside of a request there is neither an id nor a header."""
    assert request_id() == ""
    assert outbound_headers() == {}


def test_a_trace_cannot_be_forged(log: Log) -> None:
    """An argument or bound field named `trace_id` gets an underscore, also without a trace."""
    token = current_request.set(RequestContext("real"))
    try:
        bind_request(trace_id="bound")
        logger.info("hello", trace_id="forged")
    finally:
        current_request.reset(token)
    [line] = log()
    assert "trace_id" not in line
    assert {line["trace_id_"], line["trace_id__"]} == {"forged", "bound"}


async def test_opentelemetry_is_not_needed(
    app: FastAPI, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without OpenTelemetry in the process, a request has the trace of its header."""
    for name in [name for name in sys.modules if name.startswith("opentelemetry")]:
        monkeypatch.delitem(sys.modules, name)
    await call(app, traced(GIVEN))
    assert {line["trace_id"] for line in log()} == {TRACE}
    assert not any(name.startswith("opentelemetry") for name in sys.modules)
