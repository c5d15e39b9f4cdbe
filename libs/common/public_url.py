"""Whether a URL leads to where anybody can reach it: to no machine of one's own, and to no private network. Pure.

It must in what is signed, for as long as badges live. Names are not looked up.
"""

import socket
from functools import lru_cache
from ipaddress import IPv4Address, ip_address
from typing import Final
from urllib.parse import urlsplit

from pydantic import AnyHttpUrl

from libs.common.public_addresses import Address, is_public

# Names that lead nowhere, or to whatever machine asks (RFC 6761, RFC 6762 with its appendix G, RFC 8375).
_LOCAL_NAMES: Final = (
    *("localhost", "local", "internal", "home.arpa", "lan", "localdomain", "invalid"),
    *("home", "corp", "intranet", "private"),
)


def fault_of(url: AnyHttpUrl) -> str | None:
    """Return what is wrong with a public URL, None where nothing is."""
    if url.scheme != "https":
        return "it is not https"
    if url.username or url.password or url.query or url.fragment:
        return "it holds a user name, a query or a fragment"
    return _fault_of_host(url.host or "")


def leads_to_private(url: str) -> bool:
    """Return whether a URL, as `web_url` gives it, leads to this machine or to a private network by what it says."""
    return _fault_of_host(urlsplit(url).hostname or "") is not None


@lru_cache(1024)
def _fault_of_host(text: str) -> str | None:
    host = text.strip("[]").rstrip(".").lower()
    address = _address(host)
    if address is None:
        if "." not in host or any(f".{host}".endswith(f".{name}") for name in _LOCAL_NAMES):
            return f"{host} is the name of this machine or of a private network"
        return None
    if not is_public(address):
        return f"{host} is an address of this machine or of a private network"
    return None


def _address(host: str) -> Address | None:
    """Return the address that a browser makes of a host, None of a name."""
    try:
        return ip_address(host)
    except ValueError:
        # Also 127.1, 0x7f.1 and 2130706433.
        if not host.isascii() or not host or not host.rpartition(".")[2][:1].isdigit():
            return None
    try:
        return IPv4Address(socket.inet_aton(host))
    except OSError:
        return None
