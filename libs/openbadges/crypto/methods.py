"""From the identifier of a key to the key: in what was looked up, if its owner allows it for the purpose."""

from collections.abc import Mapping
from typing import Any, Final

from libs.openbadges.crypto.did import controller_of, find_method, methods_of, resolve_did_key
from libs.openbadges.crypto.jwk import read_jwk
from libs.openbadges.crypto.keys import PublicKey, read_public
from libs.openbadges.model.errors import UndecidedError

_MEMBERS: Final = {
    "Multikey": "publicKeyMultibase",
    "Ed25519VerificationKey2020": "publicKeyMultibase",
    "JsonWebKey": "publicKeyJwk",
    "JsonWebKey2020": "publicKeyJwk",
}
"""Where a verification method of each type has its key."""

MOST_KEYS: Final = 16
"""Keys of one owner that are looked through for the one that is meant."""

Documents = Mapping[str, Mapping[str, Any]]


def document_of(owner: str, documents: Documents) -> dict[str, Any] | None:
    """Return the document of a key's owner; None where it was not looked up.

    Raises:
        UndecidedError: `did_mismatch`, what was looked up is another's document.
        CredentialError: a did:key that is none.
    """
    if owner.startswith("did:key:"):
        return resolve_did_key(owner)
    document = documents.get(owner)
    if document is None:
        return None
    if document.get("id") != owner:
        raise UndecidedError("did_mismatch", f"The document given for {owner} is that of {document.get('id')}.")
    return dict(document)


def resolve(method: str, documents: Documents, relationship: str = "assertionMethod") -> dict[str, Any] | None:
    """Find a verification method (Data Integrity 1.0, section 4.5); None where its owner's document is not there.

    Raises:
        UndecidedError: what was looked up is another's document, or holds a key that cannot be read.
        CredentialError: the document is there and does not allow the key.
    """
    document = document_of(controller_of(method), documents)
    if document is None:
        return None
    found = find_method(document, method, relationship)
    member = _MEMBERS.get(str(found.get("type")))
    if member is None or not isinstance(found.get(member), dict if member == "publicKeyJwk" else str):
        raise UndecidedError("key_kind", f"The key {method} is of a kind that is not read here.")
    return found


def public_key(found: Mapping[str, Any]) -> PublicKey:
    """Read the key of a verification method (Controlled Identifiers 1.0, sections 2.2.2 and 2.2.3).

    Raises:
        UndecidedError, CredentialError: see `keys.read_public` and `jose.jwk.read_jwk`.
    """
    if _MEMBERS[found["type"]] == "publicKeyJwk":
        return read_jwk(found["publicKeyJwk"])
    return read_public(found["publicKeyMultibase"])


def allowed_methods(document: dict[str, Any], relationship: str) -> list[str]:
    """Return the first keys that a document allows for a relationship (DID Core 1.0, section 5.3).

    Raises:
        UndecidedError: `too_many_keys`, more than are looked through.
    """
    found = methods_of(document, relationship)
    if len(found) > MOST_KEYS:
        raise UndecidedError("too_many_keys", f"The document lists more than {MOST_KEYS} keys.")
    return found
