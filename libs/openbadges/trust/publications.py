"""What an installation published under ids of its own: a credential that bears one of them must say the same."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from posixpath import normpath
from typing import Final
from unicodedata import normalize
from urllib.parse import unquote, urlsplit
from uuid import UUID

import idna

from libs.openbadges.crypto.did import did_web

_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
# Whatever follows is a component that names the same resource (RFC 8141, section 2.3), or imitates one.
_URN: Final = re.compile(r"urn:uuid:([0-9a-f-]{36})(?![0-9a-z_-])", re.IGNORECASE)
# Browsers take any slashes, none or many, after the scheme (URL Standard, section 4.4).
_START: Final = re.compile(r"(https?):[/\\]*", re.IGNORECASE)
_NUMBER: Final = r"(?:0x[0-9a-f]*|[0-9]+)"
_NUMBERS: Final = re.compile(rf"{_NUMBER}(?:\.{_NUMBER}){{0,3}}")
_PIECE: Final = 250
_DID_WEB: Final = re.compile("did:web:", re.IGNORECASE)
# What follows our public URL in URLs that we write of what is published: nothing that can be written in two ways.
_WRITTEN: Final = re.compile(r"[\w-]+(?:/[\w-]+)*", re.ASCII)
_PORTS: Final = {80, 443, None}


@dataclass(frozen=True, slots=True)
class Publications:
    """What was looked up of an installation's own credentials.

    Attributes:
        home: its public URL, with a slash at its end; its credentials stand below `badges/` there.
        issuers: those of its issuers that were asked about, by the ids that credentials name.
        texts: the signed documents, by their UUIDs.
        available: whether they could be looked up at all.
        taken_down: why those were taken down that are published no longer, as a code, by their UUIDs.
    """

    home: str
    issuers: frozenset[str] = frozenset()
    texts: Mapping[UUID, str] = field(default_factory=dict)
    available: bool = True
    taken_down: Mapping[UUID, str] = field(default_factory=dict)

    @property
    def base(self) -> str:
        """The URL below which its credentials stand."""
        return f"{self.home}badges/"

    def claims(self, identifier: str) -> bool:
        """Return whether an id stands below the base, however it is written, or is a published one as URN."""
        return _place_below(identifier, self.base) is not None or _urn(identifier) in {*self.texts, *self.taken_down}

    def has_address_of(self, identifier: str) -> bool:
        """Return whether an id, a URL or did:web, stands anywhere below the public URL, however it is written."""
        return _place_below(identifier, self.home) is not None

    def misspells(self, url: str) -> bool:
        """Return whether a URL leads below the public URL though it is not written as ours are."""
        as_ours = url.startswith(self.home) and _WRITTEN.fullmatch(url, len(self.home)) is not None
        return not as_ours and self.has_address_of(url)

    def imitates_issuer(self, identifier: str) -> bool:
        """Return whether an issuer's id stands there and is none that an issuer of the installation has.

        One that is written as theirs are, and of which nothing is known, may have been registered a moment ago.
        """
        as_ours = identifier.startswith(f"{did_web(self.home)}:issuers:")
        return identifier not in self.issuers and not as_ours and self.has_address_of(identifier)

    def text(self, identifier: str) -> str | None:
        """Return what was published under an id."""
        found = own_credential_uuid(identifier, self.base)
        return None if found is None else self.texts.get(found)

    def why_taken_down(self, identifier: str) -> str | None:
        """Return the code of why what was published under an id was taken down; None where it was not."""
        found = own_credential_uuid(identifier, self.base)
        return None if found is None else self.taken_down.get(found)


def own_credential_uuid(identifier: str, base: str) -> UUID | None:
    """Return the UUID in an id that stands below a base URL, or that is a UUID as URN; None for another's id.

    Whoever imitates an id may write it otherwise: another case, the port, a fragment, encoded letters, the name of a
    file behind it. All these lead a reader to the same page, so they count as the same id.
    """
    place = _place_below(identifier, base)
    if place is None:
        return _urn(identifier)
    found = _UUID.match(place)
    return UUID(found[0]) if found else None


def _urn(identifier: str) -> UUID | None:
    found = _URN.match(unquote(identifier))
    return UUID(found[1]) if found and _UUID.fullmatch(found[1]) else None


def _place_below(identifier: str, base: str) -> str | None:
    """Return what follows a base URL in an id; None for an id elsewhere."""
    address = _address_of(identifier)
    if address[:4].lower() != "http":
        return None
    try:
        parts, own = urlsplit(_START.sub(r"\1://", address, count=1)), urlsplit(base)
        port, own_port = parts.port, own.port
    except ValueError:
        return None
    host = _host(parts.hostname or "")
    same_port = port == own_port or (port in _PORTS and own_port in _PORTS)
    if parts.scheme not in {"http", "https"} or host != _host(own.hostname or "") or not same_port:
        return None
    path = normpath("/" + unquote(unquote(parts.path)).replace("\\", "/").lstrip("/")).lower()
    below = own.path.lower()
    return path[len(below) :] if f"{path}/".startswith(below) else None


def _address_of(identifier: str) -> str:
    """Return the URL that a did:web names, whose host and path it writes with colons; any other id as it is."""
    found = _DID_WEB.match(identifier)
    if found is None:
        return identifier.strip()
    host, _, path = re.split("[?#/]", identifier[found.end() :], maxsplit=1)[0].partition(":")
    return f"https://{unquote(host)}/{path.replace(':', '/')}"


def _host(name: str) -> str:
    """Return a host as browsers read it (URL Standard, section 3.5).

    Other forms of letters and dots are the usual ones (UTS 46), and `127.1`, `0x7f000001` or `2130706433` are an IPv4
    address. One that IPv6 maps (RFC 4291, section 2.5.5.2) leads to the same place.
    """
    name = unquote(name).lower()
    if not name.isascii():
        try:
            # Mapped in pieces: with enough of what shows nothing, a name would be too long to be mapped as a whole.
            pieces = (name[at : at + _PIECE] for at in range(0, len(name), _PIECE))
            mapped = normalize("NFC", "".join(idna.uts46_remap(piece, std3_rules=False) for piece in pieces))
            name = idna.encode(mapped).decode("ascii")
        except idna.IDNAError:
            return name
    return _address(name.rstrip("."))


def _address(name: str) -> str:
    """Return an address in its usual form; a name as it is."""
    try:
        if ":" in name:
            address = IPv6Address(name)
            return str(address.ipv4_mapped or address)
        return str(_ipv4(name)) if _NUMBERS.fullmatch(name) else name
    except (ValueError, OverflowError):
        return name


def _ipv4(name: str) -> IPv4Address:
    """Return the address of one to four numbers, decimal, octal or hexadecimal; the last fills what is left of it."""
    *first, last = (_number(each) for each in name.split("."))
    return IPv4Address(bytes(first) + last.to_bytes(4 - len(first), "big"))


def _number(text: str) -> int:
    if text.startswith("0x"):
        return int(text[2:] or "0", 16)
    return int(text, 8 if text.startswith("0") else 10)
