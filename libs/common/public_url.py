"""Whether a public URL can stand in what is signed: anybody must reach it, by HTTPS, for as long as badges live."""

from ipaddress import IPv6Address, ip_address

from pydantic import AnyHttpUrl

# Names that lead nowhere, or to whatever machine asks (RFC 6761, RFC 6762, RFC 8375, and what routers use).
_LOCAL_NAMES = ("localhost", "local", "internal", "home.arpa", "lan", "localdomain", "invalid")


def fault_of(url: AnyHttpUrl) -> str | None:
    """Return what is wrong with a public URL, None where nothing is."""
    host = (url.host or "").strip("[]").rstrip(".").lower()
    if url.scheme != "https":
        return "it is not https"
    if url.username or url.password or url.query or url.fragment:
        return "it holds a user name, a query or a fragment"
    try:
        address = ip_address(host)
    except ValueError:
        if "." not in host or any(f".{host}".endswith(f".{name}") for name in _LOCAL_NAMES):
            return f"{host} is the name of this machine or of a private network"
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if not address.is_global or address.is_multicast:
        return f"{host} is an address of this machine or of a private network"
    return None
