"""The address and scheme of the client behind trusted proxies.

X-Forwarded-For lists addresses from the client to the nearest proxy. Everything to the left of what
a trusted proxy added can be forged, so the right-most address that is not a trusted proxy counts.
"""

from collections.abc import Iterable, MutableMapping
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any

Network = IPv4Network | IPv6Network

# Schemes as proxies write them, and the ASGI schemes of a request and of a WebSocket.
_SCHEMES = {"http": ("http", "ws"), "https": ("https", "wss")}
_SCHEMES |= {"ws": _SCHEMES["http"], "wss": _SCHEMES["https"]}
_MAPPED = "::ffff:"  # IPv4 address on a dual-stack socket


class TrustedProxies:
    """Proxies whose X-Forwarded-For and X-Forwarded-Proto are trusted."""

    def __init__(self, networks: Iterable[Network]) -> None:
        self._networks = tuple(networks)
        self._is_trusted = lru_cache(maxsize=1024)(self._find)

    def apply(self, scope: MutableMapping[str, Any]) -> None:
        """Set `client` and `scheme` of an ASGI scope from the headers of trusted proxies."""
        client = scope.get("client")
        if client and client[0].startswith(_MAPPED) and "." in client[0]:
            scope["client"] = client = (client[0].removeprefix(_MAPPED), client[1])
        if not self._networks or not client or not self._is_trusted(client[0]):
            return
        forwarded_for, forwarded_proto = _forwarded(scope["headers"])
        believed = self._believed(forwarded_for)
        if believed:
            scope["client"] = (believed[-1], 0)
        # A proxy either appends its scheme to the list or replaces the list.
        scheme = forwarded_proto[-len(believed) or -1 :][0]
        if scheme in _SCHEMES:
            scope["scheme"] = _SCHEMES[scheme][scope["type"] == "websocket"]

    def _believed(self, forwarded_for: list[str]) -> list[str]:
        """Return the addresses from the right, up to the first that is untrusted or unreadable."""
        believed = []
        for entry in reversed(forwarded_for):
            address = _parse(entry)
            if address is None:
                break
            believed.append(str(address))
            if not self._is_trusted(believed[-1]):
                break
        return believed

    def _find(self, host: str) -> bool:
        address = _parse(host)
        return address is not None and any(address in network for network in self._networks)


def _forwarded(headers: Iterable[tuple[bytes, bytes]]) -> tuple[list[str], list[str]]:
    """Return both lists; repeated headers form one list (RFC 9110, section 5.3)."""
    found: dict[bytes, list[str]] = {b"x-forwarded-for": [], b"x-forwarded-proto": []}
    for name, value in headers:
        if name in found:
            found[name].append(value.decode("latin-1"))
    addresses, schemes = (",".join(values) for values in found.values())
    return addresses.split(","), [scheme.strip().lower() for scheme in schemes.split(",")]


def _parse(text: str) -> IPv4Address | IPv6Address | None:
    """Return the address in `1.2.3.4`, `1.2.3.4:80`, `::1` or `[::1]:80`; None if invalid."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        # The zone id after % names an interface of another machine and can be any text.
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
