"""Presentations with a Data Integrity proof: what a holder shows to one verifier, who asked for it."""

from datetime import datetime
from typing import Any

from libs.openbadges.crypto.keys import Signer
from libs.openbadges.integrity.create import issued_suite, secure
from libs.openbadges.integrity.suites import SIGN_SUITES
from libs.openbadges.issue.jwt import check_signable
from libs.openbadges.jsonld.parsing import write
from libs.openbadges.model.profile import PRODUCTION, ProcessingProfile


def sign_presentation(
    presentation: dict[str, Any],
    signer: Signer,
    verification_method: str,
    created: datetime,
    *,
    cryptosuite: str = "eddsa-rdfc-2022",
    challenge: str | None = None,
    domain: str | None = None,
    profile: ProcessingProfile = PRODUCTION,
) -> str:
    """Sign a presentation for authentication (VCDM 2.0, section 4.13; Data Integrity 1.0, section 4.2).

    Args:
        presentation: with the credentials, enveloped or with proofs of their own, and no proof.
        signer: holds the holder's private key.
        verification_method: the DID URL of the public key.
        created: the moment of signing, with a zone.
        cryptosuite: one of `SIGN_SUITES`.
        challenge: what the verifier asked to be repeated, so that nobody shows the same presentation twice.
        domain: for whom it is.
        profile: which contexts may stand in it.

    Returns:
        The presentation as compact JSON.

    Raises:
        CredentialError: `not_a_presentation`, `proof_present`, `cryptosuite_unknown`, and what
            `canonical.canonicalize` finds wrong.
    """
    suite = issued_suite(cryptosuite)
    check_signable(presentation)
    content = SIGN_SUITES.canonical(presentation, write(presentation), profile)
    binding = {name: value for name, value in (("challenge", challenge), ("domain", domain)) if value is not None}
    return secure([content], suite, signer, verification_method, created, purpose="authentication", **binding)[0]
