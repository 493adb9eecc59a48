"""proxies.py: only trusted proxies determine the client's address and scheme."""

from ipaddress import ip_network
from typing import Any

import pytest
from fastapi import Request, WebSocket

from checks.apps import logged, make_app
from checks.asgi_calls import call, http, websocket
from my_service._internal.asgi.proxies import TrustedProxies
from tests.conftest import Log

TRUSTED = ["10.0.0.0/8", "192.0.2.7", "fd00::/8"]
PROXIES = TrustedProxies(map(ip_network, TRUSTED))


def applied(peer: str | None, *headers: tuple[str, str], kind: str = "http") -> dict[str, Any]:
    """Return the scope of a request from `peer` after the proxy headers are applied."""
    scope = http() if kind == "http" else websocket()
    scope["client"] = peer and (peer, 1234)
    scope["headers"] = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    PROXIES.apply(scope)
    return scope


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        # Headers of an untrusted peer are ignored.
        ("198.51.100.1", "203.0.113.9", "198.51.100.1"),
        ("192.0.2.8", "203.0.113.9", "192.0.2.8"),
        ("a-name", "203.0.113.9", "a-name"),
        # The rightmost untrusted address counts; anything to its left can be forged.
        ("10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("192.0.2.7", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "1.1.1.1, 203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "1.1.1.1, 203.0.113.9, 10.0.0.2, 192.0.2.7", "203.0.113.9"),
        ("10.0.0.1", "10.0.0.3, 1.1.1.1, 10.0.0.2", "1.1.1.1"),
        # If all addresses are trusted, the first is the client.
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        # IPv6, ports, and IPv4-mapped IPv6 addresses.
        ("fd00::1", "2001:db8::1", "2001:db8::1"),
        ("fd00::1", "[2001:db8::1]:443", "2001:db8::1"),
        ("fd00::1", "[2001:DB8:0::1]", "2001:db8::1"),
        ("fd00::1%eth0", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "203.0.113.9:8080", "203.0.113.9"),
        ("10.0.0.1", "203.0.113.9, 10.0.0.2:8080", "203.0.113.9"),
        ("::ffff:10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "::ffff:203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "203.0.113.9, ::ffff:10.0.0.2", "203.0.113.9"),
        # An invalid address ends the list.
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", ",,,", "10.0.0.1"),
        ("10.0.0.1", "unknown", "10.0.0.1"),
        ("10.0.0.1", "1.1.1.1, <script>", "10.0.0.1"),
        ("10.0.0.1", "1.1.1.1, unknown, 10.0.0.2", "10.0.0.2"),
        ("10.0.0.1", "1.1.1.1, \xff\xfe", "10.0.0.1"),
        ("10.0.0.1", "1.1.1.1, 203.0.113.256", "10.0.0.1"),
        ("10.0.0.1", "1.1.1.1, 203.0.113", "10.0.0.1"),
        ("10.0.0.1", "1.1.1.1, " + "9" * 5_000, "10.0.0.1"),
        ("10.0.0.1", "fe80::1%<script>", "fe80::1"),
        ("10.0.0.1", "\xa0203.0.113.9\t", "203.0.113.9"),
    ],
)
def test_the_rightmost_untrusted_address_counts(peer: str, forwarded: str, client: str) -> None:
    """The rightmost untrusted address is the client, in any notation."""
    assert applied(peer, ("x-forwarded-for", forwarded))["client"][0] == client


def test_several_headers_are_one_list() -> None:
    """Several headers form one list, in their order."""
    headers = [("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "203.0.113.9, 10.0.0.2")]
    assert applied("10.0.0.1", *headers)["client"] == ("203.0.113.9", 0)


def test_a_server_without_a_peer_address() -> None:
    """Without a peer address, as on a Unix socket, no proxy is trusted."""
    assert applied(None, ("x-forwarded-for", "203.0.113.9"))["client"] is None


def test_without_proxies_headers_are_ignored() -> None:
    """An empty list of trusted proxies means that forwarded headers are ignored."""
    scope = http(headers=[(b"x-forwarded-for", b"203.0.113.9"), (b"x-forwarded-proto", b"https")])
    TrustedProxies([]).apply(scope)
    assert (scope["client"][0], scope["scheme"]) == ("192.0.2.1", "http")


@pytest.mark.parametrize(
    ("peer", "client"),
    [
        ("::ffff:127.0.0.1", "127.0.0.1"),
        ("::ffff:7f00:1", "::ffff:7f00:1"),  # no system writes the address like this
        ("::1", "::1"),
    ],
)
def test_ipv4_mapped_clients_are_ipv4(peer: str, client: str) -> None:
    """An IPv4-mapped address becomes IPv4, with or without proxies."""
    scope = http(client=(peer, 1234))
    TrustedProxies([]).apply(scope)
    assert scope["client"] == (client, 1234)


@pytest.mark.parametrize(
    ("peer", "forwarded", "protos", "scheme"),
    [
        ("198.51.100.1", "203.0.113.9", ["https"], "http"),
        ("10.0.0.1", "203.0.113.9", ["https"], "https"),
        ("10.0.0.1", "203.0.113.9", [" HTTPS "], "https"),
        ("10.0.0.1", "", ["https"], "https"),
        # Of several values, the one that the client's trusted proxy added counts, or the only one.
        ("10.0.0.1", "203.0.113.9", ["https", "http"], "http"),
        ("10.0.0.1", "203.0.113.9, 10.0.0.2", ["https, http"], "https"),
        ("10.0.0.1", "203.0.113.9, 10.0.0.2", ["http", "https, http"], "https"),
        ("10.0.0.1", "203.0.113.9, 10.0.0.2", ["https"], "https"),
        ("10.0.0.1", "203.0.113.9", [], "http"),
        ("10.0.0.1", "203.0.113.9", [""], "http"),
        ("10.0.0.1", "203.0.113.9", ["gopher"], "http"),
        ("10.0.0.1", "203.0.113.9", ["wss"], "https"),
        ("10.0.0.1", "203.0.113.9", ["WS"], "http"),
        ("10.0.0.1", "203.0.113.9", ["https\xff"], "http"),
    ],
)
def test_the_scheme_is_that_of_the_client(
    peer: str, forwarded: str, protos: list[str], scheme: str
) -> None:
    """The scheme is the one that the trusted proxy names; invalid values are ignored."""
    headers = [("x-forwarded-for", forwarded), *(("x-forwarded-proto", each) for each in protos)]
    assert applied(peer, *headers)["scheme"] == scheme


def test_websocket_schemes() -> None:
    """A secure handshake has the scheme `wss`, whether the proxy names `https` or `wss`."""
    for secure, plain in (("https", "http"), ("wss", "ws")):
        for proto, scheme in ((secure, "wss"), (plain, "ws")):
            header = ("x-forwarded-proto", proto)
            assert applied("10.0.0.1", header, kind="websocket")["scheme"] == scheme


FORWARDED = [
    (b"host", b"example.com"),
    (b"x-forwarded-for", b"203.0.113.9"),
    (b"x-forwarded-proto", b"https"),
]
app = make_app()


@app.get("/url/")
async def url(request: Request) -> str:
    return str(request.url)


@app.websocket("/websocket")
async def endpoint(websocket: WebSocket) -> None:
    await websocket.accept()


async def test_the_log_and_links_agree(log: Log) -> None:
    """Links and redirects have the client's scheme; the log has its scheme and address."""
    behind = logged(app, trusted_proxies=[ip_network("192.0.2.1")])
    server = await call(behind, http("/url/", headers=FORWARDED))
    assert server.body == b'"https://example.com/url/"'
    server = await call(behind, http("/url", headers=FORWARDED))
    assert server.headers["location"] == "https://example.com/url/"
    for line in log("log request"):
        assert (line["remote_ip"], line["schema"]) == ("203.0.113.9", "https")


async def test_the_line_of_a_websocket_agrees(log: Log) -> None:
    """The line of a WebSocket has the client's scheme and address."""
    behind = logged(app, trusted_proxies=[ip_network("192.0.2.1")])
    await call(behind, websocket("/websocket", headers=FORWARDED), {"type": "websocket.connect"})
    [line] = log("log websocket")
    assert (line["remote_ip"], line["schema"]) == ("203.0.113.9", "wss")
