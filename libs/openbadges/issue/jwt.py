"""Credentials and presentations signed as JWTs; a credential is prepared first, as for every other proof."""

from typing import Any, Final

import orjson

from libs.openbadges.crypto.jwk import Jwk, read_jwk
from libs.openbadges.crypto.keys import PublicKey, Signer
from libs.openbadges.issue.signing import Prepared
from libs.openbadges.jose.claims import badge_claims
from libs.openbadges.jose.compact import kind_of, write_compact
from libs.openbadges.jose.tokens import REGISTERED
from libs.openbadges.jsonld.parsing import check, write
from libs.openbadges.model.errors import CredentialError
from libs.openbadges.model.members import identifier_of, types_of

VERIFIABLE_PRESENTATION: Final = "VerifiablePresentation"


def sign_open_badge_jwt(
    prepared: Prepared, signer: Signer, *, algorithm: str, kid: str | None = None, jwk: Jwk | None = None
) -> str:
    """Sign an Open Badge as 1EdTech's profile of JWT has it (Open Badges 3.0, sections 8.2.4.1 to 8.2.4.3).

    Args:
        prepared: from `prepare`; used up.
        signer: holds the private key.
        algorithm: RS256, which every reader knows, ES256, Ed25519 or its older name EdDSA.
        kid: the DID URL (or URL) of the public key.
        jwk: the public key itself, instead of `kid`.

    Raises:
        CredentialError: `header_key`, not exactly one of `kid` and `jwk`; `claim_missing`, the credential lacks what
            the profile asks for; `already_signed`; and those of `write_compact` and `read_jwk`.
    """
    if (kid is None) == (jwk is None):
        raise CredentialError("header_key", "The header has either the name of the key or the key.")
    kind_of(algorithm)
    public = None if jwk is None else read_jwk(jwk)
    header: dict[str, Any] = {"alg": algorithm, "typ": "JWT"}
    header.update({"jwk": jwk} if kid is None else {"kid": kid})
    document, text = _taken(prepared)
    return write_compact(header, _joined(text, badge_claims(document)), signer, public)


def sign_vc_jwt(
    prepared: Prepared, signer: Signer, *, algorithm: str, kid: str, public: PublicKey | None = None
) -> str:
    """Sign a credential as `vc+jwt` (VC-JOSE-COSE 1.0, section 3.1.1).

    Args:
        prepared: from `prepare`; used up.
        signer: holds the private key.
        algorithm: see `sign_open_badge_jwt`.
        kid: the DID URL of the public key. For any other name the issuer is claimed too, so that readers find it.
        public: the public key, where the signer is not one of ours and the caller has it.

    Raises:
        CredentialError: `already_signed`, and those of `write_compact`.
    """
    kind_of(algorithm)
    document, text = _taken(prepared)
    claims = {} if kid.startswith("did:") else {"iss": identifier_of(document.get("issuer"))}
    header = {"alg": algorithm, "kid": kid, "typ": "vc+jwt", "cty": "vc"}
    return write_compact(header, _joined(text, claims), signer, public)


def sign_vp_jwt(
    presentation: dict[str, Any],
    signer: Signer,
    *,
    algorithm: str,
    kid: str,
    challenge: str | None = None,
    domain: str | None = None,
) -> str:
    """Sign a presentation as `vp+jwt` (VC-JOSE-COSE 1.0, section 3.1.2).

    Args:
        presentation: with the credentials, enveloped or with proofs of their own, and no proof.
        signer: holds the holder's private key.
        algorithm: see `sign_open_badge_jwt`.
        kid: the DID URL of the public key.
        challenge: what the verifier asked to be repeated; it becomes the claim `nonce`.
        domain: for whom; it becomes the claim `aud` (RFC 7519, section 4.1.3).

    Raises:
        CredentialError: `not_a_presentation`, `proof_present`, and those of `write_compact`.
    """
    check_signable(presentation)
    claims = {"nonce": challenge, "aud": domain}
    given = {name: value for name, value in claims.items() if value is not None}
    header = {"alg": algorithm, "kid": kid, "typ": "vp+jwt", "cty": "vp"}
    return write_compact(header, _joined(write(presentation), given), signer)


def check_signable(presentation: dict[str, Any]) -> None:
    """Check that a document is a presentation that may be signed (VCDM 2.0, section 4.13).

    Raises:
        CredentialError: `not_a_presentation`, `proof_present`, `claim_present`.
        LimitError: beyond the limits.
    """
    check(presentation)
    if VERIFIABLE_PRESENTATION not in types_of(presentation):
        raise CredentialError(
            "not_a_presentation", f"The document does not say that it is a {VERIFIABLE_PRESENTATION}."
        )
    if "proof" in presentation:
        raise CredentialError("proof_present", "The document carries a proof already.", "/proof")
    _check_free(presentation)


def _taken(prepared: Prepared) -> tuple[dict[str, Any], bytes]:
    taken = prepared.take()
    document = dict(taken.document)
    _check_free(document)
    return document, taken.text


def _check_free(document: dict[str, Any]) -> None:
    taken = sorted(REGISTERED & document.keys())
    if taken:
        raise CredentialError("claim_present", "The document uses the name of a claim.", f"/{taken[0]}")


def _joined(text: bytes, claims: dict[str, Any]) -> bytes:
    return text[:-1] + b"," + orjson.dumps(claims)[1:] if claims else text
