"""routers/hello.py, to delete together with it."""

from httpx import AsyncClient

from .conftest import Log


async def test_hello_greets(client: AsyncClient, log: Log) -> None:
    """The greeting comes back, and one line of it is logged."""
    response = await client.get("/hello")
    assert response.json() == {"message": "Hello World"}
    assert len(log("greeting the world")) == 1


async def test_divide(client: AsyncClient) -> None:
    """Two integers give a float."""
    assert (await client.get("/divide", params={"a": 1, "b": 2})).json() == 0.5
