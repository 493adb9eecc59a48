"""stack.py: the outermost middleware sees every request, whichever part answers it."""

from collections.abc import Callable
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from checks.apps import make_app
from checks.asgi_calls import call, http
from my_service._internal.asgi.stack import add_outermost_middleware
from my_service.middleware import add_request_log
from tests.conftest import Log, connect

LIFESPAN = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]


@pytest.mark.parametrize(
    ("scope", "received"),
    [({"type": "lifespan"}, LIFESPAN), (http(), [])],
    ids=["start", "request"],
)
async def test_a_started_application_rejects_the_request_log(
    scope: dict[str, Any], received: list[Message]
) -> None:
    """Adding the request log to a started application raises RuntimeError."""
    app = FastAPI()
    await call(app, scope, *received)
    with pytest.raises(RuntimeError, match="has started"):
        add_request_log(app)


async def test_later_middleware_is_further_outside() -> None:
    """`add_outermost_middleware` nests in call order, outside of `add_middleware`."""
    passed: list[str] = []

    class Noted:
        def __init__(self, app: ASGIApp, name: str) -> None:
            self.app, self.name = app, name

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            passed.append(self.name)
            await self.app(scope, receive, send)

    app = FastAPI()
    add_outermost_middleware(app, lambda inner: Noted(inner, "first"))
    add_outermost_middleware(app, lambda inner: Noted(inner, "second"))
    app.add_middleware(Noted, name="own")
    add_outermost_middleware(app, lambda inner: Noted(inner, "third"))
    await call(app, http())
    assert passed == ["third", "second", "first", "own"]


class Failure(Exception):
    """The exception that applications raise."""


def with_routes(app: FastAPI) -> FastAPI:
    @app.get("/fine")
    async def fine() -> None: ...

    @app.get("/fails")
    async def fail() -> None:
        raise Failure

    return app


def service() -> FastAPI:
    return with_routes(make_app())


def with_middleware(middleware: Callable[[ASGIApp], ASGIApp]) -> FastAPI:
    """Return a service with middleware added after the request log."""
    app = service()
    app.add_middleware(middleware)
    return app


def mounting(inner: FastAPI) -> FastAPI:
    app = service()
    app.mount("/inner", inner)
    return app


def answering(app: ASGIApp) -> ASGIApp:
    return PlainTextResponse("no entry", 403)


def raising(app: ASGIApp) -> ASGIApp:
    async def fail(scope: Scope, receive: Receive, send: Send) -> None:
        raise Failure

    return fail


@pytest.mark.parametrize(
    ("make", "path", "status"),
    [
        (service, "/fine", 200),
        (service, "/nowhere", 404),
        (service, "/fails", 500),
        (lambda: with_middleware(answering), "/fine", 403),
        (lambda: with_middleware(raising), "/fine", 500),
        (lambda: mounting(with_routes(FastAPI())), "/inner/fine", 200),
        (lambda: mounting(with_routes(FastAPI())), "/inner/nowhere", 404),
        (lambda: mounting(with_routes(FastAPI())), "/inner/fails", 500),
        (lambda: mounting(service()), "/inner/fine", 200),
        (lambda: mounting(service()), "/inner/nowhere", 404),
        (lambda: mounting(service()), "/inner/fails", 500),
    ],
)
async def test_every_response_has_an_id_and_one_line(
    make: Callable[[], FastAPI], path: str, status: int, log: Log
) -> None:
    """Routes, unknown paths, middleware and mounted applications send an id and log one line."""
    async with connect(make()) as client:
        response = await client.get(path)
    [line] = log()
    assert response.status_code == line["status_code"] == status
    assert response.headers.get_list("x-request-id") == [line["request_id"]]
    assert line["path_with_query"] == path
    assert ("Failure" in line.get("exception", "")) is (status == 500)
