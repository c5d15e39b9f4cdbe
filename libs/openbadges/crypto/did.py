"""did:key and did:web: making identifiers and documents, and reading out who may sign. Fetching happens elsewhere."""

from typing import Any, Final
from urllib.parse import quote, urlsplit

from libs.openbadges.crypto.keys import read_public
from libs.openbadges.model.errors import CredentialError

DID_CONTEXT: Final = "https://www.w3.org/ns/did/v1"
MULTIKEY_CONTEXT: Final = "https://w3id.org/security/multikey/v1"
JWK_CONTEXT: Final = "https://w3id.org/security/jwk/v1"


def did_key(public_multibase: str) -> str:
    """Name a key by itself (did:key): it needs no document from anywhere.

    Raises:
        CredentialError: not a Multikey of a kind that is known here.
    """
    read_public(public_multibase)
    return f"did:key:{public_multibase}"


def did_web(base_url: str, *path: str) -> str:
    """Name an issuer by its URL (did:web).

    Without a path the document is read from /.well-known/did.json, else from /path/did.json. A port is written
    as %3A (did:web method, section 'Method-specific identifier').

    Raises:
        CredentialError: the base is not an http(s) URL of a host.
    """
    parts = urlsplit(base_url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise CredentialError("did_form", f"{base_url!r} is not the URL of a host.")
    host = parts.netloc.replace(":", "%3A")
    segments = [segment for segment in parts.path.split("/") if segment] + list(path)
    return ":".join(["did:web", host, *(quote(segment, safe="-._~") for segment in segments)])


def did_web_url(did: str, scheme: str = "https") -> str:
    """Return the URL at which a did:web's document stands.

    Raises:
        CredentialError: not a did:web.
    """
    method, _, rest = did.partition("did:web:")
    host, *path = rest.split(":")
    if method or not host or any(not segment for segment in path):
        raise CredentialError("did_form", f"{did!r} is not a did:web.")
    place = "/".join(path) if path else ".well-known"
    return f"{scheme}://{host.replace('%3A', ':').replace('%3a', ':')}/{place}/did.json"


def stands_below(url: str, did: str) -> bool:
    """Return whether a URL lies below the address that a did:web is the name of: its owner decides what stands there.

    did:web:state.example owns all of https://state.example/, did:web:state.example:a what lies below /a/. A URL whose
    path is not written plainly, with dots for segments or with escapes, is nobody's.
    """
    scheme = url.partition("://")[0]
    if scheme not in {"https", "http"} or not did.startswith("did:web:"):
        return False
    try:
        address = did_web_url(did, scheme).removesuffix("did.json").removesuffix(".well-known/")
    except CredentialError:
        return False
    plain = url.isascii() and url.isprintable() and not set(url) & set("%\\ ")
    return url.startswith(address) and plain and not {".", ".."} & set(url.split("/"))


def verification_method(did: str, public_multibase: str) -> str:
    """Name one key of a DID: the DID URL that proofs carry."""
    return f"{did}#{public_multibase}"


def did_document(did: str, public_multibase: str) -> dict[str, Any]:
    """Write the DID document of an issuer with one key, which may sign credentials (DID Core 1.0, Multikey)."""
    method = verification_method(did, public_multibase)
    return {
        "@context": [DID_CONTEXT, MULTIKEY_CONTEXT],
        "id": did,
        "verificationMethod": [
            {"id": method, "type": "Multikey", "controller": did, "publicKeyMultibase": public_multibase}
        ],
        "authentication": [method],
        "assertionMethod": [method],
    }


def did_document_with_jwk(did: str, jwk: dict[str, Any], fragment: str) -> dict[str, Any]:
    """Write the DID document of an issuer whose key is a JWK, as RSA keys are (Controlled Identifiers 1.0, 2.2.3).

    Args:
        did: the issuer.
        jwk: the public key, as `jose.jwk.write_jwk` writes it.
        fragment: the key's name within the document; its thumbprint is a good one.
    """
    method = verification_method(did, fragment)
    return {
        "@context": [DID_CONTEXT, JWK_CONTEXT],
        "id": did,
        "verificationMethod": [{"id": method, "type": "JsonWebKey", "controller": did, "publicKeyJwk": jwk}],
        "authentication": [method],
        "assertionMethod": [method],
    }


def resolve_did_key(did: str) -> dict[str, Any]:
    """Write out the document that a did:key stands for.

    Raises:
        CredentialError: not a did:key of a kind of key that is known here.
    """
    method, _, multibase = did.partition("did:key:")
    if method:
        raise CredentialError("did_form", f"{did!r} is not a did:key.")
    read_public(multibase)
    return did_document(did, multibase)


_ACTS: Final = {"assertionMethod": "sign credentials", "authentication": "show credentials"}


def methods_of(document: dict[str, Any], relationship: str = "assertionMethod") -> list[str]:
    """Return the identifiers of the keys that a document allows for a relationship (DID Core 1.0, section 5.3)."""
    owner = document.get("id")
    listed = [one.get("id") if isinstance(one, dict) else one for one in _entries(document, relationship)]
    named = [_absolute(one, owner) if isinstance(owner, str) else one for one in listed]
    return [one for one in named if isinstance(one, str)]


def controller_of(method: str) -> str:
    """Return whose document holds a verification method: the DID URL (or URL) without its fragment."""
    return method.partition("#")[0]


def find_method(document: dict[str, Any], method: str, relationship: str = "assertionMethod") -> dict[str, Any]:
    """Find a verification method in a DID document, if the document allows it for the relationship.

    Whether it was in force when it signed is another question: see `key_state.check_state`.

    Raises:
        CredentialError: `method_missing` if the document does not have it, `method_not_allowed` if it has it for
            other purposes, `method_controller` if it belongs to somebody else.
    """
    owner = controller_of(method)
    listed = _entries(document, "verificationMethod") + _entries(document, relationship)
    found = next((one for one in listed if isinstance(one, dict) and _absolute(one.get("id"), owner) == method), None)
    if found is None:
        raise CredentialError("method_missing", f"The document of {owner} has no key {method}.")
    allowed = [one.get("id") if isinstance(one, dict) else one for one in _entries(document, relationship)]
    if method not in [_absolute(one, owner) for one in allowed]:
        raise CredentialError(
            "method_not_allowed",
            f"The document of {owner} does not allow {method} to {_ACTS.get(relationship, 'act')}.",
        )
    if found.get("controller") != owner:
        raise CredentialError("method_controller", f"The key {method} is controlled by {found.get('controller')}.")
    return found


def _entries(document: dict[str, Any], name: str) -> list[Any]:
    value = document.get(name, [])
    return value if isinstance(value, list) else [value]


def _absolute(identifier: Any, owner: str) -> Any:
    return owner + identifier if isinstance(identifier, str) and identifier.startswith("#") else identifier
