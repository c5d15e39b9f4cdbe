"""Writing an installation's signed list of its issuers, which other installations read as a registry."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from libs.openbadges.crypto.did import did_key, verification_method
from libs.openbadges.crypto.keys import Ed25519Key
from libs.openbadges.jose.compact import algorithm_of, write_compact
from libs.openbadges.jsonld.parsing import write
from libs.openbadges.model import times
from libs.openbadges.trust.parties import Party

ISSUER_LIST_TYPE: Final = "issuer-list+jwt"
"""The `typ` of a signed list, so that no other token can be taken for one (RFC 8725, section 3.11)."""


def write_issuer_list(parties: Iterable[Party], *, name: str, key: Ed25519Key, at: datetime, ends: datetime) -> str:
    """Return the signed list, a compact JWS whose payload `registry` describes.

    Args:
        parties: each with its id, one for each period for which it is listed.
        name: what the installation is called.
        key: the installation's own, which readers trust by its did:key.
        at: now (`iat`).
        ends: until when the list may be relied on (`exp`).
    """
    public = key.public_multibase
    signer = did_key(public)
    claims = {
        "iss": signer,
        "iat": int(at.timestamp()),
        "exp": int(ends.timestamp()),
        "name": name,
        "issuers": [_entry(party) for party in parties],
    }
    header = {"alg": algorithm_of(key), "typ": ISSUER_LIST_TYPE, "kid": verification_method(signer, public)}
    return write_compact(header, write(claims), key)


def _entry(party: Party) -> dict[str, Any]:
    entry: dict[str, Any] = {"id": party.id, "issuerId": party.issuer_id, "name": party.name, "url": party.url}
    if party.begins is not None:
        entry["validFrom"] = times.write(party.begins)
    if party.ends is not None:
        entry["validUntil"] = times.write(party.ends)
    if party.suspension is not None:
        entry["suspension"] = {"since": times.write(party.suspension.since), "reason": party.suspension.reason}
    return {name: value for name, value in entry.items() if value is not None}
