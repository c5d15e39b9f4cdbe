"""What an installation published under ids of its own: a credential that bears one of them must say the same."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from posixpath import normpath
from typing import Final
from urllib.parse import unquote, urlsplit
from uuid import UUID

import idna

_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
# Whatever follows is a component that names the same resource (RFC 8141, section 2.3), or imitates one.
_URN: Final = re.compile(r"urn:uuid:([0-9a-f-]{36})(?![0-9a-z_-])", re.IGNORECASE)
# Browsers take any slashes, none or many, after the scheme (URL Standard, section 4.4).
_START: Final = re.compile(r"(https?):[/\\]*", re.IGNORECASE)
_LONGEST: Final = 2_000
_PORTS: Final = {80, 443, None}


@dataclass(frozen=True, slots=True)
class Publications:
    """What was looked up of an installation's own credentials.

    Attributes:
        base: the URL below which its credentials stand, with a slash at its end.
        issuers: those of its issuers that were asked about, by the ids that credentials name.
        texts: the signed documents, by their UUIDs.
        available: whether they could be looked up at all.
        taken_down: why those were taken down that are published no longer, as a code, by their UUIDs.
    """

    base: str
    issuers: frozenset[str] = frozenset()
    texts: Mapping[UUID, str] = field(default_factory=dict)
    available: bool = True
    taken_down: Mapping[UUID, str] = field(default_factory=dict)

    def claims(self, identifier: str) -> bool:
        """Return whether an id stands below the base, however it is written, or is a published one as URN."""
        return _place_below(identifier, self.base) is not None or _urn(identifier) in {*self.texts, *self.taken_down}

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
    found = _URN.match(unquote(identifier)) if len(identifier) <= _LONGEST else None
    return UUID(found[1]) if found and _UUID.fullmatch(found[1]) else None


def _place_below(identifier: str, base: str) -> str | None:
    """Return what follows a base URL in an id; None for an id elsewhere."""
    if len(identifier) > _LONGEST or identifier[:4].lower() != "http":
        return None
    try:
        parts, own = urlsplit(_START.sub(r"\1://", identifier.strip(), count=1)), urlsplit(base)
        port, own_port = parts.port, own.port
    except ValueError:
        return None
    host = _host(parts.hostname or "")
    same_port = port == own_port or (port in _PORTS and own_port in _PORTS)
    if parts.scheme not in {"http", "https"} or host != own.hostname or not same_port:
        return None
    path = normpath("/" + unquote(unquote(parts.path)).replace("\\", "/").lstrip("/")).lower()
    below = own.path.lower()
    return path[len(below) :] if f"{path}/".startswith(below) else None


def _host(name: str) -> str:
    """Return a host as browsers read it: other forms of letters and dots are the usual ones (UTS 46)."""
    name = unquote(name).lower()
    if not name.isascii():
        try:
            name = idna.encode(name, uts46=True).decode("ascii")
        except idna.IDNAError:
            return name
    return name.rstrip(".")
