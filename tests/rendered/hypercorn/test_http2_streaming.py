"""Streams as HTTP/2 clients see them."""

import httpx
import pytest

from checks.asgi.test_streaming import service_fixture  # noqa: F401
from checks.served import Service


def test_a_connection_survives_a_broken_stream(service: Service) -> None:
    """An HTTP/2 connection serves other requests after one of its streams breaks."""
    with httpx.Client(base_url=service.url, http1=False, http2=True, timeout=10) as client:
        with pytest.raises(httpx.RemoteProtocolError):
            client.get("/stream/broken?chunks=3")
        response = client.get("/large?size=1000000")
    assert len(response.content) == 1_000_000


@pytest.mark.parametrize("path", ["/stream/endless", "/stream/silent", "/large?size=50000000"])
def test_an_http2_client_that_disconnects(path: str, service: Service) -> None:
    """A disconnect is logged at INFO whether the client ends the stream or the connection."""
    for close_all in (True, False):
        client = httpx.Client(base_url=service.url, http1=False, http2=True)
        with client, client.stream("GET", path) as response:
            next(response.iter_raw())
            if close_all:
                client.close()
        line = service.wait_for("log request", request_id=response.headers["x-request-id"])
        assert (line["level"], line["disconnected"]) == ("INFO", True)
        assert 0 < line["response_length"] < 50_000_000
