"""Who the client is, behind proxies: only those that are trusted are believed.

X-Forwarded-For lists addresses from the client to the nearest proxy, and everything left of what a
trusted proxy added can be forged. So the right-most address that is no trusted proxy counts.
"""

from collections.abc import Iterable, MutableMapping
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any

SCHEMES = {"http": "ws", "https": "wss"}


class TrustedProxies:
    """The proxies whose X-Forwarded-For and X-Forwarded-Proto are believed."""

    def __init__(self, networks: Iterable[IPv4Network | IPv6Network]) -> None:
        self._networks = tuple(networks)
        self._is_trusted = lru_cache(maxsize=1024)(self._find)

    def apply(self, scope: MutableMapping[str, Any]) -> None:
        """Set `client` and `scheme` of an ASGI scope to the client's, as far as they can be believed."""
        client = scope.get("client")
        if not self._networks or not client or not self._is_trusted(client[0]):
            return
        forwarded_for, forwarded_proto = _forwarded(scope["headers"])
        if address := self._client(forwarded_for):
            scope["client"] = (address, 0)
        scheme = forwarded_proto.rpartition(",")[2].strip().lower()
        if scheme in SCHEMES:
            scope["scheme"] = SCHEMES[scheme] if scope["type"] == "websocket" else scheme

    def _client(self, forwarded_for: str) -> str:
        """Return the right-most address that is not trusted, or the last one that can be read."""
        believed = ""
        for entry in reversed(forwarded_for.split(",")):
            address = _parse(entry)
            if address is None:
                break
            believed = str(address)
            if not self._is_trusted(believed):
                break
        return believed

    def _find(self, host: str) -> bool:
        address = _parse(host)
        return address is not None and any(address in network for network in self._networks)


def _forwarded(headers: Iterable[tuple[bytes, bytes]]) -> tuple[str, str]:
    """Return both headers; several of one name are one list (RFC 9110, section 5.3)."""
    found: dict[bytes, list[str]] = {b"x-forwarded-for": [], b"x-forwarded-proto": []}
    for name, value in headers:
        if name in found:
            found[name].append(value.decode("latin-1"))
    return ",".join(found[b"x-forwarded-for"]), ",".join(found[b"x-forwarded-proto"])


def _parse(text: str) -> IPv4Address | IPv6Address | None:
    """Return the address in `1.2.3.4`, `1.2.3.4:80`, `::1` or `[::1]:80`; None where there is none."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
