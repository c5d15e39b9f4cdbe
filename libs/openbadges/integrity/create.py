"""Putting proofs on documents that were taken: Data Integrity 1.0, section 4.2."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import orjson

from libs.openbadges.crypto.keys import Signer
from libs.openbadges.crypto.multibase import encode_multibase
from libs.openbadges.integrity.suites import SIGN_SUITES, Cryptosuite
from libs.openbadges.jsonld.templates.canonical_document import CanonicalDocument
from libs.openbadges.model import times
from libs.openbadges.model.datamodel.forms import require_url
from libs.openbadges.model.errors import CredentialError


def issued_suite(name: str) -> Cryptosuite:
    """Return the suite of that name.

    Raises:
        CredentialError: it is none that is issued (`cryptosuite_unknown`).
    """
    suite = SIGN_SUITES.get(name)
    if suite is None:
        raise CredentialError("cryptosuite_unknown", f"There is no cryptosuite {name!r} here.")
    return suite


def secure(
    documents: Sequence[CanonicalDocument],
    suite: Cryptosuite,
    signer: Signer,
    verification_method: str,
    created: datetime,
    *,
    purpose: str = "assertionMethod",
    **binding: str,
) -> list[str]:
    """Sign documents that have no proof yet.

    Each step is done for all before the next, since a step's code that is in the processor's cache takes less.

    Args:
        documents: what is signed.
        suite: how.
        signer: holds the private key.
        verification_method: the DID URL of the public key.
        created: the moment of signing, with a zone.
        purpose: what the proofs are for.
        binding: to what they are tied, such as a challenge and a domain.

    Returns:
        Each document with its proof, as compact JSON.

    Raises:
        CredentialError: a moment without a zone, a verification method that is no URL, or options that mean nothing in
            a document's contexts.
    """
    require_url(verification_method, "/proof/verificationMethod")
    stated: dict[str, Any] = {
        "type": "DataIntegrityProof",
        "created": times.write(created),
        "verificationMethod": verification_method,
        "cryptosuite": suite.name,
        "proofPurpose": purpose,
        **binding,
    }
    options = [suite.complete(document, stated) for document in documents]
    messages = [suite.signing_input(document, one) for document, one in zip(documents, options, strict=True)]
    signatures = [signer.sign(message) for message in messages]
    values = [encode_multibase(signature) for signature in signatures]
    return [
        (document.text[:-1] + b',"proof":' + orjson.dumps({**one, "proofValue": value}) + b"}").decode()
        for document, one, value in zip(documents, options, values, strict=True)
    ]
