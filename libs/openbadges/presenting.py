"""Presentations with a Data Integrity proof: what a holder shows to one verifier, who asked for it."""

from datetime import datetime
from typing import Any

import orjson

from libs.openbadges import times
from libs.openbadges.errors import CredentialError
from libs.openbadges.jose.signing import check_presentation
from libs.openbadges.keys import Signer
from libs.openbadges.multibase import encode_multibase
from libs.openbadges.parsing import write
from libs.openbadges.proofs import ISSUED


def sign_presentation(
    presentation: dict[str, Any],
    signer: Signer,
    verification_method: str,
    created: datetime,
    *,
    cryptosuite: str = "eddsa-rdfc-2022",
    challenge: str | None = None,
    domain: str | None = None,
) -> str:
    """Sign a presentation for authentication (VCDM 2.0, section 4.13; Data Integrity 1.0, section 4.2).

    Args:
        presentation: with the credentials, enveloped or with proofs of their own, and no proof.
        signer: holds the holder's private key.
        verification_method: the DID URL of the public key.
        created: the moment of signing, with a zone.
        cryptosuite: one of `proofs.ISSUED`.
        challenge: what the verifier asked to be repeated, so that nobody shows the same presentation twice.
        domain: for whom it is.

    Returns:
        The presentation as compact JSON.

    Raises:
        CredentialError: `not_a_presentation`, `proof_present`, `cryptosuite_unknown`, and what
            `canonical.canonicalize` finds wrong.
    """
    suite = ISSUED.get(cryptosuite)
    if suite is None:
        raise CredentialError("cryptosuite_unknown", f"There is no cryptosuite {cryptosuite!r} here.")
    check_presentation(presentation)
    text = write(presentation)
    content = ISSUED.unsecured(orjson.loads(text))
    options: dict[str, Any] = {
        "type": "DataIntegrityProof",
        "created": times.write(created),
        "verificationMethod": verification_method,
        "cryptosuite": cryptosuite,
        "proofPurpose": "authentication",
    }
    options.update({name: value for name, value in (("challenge", challenge), ("domain", domain)) if value is not None})
    options = suite.complete(content, options)
    proof = {**options, "proofValue": encode_multibase(signer.sign(suite.signing_input(content, options)))}
    return (text[:-1] + b',"proof":' + orjson.dumps(proof) + b"}").decode()
