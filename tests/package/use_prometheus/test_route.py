"""route.py"""

from typing import Any

import pytest
from fastapi import APIRouter, FastAPI, WebSocket
from starlette.types import Message

from my_service.route import route_template

from .asgi import scope

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
        ("GET", "/tenants/a/inner/items/1", "/{tenant}/inner/items/{number}"),
        ("GET", "/tenants/a/own/b", "/{tenant}/own/{file:path}"),
        ("GET", "/own/1/", "unmatched"),
        ("GET", "/part/nowhere", "unmatched"),
        ("GET", "/docs", "unmatched"),
        ("", "/nowhere", "unmatched"),
    ],
)
async def test_route_template(method: str, path: str, template: str, root_path: str) -> None:
    """It has all prefixes of routers and mounts, without that of a proxy."""
    more: dict[str, Any] = {"root_path": root_path}
    if not method:
        more |= {"type": "websocket", "scheme": "ws"}
    asked = scope(method, root_path + path, **more)
    await app(asked, never, ignore)
    assert route_template(asked) == template


async def never() -> Message:
    return {"type": "http.request"}


async def ignore(message: Message) -> None: ...
