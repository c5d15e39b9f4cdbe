"""Putting a proof on a document that was taken: Data Integrity 1.0, section 4.2."""

from datetime import datetime
from typing import Any

import orjson

from libs.openbadges import times
from libs.openbadges.errors import CredentialError
from libs.openbadges.keys import Signer
from libs.openbadges.multibase import encode_multibase
from libs.openbadges.proofs import ISSUED, Cryptosuite, Known


def issued_suite(name: str) -> Cryptosuite:
    """Answer the suite of that name.

    Raises:
        CredentialError: it is none that is issued (`cryptosuite_unknown`).
    """
    suite = ISSUED.get(name)
    if suite is None:
        raise CredentialError("cryptosuite_unknown", f"There is no cryptosuite {name!r} here.")
    return suite


def secure(
    document: Known,
    suite: Cryptosuite,
    signer: Signer,
    verification_method: str,
    created: datetime,
    *,
    purpose: str = "assertionMethod",
    **binding: str,
) -> str:
    """Sign a document that has no proof yet.

    Args:
        document: what is signed.
        suite: how.
        signer: holds the private key.
        verification_method: the DID URL of the public key.
        created: the moment of signing, with a zone.
        purpose: what the proof is for.
        binding: to what it is tied, such as a challenge and a domain.

    Returns:
        The document with its proof, as compact JSON.

    Raises:
        CredentialError: a moment without a zone, or options that mean nothing in the document's contexts.
    """
    options: dict[str, Any] = {
        "type": "DataIntegrityProof",
        "created": times.write(created),
        "verificationMethod": verification_method,
        "cryptosuite": suite.name,
        "proofPurpose": purpose,
        **binding,
    }
    options = suite.complete(document, options)
    proof = {**options, "proofValue": encode_multibase(signer.sign(suite.signing_input(document, options)))}
    return (document.text[:-1] + b',"proof":' + orjson.dumps(proof) + b"}").decode()
