"""Streams as real clients see them: what arrives, and how the log says they ended."""

from collections.abc import Iterator

import httpx
import pytest

from checks.served import SERVER, Service, serve


@pytest.fixture(
    name="service", scope="module", params=["", "yes"], ids=["plain", "base middleware"]
)
def service_fixture(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """A service with and without a `BaseHTTPMiddleware`, which completes broken responses."""
    with serve(tmp_path_factory.mktemp("streams"), WITH_MIDDLEWARE=request.param) as service:
        yield service


@pytest.fixture(params=["1.1", "2"] if SERVER == "hypercorn" else ["1.1"])
def client(request: pytest.FixtureRequest, service: Service) -> Iterator[httpx.Client]:
    """A client of each version of HTTP that the server speaks."""
    two = request.param == "2"
    with httpx.Client(base_url=service.url, http1=not two, http2=two, timeout=10) as client:
        yield client


@pytest.mark.parametrize("path", ["/stream/broken?chunks=3", "/stream/sync"])
def test_a_broken_stream_is_a_broken_transfer(
    path: str, client: httpx.Client, service: Service
) -> None:
    """The client sees an incomplete response; one line has the bytes sent and the exception."""
    with client.stream("GET", path) as response:
        received: list[bytes] = []
        with pytest.raises(httpx.RemoteProtocolError):
            received.extend(response.iter_raw())
    assert response.status_code == 200
    line = service.wait_for("unhandled exception", request_id=response.headers["x-request-id"])
    assert (line["level"], line["completed"], line["status_code"]) == ("ERROR", False, 200)
    assert line["response_length"] == len(b"".join(received)) > 0
    assert "ValueError: broken" in line["exception"]


def test_a_stream_that_breaks_at_once_is_a_500(client: httpx.Client, service: Service) -> None:
    """A stream that breaks before its first byte is a 500 with the request id."""
    response = client.get("/stream/broken?chunks=0")
    assert (response.status_code, response.text) == (500, "Internal Server Error")
    line = service.wait_for("unhandled exception", request_id=response.headers["x-request-id"])
    assert (line["status_code"], line["response_length"]) == (500, len(response.content))
    assert "completed" not in line


@pytest.mark.parametrize(
    "path", ["/stream/endless", "/stream/silent", "/stream/deaf", "/large?size=50000000"]
)
def test_a_client_that_disconnects(path: str, service: Service) -> None:
    """A disconnect is logged at INFO with the number of bytes sent."""
    request_id = path.strip("/").replace("/", "-").partition("?")[0]
    with service.connect() as connection:
        connection.sendall(b"GET %s HTTP/1.1\r\nhost: a\r\n" % path.encode())
        connection.sendall(b"x-request-id: %s\r\n\r\n" % request_id.encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 200")
    line = service.wait_for("log request", request_id=request_id)
    assert (line["level"], line["status_code"], line["disconnected"]) == ("INFO", 200, True)
    assert 0 < line["response_length"] < 50_000_000


def test_a_client_that_disconnects_before_the_response(service: Service) -> None:
    """A response to a disconnected client is marked as `disconnected`."""
    with service.connect() as connection:
        connection.sendall(
            b"GET /slow?seconds=0.2 HTTP/1.1\r\nhost: a\r\nx-request-id: slow\r\n\r\n"
        )
        service.wait_for("slow begins", request_id="slow")
    line = service.wait_for("log request", request_id="slow")
    # uvicorn drops the response, Hypercorn still sends it.
    status = 200 if SERVER == "hypercorn" else 499
    assert (line["status_code"], line["disconnected"]) == (status, True)


def test_a_client_that_aborts_its_upload(service: Service) -> None:
    """An aborted upload is a 499 at INFO."""
    with service.connect() as connection:
        connection.sendall(b"POST /upload HTTP/1.1\r\nhost: a\r\nx-request-id: upload\r\n")
        connection.sendall(b"content-length: 100\r\n\r\n12345")
        service.wait_for("upload begins", request_id="upload")
    line = service.wait_for("log request", request_id="upload")
    assert (line["level"], line["status_code"], line["disconnected"]) == ("INFO", 499, True)
