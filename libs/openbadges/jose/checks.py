"""Is a token's signature good, and is its key the issuer's or holder's? Each answered pass, fail or unknown."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from libs.openbadges.crypto.did import controller_of
from libs.openbadges.crypto.jwk import read_jwk
from libs.openbadges.crypto.key_state import check_state
from libs.openbadges.crypto.keys import PublicKey
from libs.openbadges.crypto.methods import Documents, allowed_methods, document_of, public_key, resolve
from libs.openbadges.integrity.check import key_of_owner, other_owner
from libs.openbadges.jose.claims import check_claims, signed_at
from libs.openbadges.jose.compact import ALGORITHMS, check_signature, kind_of
from libs.openbadges.jose.tokens import Token
from libs.openbadges.model.errors import CredentialError, UndecidedError
from libs.openbadges.model.findings import Finding
from libs.openbadges.model.members import holder_of, issuer_of


@dataclass(frozen=True, slots=True)
class _Key:
    """A key that may have signed.

    Attributes:
        public: the key.
        algorithm: the one that its owner allows it, if any.
        doubt: why it is not certain that it was in force when it signed.
    """

    public: PublicKey
    algorithm: str | None
    doubt: UndecidedError | None = None


@dataclass(frozen=True, slots=True)
class _Keys:
    """The keys that may have signed, of which one is enough; `unread` is why another one cannot be read, if any."""

    known: Sequence[_Key]
    unread: UndecidedError | None = None


_Found = _Keys | CredentialError | None
"""The keys that may have signed, why they could not be found, or None where the owner's document is not there."""


def owner_of(token: Token) -> str | None:
    """Return whose document must hold the token's key, as far as the token tells (VC-JOSE-COSE 1.0, section 4.1)."""
    method = _method(token)
    if method is not None:
        return controller_of(method)
    return _claimed(token)


def check_token(token: Token, documents: Documents, now: datetime) -> tuple[Finding, Finding]:
    """Check a token's profile and signature, then whether its key is the issuer's (or, in a presentation, holder's).

    A `kid` names the key; a `jwk` in the header is only believed where the issuer's own document lists the same key;
    without either, any key that the issuer lists for the purpose may have signed (Open Badges 3.0, section 8.2.4.4;
    VC-JOSE-COSE 1.0, sections 4.1 and 5).

    Args:
        token: from `read_token`.
        documents: DID documents by DID.
        now: the moment of verification.

    Returns:
        What was found about the proof, and about the issuer or holder.
    """
    keys: _Found
    try:
        keys = _keys(token, documents, now)
    except CredentialError as error:
        keys = error
    return _check_proof(token, keys), _check_owner(token, _listing_embedded(token, keys))


def _check_proof(token: Token, keys: _Found) -> Finding:
    try:
        check_claims(token)
        kind_of(token.header["alg"])
        if "jwk" in token.header:
            # What is in the header is what it was signed with; whether that is the issuer's is the other question.
            keys = _with_embedded(read_jwk(token.header["jwk"]), keys, "kid" in token.header)
        if isinstance(keys, CredentialError):
            raise keys
        if keys is None:
            return Finding("unknown", "key_unavailable", f"The document of {owner_of(token)} is not available.")
        good = [key for key in _fitting(token, keys) if check_signature(token.compact, key.public)]
        uncertain = _doubt_of(good) if good else keys.unread
        if uncertain is not None:
            raise uncertain
    except CredentialError as error:
        return Finding.of(error)
    if not good:
        return Finding("fail", "proof_invalid", "The signature is not that of this text: one of the two was changed.")
    return Finding("pass", "proof_valid", "The text is as it was signed.")


def _with_embedded(embedded: PublicKey, keys: _Found, named: bool) -> _Found:
    """Take the key in the header; where the header also names one, the two must be the same."""
    if not named:
        return _Keys([_Key(embedded, None)])
    if isinstance(keys, _Keys) and embedded not in [key.public for key in keys.known]:
        return CredentialError("jwk_foreign", "The key in the header is not the one that the header names.")
    return keys


def _doubt_of(keys: Sequence[_Key]) -> UndecidedError | None:
    """Return why none of these keys, of which each would do, is certain to have been in force."""
    return None if any(key.doubt is None for key in keys) else keys[0].doubt


def _fitting(token: Token, keys: _Keys) -> list[_Key]:
    """Leave out keys that are not for this algorithm (RFC 8725, section 3.1: the key decides, not the token).

    Raises:
        UndecidedError: none is, and one could not be read.
        CredentialError: `algorithm_mismatch`, none is.
    """
    algorithm = token.header["alg"]
    kind = kind_of(algorithm)
    fitting = [
        key
        for key in keys.known
        if key.public.kind == kind and (key.algorithm is None or ALGORITHMS.get(key.algorithm) == kind)
    ]
    if not fitting:
        raise keys.unread or CredentialError(
            "algorithm_mismatch", f"The key is not one that signs with {algorithm[:40]}."
        )
    return fitting


def _listing_embedded(token: Token, keys: _Found) -> _Found:
    """Return why the key in the header cannot be the owner's, where it stands there and the owner does not list it."""
    if "jwk" not in token.header or not isinstance(keys, _Keys):
        return keys
    try:
        embedded = read_jwk(token.header["jwk"])
    except CredentialError as error:
        return error
    listed = [key for key in keys.known if key.public == embedded]
    foreign = CredentialError("jwk_foreign", f"The key in the header is not one that {owner_of(token)} lists.")
    return _Keys(listed) if listed else keys.unread or foreign


def _check_owner(token: Token, keys: _Found) -> Finding:
    if isinstance(keys, _Keys):
        keys = _doubt_of(keys.known) or keys
    role = "holder" if token.profile == "vp+jwt" else "issuer"
    who = holder_of(token.document) if role == "holder" else issuer_of(token.document)
    owner = owner_of(token)
    if who is not None and owner != who:
        return other_owner(role, who, owner)
    if isinstance(keys, CredentialError):
        return Finding.of(keys)
    if keys is None:
        return Finding("unknown", f"{role}_unavailable", f"The document of {owner} is not available.")
    if who is None and role == "holder":
        return Finding("pass", "holder_unnamed", "The presentation does not say whose it is.")
    return key_of_owner(role, who)


def _keys(token: Token, documents: Documents, now: datetime) -> _Keys | None:
    """Find the keys of the owner that may have signed; None where the owner's document is not there.

    Raises:
        UndecidedError, CredentialError: see `methods.resolve` and `key_state.check_state`.
    """
    method, owner = _method(token), owner_of(token)
    if owner is None:
        raise UndecidedError("key_unnamed", "The token does not say whose key it was signed with.")
    if method is not None and "#" in method:
        found = resolve(method, documents, _purpose(token))
        if found is None:
            return None
        check_state(found, partial(signed_at, token), now)
        return _Keys([_read(found)])
    document = document_of(owner, documents)
    if document is None:
        return None
    return _listed(token, document, documents, now)


def _purpose(token: Token) -> str:
    return "authentication" if token.profile == "vp+jwt" else "assertionMethod"


def _listed(token: Token, document: dict[str, Any], documents: Documents, now: datetime) -> _Keys:
    """Read every key that a document lists for a token's purpose, or the one whose JWK has the token's name for it.

    Raises:
        UndecidedError: none is left, and one could not be read (`key_kind`).
        CredentialError: none is left, all being out of force (`method_expired`, `method_revoked`) or no keys
            (`key_form`, `multibase_form` and others), or there being none (`method_missing`).
    """
    kid = token.header.get("kid") if _method(token) is None else None
    keys: list[_Key] = []
    unread: list[UndecidedError] = []
    useless: list[CredentialError] = []
    for method in allowed_methods(document, _purpose(token)):
        try:
            found = resolve(method, documents, _purpose(token))
            if found is not None and kid in (None, method.partition("#")[2], _jwk_of(found).get("kid")):
                keys.append(replace(_read(found), doubt=_doubt(found, token, now)))
        except UndecidedError as error:
            unread.append(error)
        except CredentialError as error:
            useless.append(error)
    if keys:
        return _Keys(keys, unread[0] if unread else None)
    if unread or useless:
        raise [*unread, *useless][0]
    raise CredentialError("method_missing", f"The document of {document.get('id')} has no such key for this purpose.")


def _doubt(found: dict[str, Any], token: Token, now: datetime) -> UndecidedError | None:
    """Return why it is not certain that a key was in force when a token was made, None where it is.

    Raises:
        CredentialError: it was not.
    """
    try:
        check_state(found, partial(signed_at, token), now)
    except UndecidedError as error:
        return error
    return None


def _read(found: dict[str, Any]) -> _Key:
    algorithm = _jwk_of(found).get("alg")
    return _Key(public_key(found), algorithm if isinstance(algorithm, str) else None)


def _jwk_of(found: dict[str, Any]) -> dict[str, Any]:
    jwk = found.get("publicKeyJwk")
    return jwk if isinstance(jwk, dict) else {}


def _method(token: Token) -> str | None:
    """Return the DID URL (or URL) of the key that the header names; None where it names none, or by a bare name.

    A name that is only a fragment belongs to whom the token claims as issuer (VC-JOSE-COSE 1.0, section 4.1.1).
    """
    kid = token.header.get("kid")
    if not isinstance(kid, str):
        return None
    if kid.startswith("did:") or "://" in kid:
        return kid
    claimed = _claimed(token)
    return claimed + kid if kid.startswith("#") and claimed is not None else None


def _claimed(token: Token) -> str | None:
    """Return whom the token claims as its issuer, else whom the document in it names."""
    for one in (token.claims.get("iss"), token.header.get("iss")):
        if isinstance(one, str) and one:
            return one
    return holder_of(token.document) if token.profile == "vp+jwt" else issuer_of(token.document)
