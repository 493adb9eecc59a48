"""routers/hello.py: delete both files together."""

import pytest
from httpx import AsyncClient

from .conftest import Log


async def test_hello(client: AsyncClient, log: Log) -> None:
    """The response is a greeting, and one line is logged."""
    assert (await client.get("/hello")).json() == {"message": "Hello World"}
    assert len(log("greeting the world")) == 1


@pytest.mark.parametrize(("b", "status"), [("2", 200), ("x", 422), ("0", 500)])
async def test_divide(b: str, status: int, client: AsyncClient) -> None:
    """The route shows a response, a validation error and an unhandled exception."""
    assert (await client.get("/divide", params={"a": 1, "b": b})).status_code == status
