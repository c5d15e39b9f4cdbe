"""Registry documents: a list of issuers as JSON that the operator trusts as it is, or signed as a compact JWS.

The form is one of ours, because none is agreed on: {"name", "validUntil"?, "issuers": [{"id", "name", "url"?,
"validFrom"?, "validUntil"?}]}. The form of the Digital Credentials Consortium's registries is read too:
{"registry": {DID: {"name", "url"?}}}.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from libs.openbadges.crypto.did import controller_of
from libs.openbadges.crypto.key_state import check_state
from libs.openbadges.crypto.methods import Documents, public_key, resolve
from libs.openbadges.jose.compact import as_compact, check_signature, read_compact
from libs.openbadges.jsonld.parsing import Limits, parse
from libs.openbadges.model import times
from libs.openbadges.model.errors import CredentialError, UndecidedError
from libs.openbadges.trust.names import shown_name
from libs.openbadges.trust.parties import Party, Registry

ISSUER_LIST_TYPE: Final = "issuer-list+jwt"
"""The `typ` of a signed list, so that no other token can be taken for one (RFC 8725, section 3.11)."""

REGISTRY_LIMITS: Final = Limits(bytes=16 * 1024 * 1024, depth=12, nodes=2_000_000)

_NO_DOCUMENTS: Final[Documents] = {}


def read_registry(
    text: str | bytes,
    *,
    name: str | None = None,
    signer: str | None = None,
    documents: Documents = _NO_DOCUMENTS,
    now: datetime,
) -> Registry:
    """Read a registry document.

    Args:
        text: JSON, or a compact JWS whose payload is that JSON.
        name: what the operator calls the registry; None takes the name in the document.
        signer: the DID that must have signed it; None takes JSON alone, which is trusted for where it came from.
        documents: DID documents by DID; a did:key needs none.
        now: the moment to judge the key and the list's own end by.

    Raises:
        CredentialError: `registry_form`; `registry_unsigned`, `registry_signer` and `registry_proof`, where a
            signature was asked for; `registry_expired`; those of `parsing.parse` and `compact.read_compact`.
        UndecidedError: `key_unavailable`, the signer's DID document is not there.
        LimitError: beyond `REGISTRY_LIMITS`.
    """
    jws = as_compact(text)
    if jws is None:
        if signer is not None:
            raise CredentialError("registry_unsigned", "The registry is not signed, and a signer is named for it.")
        return _registry(parse(text, REGISTRY_LIMITS), name, now)
    if signer is None:
        raise CredentialError("registry_signer", "The registry is signed; say whose signature is trusted.")
    return _registry(_proven(jws, signer, documents, now), name, now)


def _proven(jws: str, signer: str, documents: Documents, now: datetime) -> dict[str, Any]:
    compact = read_compact(jws, REGISTRY_LIMITS)
    method = compact.header.get("kid")
    if compact.header.get("typ") != ISSUER_LIST_TYPE:
        raise CredentialError("registry_form", f"A signed registry has the type {ISSUER_LIST_TYPE}.")
    if not isinstance(method, str) or controller_of(method) != signer:
        raise CredentialError("registry_signer", "The registry was signed by another than the one who is trusted.")
    found = resolve(method, documents)
    if found is None:
        raise UndecidedError("key_unavailable", f"The document of {signer} is not available.")
    claims = parse(compact.payload, REGISTRY_LIMITS)
    check_state(found, partial(_signed_at, claims), now)
    if not check_signature(compact, public_key(found)):
        raise CredentialError("registry_proof", "The signature is not that of this registry.")
    return claims


def _signed_at(claims: Mapping[str, Any]) -> datetime | None:
    made = claims.get("iat")
    return datetime.fromtimestamp(made, UTC) if isinstance(made, int) and 0 <= made < 2**35 else None


def _registry(document: Mapping[str, Any], name: str | None, now: datetime) -> Registry:
    ends = _moment(document, "validUntil")
    if ends is not None and ends <= now:
        raise CredentialError("registry_expired", f"The registry may be relied on until {times.write(ends)}.")
    title = name or document.get("name")
    if not isinstance(title, str) or not title:
        raise CredentialError("registry_form", "A registry has a name.", "/name")
    parties: dict[str, list[Party]] = {}
    for party in _parties(document):
        parties.setdefault(party.id, []).append(party)
    return Registry(shown_name(title), parties, ends)


def _parties(document: Mapping[str, Any]) -> list[Party]:
    consortium = document.get("registry")
    if isinstance(consortium, dict):
        listed: Any = [{"id": did, **entry} for did, entry in consortium.items() if isinstance(entry, dict)]
    else:
        listed = document.get("issuers")
    if not isinstance(listed, list):
        raise CredentialError("registry_form", "A registry lists issuers.", "/issuers")
    return [_party(one, f"/issuers/{place}") for place, one in enumerate(listed)]


def _party(entry: Any, path: str) -> Party:
    if not isinstance(entry, dict):
        raise CredentialError("registry_form", "An issuer is an object.", path)
    identifier, name, url = entry.get("id"), entry.get("name"), entry.get("url")
    if not isinstance(identifier, str) or not identifier or not isinstance(name, str) or not name:
        raise CredentialError("registry_form", "An issuer has an id and a name.", path)
    return Party(
        identifier,
        shown_name(name),
        url if isinstance(url, str) else None,
        begins=_moment(entry, "validFrom", path),
        ends=_moment(entry, "validUntil", path),
    )


def _moment(document: Mapping[str, Any], name: str, path: str = "") -> datetime | None:
    return times.read(document[name], f"{path}/{name}") if name in document else None
