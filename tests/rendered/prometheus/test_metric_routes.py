"""route.py: route templates of nested routers and mounts."""

from contextlib import suppress
from typing import Any

import fastapi
import pytest
from fastapi import APIRouter, FastAPI, WebSocket
from starlette.applications import Starlette
from starlette.convertors import Convertor, register_url_convertor
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import Message

from my_service._internal.reports.route import route_template

from .samples import scope

inner = APIRouter(prefix="/inner")


@inner.get("/items/{number}")
async def item(number: int) -> None: ...


@inner.websocket("/talk/{room}")
async def talk(websocket: WebSocket, room: str) -> None: ...


outer = APIRouter(prefix="/outer/{shop}")
outer.include_router(inner)
part = FastAPI()
part.include_router(inner)


@part.get("/own/{file:path}")
async def own(file: str) -> None: ...


app = FastAPI()
app.include_router(outer, prefix="/api")
app.add_api_route("/own/{number}", item, methods=["GET"])
app.mount("/part", part)
app.mount("/tenants/{tenant}", part)


async def plain(request: Request) -> Response:
    return Response()


async def closed(websocket: WebSocket) -> None: ...


# All parameters share one name, so that a name does not identify a position.
same = FastAPI()
same.add_api_route("/items/{id}", plain)
same.add_api_websocket_route("/talk/{id}", closed)
same.router.routes.append(Route("/starlette/{id}", plain))
nested = Starlette(routes=[Mount("/deeper/{id}", same), Route("/starlette/{id}", plain)])
included = APIRouter()
included.mount("/nested/{id}", nested)
included.mount("/files/{id}", StaticFiles(check_dir=False))
app.include_router(included, prefix="/api")
app.mount("/same/{id}", same)
app.mount("/behind/{id}", GZipMiddleware(same))
app.mount("/static", StaticFiles(check_dir=False))
app.add_route("/starlette/{number}", plain)
app.router.routes.append(WebSocketRoute("/starlette/talk/{number}", plain))


class OddConvertor(Convertor[str]):
    """A convertor that rejects every value."""

    regex = ".*"

    def convert(self, value: str) -> str:
        raise LookupError(value)

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("odd", OddConvertor())
# FastAPI lists the mounts of an included router since 0.143.
MOUNTS_OF_A_ROUTER = [
    ("GET", "/api/nested/a/deeper/b/items/c", "/api/nested/{id}/deeper/{id}/items/{id}"),
    ("", "/api/nested/a/deeper/b/talk/c", "/api/nested/{id}/deeper/{id}/talk/{id}"),
    ("GET", "/api/nested/a/starlette/b", "/api/nested/{id}/starlette/{id}"),
    ("GET", "/api/files/a/b.css", "/api/files/{id}/{path:path}"),
]
if int(fastapi.__version__.split(".")[1]) < 143:
    MOUNTS_OF_A_ROUTER = [(method, path, "unmatched") for method, path, _ in MOUNTS_OF_A_ROUTER]

app.mount("/odd", Starlette(routes=[Route("/{value:odd}", plain)]))


@pytest.mark.parametrize("root_path", ["", "/proxied"])
@pytest.mark.parametrize(
    ("method", "path", "template"),
    [
        ("GET", "/api/outer/a/inner/items/1", "/api/outer/{shop}/inner/items/{number}"),
        ("GET", "/api/outer/a/inner/items/x", "/api/outer/{shop}/inner/items/{number}"),
        ("POST", "/api/outer/a/inner/items/1", "/api/outer/{shop}/inner/items/{number}"),
        ("", "/api/outer/a/inner/talk/1", "/api/outer/{shop}/inner/talk/{room}"),
        ("GET", "/own/1", "/own/{number}"),
        ("GET", "/part/inner/items/1", "/part/inner/items/{number}"),
        ("GET", "/part/own/a/b", "/part/own/{file:path}"),
        ("GET", "/tenants/a/inner/items/1", "/tenants/{tenant}/inner/items/{number}"),
        ("GET", "/tenants/a/own/b", "/tenants/{tenant}/own/{file:path}"),
        ("POST", "/tenants/a/own/b", "/tenants/{tenant}/own/{file:path}"),
        ("GET", "/same/a/items/b", "/same/{id}/items/{id}"),
        ("GET", "/same/a/starlette/b", "/same/{id}/starlette/{id}"),
        ("GET", "/same/a/nowhere", "unmatched"),
        ("GET", "/behind/a/items/b", "/behind/{id}/items/{id}"),
        ("GET", "/static/a/b.css", "/static/{path:path}"),
        ("GET", "/starlette/1", "/starlette/{number}"),
        ("POST", "/starlette/1", "/starlette/{number}"),
        ("", "/starlette/talk/1", "/starlette/talk/{number}"),
        ("GET", "/odd/1", "unmatched"),
        ("GET", "/own/1/", "unmatched"),
        ("GET", "/part/nowhere", "unmatched"),
        ("GET", "/docs", "/docs"),
        ("", "/nowhere", "unmatched"),
        *MOUNTS_OF_A_ROUTER,
    ],
)
async def test_route_template(method: str, path: str, template: str, root_path: str) -> None:
    """A template has the prefixes of routers and mounts, without that of a proxy."""
    more: dict[str, Any] = {"root_path": root_path}
    if not method:
        more |= {"type": "websocket", "scheme": "ws"}
    asked = scope(method, root_path + path, **more)
    with suppress(LookupError):
        await app(asked, never, ignore)
    assert route_template(asked) == template


async def never() -> Message:
    return {"type": "http.request"}


async def ignore(message: Message) -> None: ...
