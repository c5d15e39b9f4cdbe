"""Whose address a request comes from, as limits count it: one IPv4 address, or the /64 of an IPv6 customer."""

import ipaddress
from contextvars import ContextVar
from functools import lru_cache

from starlette.types import Scope

_IPV6_PREFIX = 64

CLIENT: ContextVar[str] = ContextVar("client", default="")
"""Whose request is being answered, as limits count it: an address, or the issuer once its key is known.

Empty outside of requests.
"""


@lru_cache(maxsize=4096)
def counted_address(host: str) -> str:
    """Return what limits count `host` as: an IPv4 address, an IPv6 network of 64 bits, or `unknown`."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if address.version == 4:
        return str(address)
    return str(ipaddress.ip_network((address, _IPV6_PREFIX), strict=False))


def client_of(scope: Scope) -> str:
    """Return whose request it is, as limits count it; `unknown` where the server does not say."""
    client = scope.get("client")
    return counted_address(client[0] if client else "")


class Networks:
    """Networks of addresses, such as those of trusted proxies."""

    def __init__(self, texts: tuple[str, ...] = ()) -> None:
        """Take networks or single addresses as text.

        Raises:
            ValueError: one of them is neither.
        """
        self._networks = tuple(ipaddress.ip_network(text) for text in texts)

    def __contains__(self, host: str) -> bool:
        try:
            address = ipaddress.ip_address(host.partition("%")[0])
        except ValueError:
            return False
        return any(address in network for network in self._networks)
