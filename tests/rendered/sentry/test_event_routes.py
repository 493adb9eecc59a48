"""route.py: route templates of events."""

from typing import Any

import pytest
from fastapi import APIRouter, FastAPI
from starlette.types import Receive, Scope, Send

from my_service._internal.reports.route import route_template
from tests.conftest import connect

orders = APIRouter(prefix="/orders")
tenant = FastAPI()


@orders.get("/{number}")
@tenant.get("/{number}")
async def order(number: int) -> int:
    return number


app = FastAPI()
app.include_router(orders, prefix="/shop")
app.add_api_route("/{number}", order)
app.mount("/mounted", tenant)
app.mount("/tenants/{tenant}", tenant)


@pytest.mark.parametrize(
    ("path", "template"),
    [
        ("/7", "/{number}"),
        ("/shop/orders/7", "/shop/orders/{number}"),
        ("/shop/orders/x", "/shop/orders/{number}"),
        ("/mounted/7", "/mounted/{number}"),
        ("/tenants/ann/7", "/tenants/{tenant}/{number}"),
        ("/nowhere/at/all", "unmatched"),
        ("/docs", "/docs"),
    ],
)
async def test_template(path: str, template: str) -> None:
    """A template is the declared path with its prefixes, without values from the client."""
    scopes: list[Scope] = []

    async def noted(scope: Scope, receive: Receive, send: Send) -> None:
        scopes.append(scope)
        await app(scope, receive, send)

    application: Any = noted
    async with connect(application) as client:
        await client.get(path)
    assert [route_template(scope) for scope in scopes] == [template]
