"""Registry documents: a list of issuers as JSON that the operator trusts as it is, or signed as a compact JWS.

The form is one of ours, because none is agreed on: {"name", "validUntil"?, "issuers": [{"id", "name", "url"?,
"validFrom"?, "validUntil"?, "suspension"?: {"since", "reason"}}]}; a signed one may have the claims `iss`, `iat` and
`exp` (RFC 7519, section 4.1) too. An issuer has an entry for each period for which it is listed. The form of the
Digital Credentials Consortium's registries is read too: {"registry": {DID: {"name", "url"?}}}.
"""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

from libs.openbadges.crypto.did import controller_of
from libs.openbadges.crypto.key_state import check_state
from libs.openbadges.crypto.methods import Documents, public_key, resolve
from libs.openbadges.jose.compact import as_compact, check_signature, read_compact
from libs.openbadges.jsonld.parsing import Limits, parse
from libs.openbadges.model import times
from libs.openbadges.model.errors import CredentialError, UndecidedError
from libs.openbadges.trust.issuer_list import ISSUER_LIST_TYPE
from libs.openbadges.trust.names import shown_name
from libs.openbadges.trust.parties import Party, Registry, Suspension

REGISTRY_LIMITS: Final = Limits(bytes=16 * 1024 * 1024, depth=12, nodes=2_000_000)
REGISTRY_TEXT_BYTES: Final = REGISTRY_LIMITS.bytes * 4 // 3 + 16 * 1024
"""The longest text of a registry: in base64, with header and signature."""

_CLOCKS_DIFFER: Final = timedelta(minutes=5)
_NO_DOCUMENTS: Final[Documents] = {}


def read_registry(
    text: str | bytes,
    *,
    name: str | None = None,
    signers: Collection[str] = (),
    documents: Documents = _NO_DOCUMENTS,
    not_before: datetime | None = None,
    now: datetime,
) -> Registry:
    """Read a registry document.

    Args:
        text: JSON, or a compact JWS whose payload is that JSON.
        name: what the operator calls the registry; None takes the name in the document.
        signers: the DIDs of which one must have signed it; without any only JSON is taken, which is trusted for where
            it came from.
        documents: DID documents by DID; a did:key needs none.
        not_before: when the copy was signed that the reader has; an earlier one is refused.
        now: the moment to judge the key and the list's own end by.

    Raises:
        CredentialError: `registry_form`; `registry_unsigned`, `registry_signer` and `registry_proof`, where a
            signature was asked for; `registry_expired`; `registry_rolled_back`, earlier than `not_before`;
            `registry_in_future`, signed later than now; those of `parsing.parse` and `compact.read_compact`.
        UndecidedError: `key_unavailable`, the signer's DID document is not there.
        LimitError: beyond `REGISTRY_LIMITS`.
    """
    jws = as_compact(text)
    if jws is None:
        if signers:
            raise CredentialError("registry_unsigned", "The registry is not signed, and a signer is named for it.")
        return _registry(parse(text, REGISTRY_LIMITS), name, None, now)
    if not signers:
        raise CredentialError("registry_signer", "The registry is signed; say whose signature is trusted.")
    claims = _proven(jws, signers, documents, now)
    signed_at = _instant(claims, "iat")
    if not_before is not None and (signed_at is None or signed_at < not_before):
        raise CredentialError(
            "registry_rolled_back",
            f"The registry is older than the copy that is held, which was signed {times.write(not_before)}.",
        )
    if signed_at is not None and signed_at > now + _CLOCKS_DIFFER:
        raise CredentialError(
            "registry_in_future", f"The registry says that it was signed {times.write(signed_at)}, which is to come."
        )
    return _registry(claims, name, signed_at, now)


def _proven(jws: str, signers: Collection[str], documents: Documents, now: datetime) -> dict[str, Any]:
    compact = read_compact(jws, REGISTRY_LIMITS)
    method = compact.header.get("kid")
    if compact.header.get("typ") != ISSUER_LIST_TYPE:
        raise CredentialError("registry_form", f"A signed registry has the type {ISSUER_LIST_TYPE}.")
    if not isinstance(method, str) or controller_of(method) not in signers:
        raise CredentialError("registry_signer", "The registry was signed by another than the one who is trusted.")
    found = resolve(method, documents)
    if found is None:
        raise UndecidedError("key_unavailable", f"The document of {controller_of(method)} is not available.")
    if not check_signature(compact, public_key(found)):
        raise CredentialError("registry_proof", "The signature is not that of this registry.")
    claims = parse(compact.payload, REGISTRY_LIMITS)
    check_state(found, partial(_instant, claims, "iat"), now)
    if claims.get("iss", controller_of(method)) != controller_of(method):
        raise CredentialError("registry_signer", "The registry says that it is of another than who signed it.")
    return claims


def _instant(claims: Mapping[str, Any], name: str) -> datetime | None:
    """Return a moment of a token, in seconds since 1970; None where it says none."""
    seconds = claims.get(name)
    if seconds is None:
        return None
    if not isinstance(seconds, int) or isinstance(seconds, bool) or not 0 <= seconds < 2**35:
        raise CredentialError("registry_form", f"The claim {name} is a moment in seconds since 1970.", f"/{name}")
    return datetime.fromtimestamp(seconds, UTC)


def _registry(document: Mapping[str, Any], name: str | None, signed_at: datetime | None, now: datetime) -> Registry:
    stated = (_moment(document, "validUntil"), _instant(document, "exp"))
    ends = min((each for each in stated if each is not None), default=None)
    if ends is not None and ends <= now:
        raise CredentialError("registry_expired", f"The registry may be relied on until {times.write(ends)}.")
    title = name or document.get("name")
    if not isinstance(title, str) or not title:
        raise CredentialError("registry_form", "A registry has a name.", "/name")
    parties: dict[str, list[Party]] = {}
    for party in _parties(document):
        parties.setdefault(party.id, []).append(party)
    return Registry(shown_name(title), parties, ends, signed_at)


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
        suspension=_suspension(entry, path),
    )


def _suspension(entry: Mapping[str, Any], path: str) -> Suspension | None:
    held = entry.get("suspension")
    if held is None:
        return None
    since = _moment(held, "since", f"{path}/suspension") if isinstance(held, dict) else None
    if since is None or not isinstance(held.get("reason"), str):
        raise CredentialError("registry_form", "A suspension says since when, and why.", f"{path}/suspension")
    return Suspension(since, shown_name(held["reason"]))


def _moment(document: Mapping[str, Any], name: str, path: str = "") -> datetime | None:
    return times.read(document[name], f"{path}/{name}") if name in document else None
