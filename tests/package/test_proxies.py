"""proxies.py"""

from ipaddress import ip_network
from typing import Any

import pytest

from my_service.proxies import TrustedProxies

PROXIES = TrustedProxies([ip_network("10.0.0.0/8"), ip_network("fd00::/8")])


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("192.0.2.1", "203.0.113.9", "192.0.2.1"),
        ("10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "1.1.1.1, 203.0.113.9, 10.0.0.2", "203.0.113.9"),
        ("fd00::1", "[2001:db8::1]:443", "2001:db8::1"),
        ("::ffff:10.0.0.1", "203.0.113.9:80", "203.0.113.9"),
        ("10.0.0.1", "1.1.1.1, <script>", "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
    ],
)
def test_the_rightmost_untrusted_address_counts(peer: str, forwarded: str, client: str) -> None:
    """Only a trusted proxy is believed, and only about who came to it."""
    headers = [(b"x-forwarded-for", forwarded.encode()), (b"x-forwarded-proto", b"https")]
    scope: dict[str, Any] = {"type": "http", "client": (peer, 1), "scheme": "http"}
    scope["headers"] = headers
    PROXIES.apply(scope)
    assert scope["client"][0] == client
    assert scope["scheme"] == ("http" if peer == "192.0.2.1" else "https")
