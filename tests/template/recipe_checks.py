"""Tests of the code in docs/recipes.md, run in a project that contains it."""

import re
from collections.abc import AsyncIterator, Iterator

import pytest
from fastapi import FastAPI, HTTPException
from fastapi.responses import StreamingResponse
from httpx import AsyncClient, ConnectError, MockTransport, Request, Response

from my_service import resources
from my_service.main import app as service
from my_service.outbound import OutboundTransport
from my_service.problems import OutOfStock

from .conftest import Log, connect

ORIGIN = {"origin": "https://shop.example"}
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{TRACE}-00f067aa0ba902b7-01"


class Others:
    """Other services: `localhost`, which redirects /away, and any other host."""

    def __init__(self) -> None:
        self.received: list[Request] = []

    async def answer(self, request: Request) -> Response:
        self.received.append(request)
        if request.url.path == "/gone":
            raise ConnectError("no route to postgres://ann:hunter2@db")
        if request.url.path == "/away":
            return Response(302, headers={"location": "https://elsewhere.example/?token=hunter2"})
        return Response(200, text=(await request.aread()).decode())


@pytest.fixture
def others(monkeypatch: pytest.MonkeyPatch) -> Others:
    """Other services behind the transport of the client that `startup` opens."""
    others = Others()
    monkeypatch.setattr(
        "my_service.outbound.AsyncHTTPTransport", lambda: MockTransport(others.answer)
    )
    return others


@pytest.fixture
def app() -> Iterator[FastAPI]:
    """The service with routes that use the recipes; they end with the test."""
    routes = [*service.router.routes]

    @service.get("/order")
    async def order() -> None:
        raise OutOfStock("2 apples are left", left=2, status="forged")

    @service.get("/call")
    async def call(path: str) -> str:
        response = await resources.shop.post(path, content="body", follow_redirects=True)
        return response.text

    @service.get("/fail")
    async def fail() -> None:
        raise LookupError

    @service.get("/stream")
    async def stream() -> StreamingResponse:
        async def parts() -> AsyncIterator[bytes]:
            raise LookupError
            yield b""

        return StreamingResponse(parts())

    yield service
    service.router.routes[:] = routes


@pytest.mark.usefixtures("app")
async def test_a_call_carries_the_ids(others: Others, client: AsyncClient, log: Log) -> None:
    """A listed host gets the request id and the trace with each call, which is one line."""
    response = await client.get("/call?path=/items", headers={"traceparent": TRACEPARENT})
    assert response.json() == "body"
    [received] = others.received
    assert received.headers["x-request-id"] == response.headers["x-request-id"]
    assert received.headers["content-length"] == "4"
    assert re.fullmatch(f"00-{TRACE}-[0-9a-f]{{16}}-01", received.headers["traceparent"])
    [line] = log("outbound call")
    assert (line["method"], line["url"]) == ("POST", "http://localhost:9000/items")
    assert (line["status"], line["level"], line["trace_id"]) == (200, "INFO", TRACE)
    assert line["request_id"] == response.headers["x-request-id"]
    assert 0 <= line["elapsed"] == round(line["elapsed"], 6)


@pytest.mark.usefixtures("app")
async def test_a_redirect_does_not_carry_them_on(
    others: Others, client: AsyncClient, log: Log
) -> None:
    """Each hop is one line with masked secrets; a host that is not listed gets no ids."""
    await client.get("/call?path=/away", headers={"traceparent": TRACEPARENT})
    first, second = others.received
    assert {"x-request-id", "traceparent"} <= first.headers.keys()
    assert second.url.host == "elsewhere.example"
    assert {"x-request-id", "traceparent"}.isdisjoint(second.headers)
    lines = log("outbound call")
    assert [line["status"] for line in lines] == [302, 200]
    assert lines[1]["url"] == "https://elsewhere.example/?token=***"


@pytest.mark.usefixtures("app", "others")
async def test_a_failed_call_is_a_line(client: AsyncClient, log: Log) -> None:
    """The line of a failed call is a WARNING with the error, secrets masked."""
    assert (await client.get("/call?path=/gone")).status_code == 500
    [line] = log("outbound call")
    assert line["level"] == "WARNING"
    assert line["error"] == "ConnectError('no route to postgres://ann:***@db')"
    assert "status" not in line


async def test_the_client_is_closed(others: Others, app: FastAPI) -> None:
    """`shutdown` closes the client, and outside of a request nothing is passed on."""
    async with app.router.lifespan_context(app):
        shop = resources.shop
        await shop.get("/")
    assert shop.is_closed
    assert {"x-request-id", "traceparent"}.isdisjoint(others.received[0].headers)


async def test_transports_send_by_themselves() -> None:
    """Without a transport, requests go to the network."""
    async with AsyncClient(transport=OutboundTransport(set())) as client:
        with pytest.raises(ConnectError):
            await client.get("http://127.0.0.1:9/")


async def test_an_error_is_a_problem(app: FastAPI, log: Log) -> None:
    """A domain error has problem details, and its name in the request line."""
    async with connect(app) as client:
        response = await client.get("/order")
    request_id = response.headers["x-request-id"]
    assert response.headers["content-type"] == "application/problem+json"
    assert (response.status_code, response.json()) == (
        409,
        {
            "type": "https://shop.example/problems/out-of-stock",
            "title": "Out of stock",
            "status": 409,
            "detail": "2 apples are left",
            "left": 2,
            "request_id": request_id,
        },
    )
    [line] = log()
    assert (line["problem"], line["level"]) == ("OutOfStock", "INFO")


@pytest.mark.parametrize(
    ("method", "path", "status", "title", "allow"),
    [
        ("GET", "/nowhere", 404, "Not Found", None),
        ("PUT", "/order", 405, "Method Not Allowed", "GET"),
    ],
)
async def test_an_unknown_path_is_a_problem(
    method: str, path: str, status: int, title: str, allow: str | None, app: FastAPI
) -> None:
    """FastAPI's own errors are problem details of no special type, with their headers."""
    async with connect(app) as client:
        response = await client.request(method, path)
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers.get("allow") == allow
    content = response.json()
    assert (response.status_code, content["status"], content["title"]) == (status, status, title)
    assert (content["type"], content["detail"]) == ("about:blank", title)


@pytest.mark.parametrize(
    ("status", "title"), [(204, None), (304, None), (404, "Not Found"), (460, "")]
)
async def test_any_status(status: int, title: str | None, app: FastAPI) -> None:
    """A status that allows no body has none, and an unregistered one has no title."""

    @app.get("/raise")
    async def fail() -> None:
        raise HTTPException(status, "why", {"etag": "x"})

    async with connect(app) as client:
        response = await client.get("/raise")
    assert (response.status_code, response.headers["etag"]) == (status, "x")
    content = response.json() if response.content else {"title": None}
    assert content["title"] == title


async def test_a_problem_can_have_any_text(app: FastAPI) -> None:
    """A lone surrogate, which JSON can hold and UTF-8 cannot, is sent."""

    @app.get("/odd")
    async def odd() -> None:
        raise OutOfStock("\udfff", name="\ud800")

    async with connect(app) as client:
        assert (await client.get("/odd")).json()["name"] == "\ud800"


@pytest.mark.parametrize(
    ("path", "status"),
    [("/health/live", 200), ("/nowhere", 404), ("/order", 409), ("/fail", 500), ("/stream", 500)],
)
async def test_every_response_has_the_headers_of_cors(
    path: str, status: int, app: FastAPI, log: Log
) -> None:
    """A page of the allowed origin can read every response, and its request id; no other can."""
    async with connect(app) as client:
        response = await client.get(path, headers=ORIGIN)
        refused = await client.get(path, headers={"origin": "https://evil.example"})
    assert response.status_code == refused.status_code == status
    assert response.headers["access-control-allow-origin"] == ORIGIN["origin"]
    assert response.headers["access-control-expose-headers"] == "X-Request-ID"
    assert response.headers["vary"] == "Origin"
    assert response.headers["x-request-id"]
    assert "access-control-allow-origin" not in refused.headers
    assert len([line for line in log() if "status_code" in line]) == 2


async def test_a_preflight_request_has_its_line(app: FastAPI, log: Log) -> None:
    """A preflight request is answered, with an id, and logged."""
    headers = ORIGIN | {"access-control-request-method": "PUT"}
    async with connect(app) as client:
        response = await client.options("/order", headers=headers)
    assert (response.status_code, response.headers["access-control-allow-origin"]) == (
        200,
        ORIGIN["origin"],
    )
    [line] = log("log request")
    assert (line["method"], line["request_id"]) == ("OPTIONS", response.headers["x-request-id"])
