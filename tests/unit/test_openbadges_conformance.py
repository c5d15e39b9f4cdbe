"""Contexts written into a document are for conformance suites alone, and never reach anybody else's documents."""

import base64
import hashlib
from typing import Any

import pytest

from libs.openbadges.canonical import canonicalize
from libs.openbadges.contexts import CARRIED, CREDENTIALS_V2, EXAMPLES_V2, conformance_contexts
from libs.openbadges.datamodel import check_credential
from libs.openbadges.did import did_key, verification_method
from libs.openbadges.errors import CredentialError, UnknownContextError
from libs.openbadges.issuing import prepare, sign
from libs.openbadges.proofs import ISSUED
from libs.openbadges.verification import Material, verify
from tests.unit.openbadges_samples import KEY, NOW, badge

DID = did_key(KEY.public_multibase)
METHOD = verification_method(DID, KEY.public_multibase)


def credential(context: Any, **more: Any) -> dict[str, Any]:
    return {
        "@context": [CREDENTIALS_V2, context],
        "type": ["VerifiableCredential", "Shown"],
        "issuer": DID,
        "credentialSubject": {"id": "did:example:subject"},
        **more,
    }


INLINE = credential({"Shown": "https://example.org/#Shown"})


def test_an_inline_context_is_signed_and_verified_within_conformance_and_unknown_outside() -> None:
    with conformance_contexts():
        text = sign(prepare(INLINE), KEY, METHOD, NOW)
        assert verify(text, Material(), NOW).verdict == "pass"
    assert verify(text, Material(), NOW).verdict == "unknown"
    with pytest.raises(UnknownContextError):
        prepare(INLINE)


def test_the_examples_context_is_issued_with_within_conformance_alone() -> None:
    with conformance_contexts():
        prepare(credential(EXAMPLES_V2))
    with pytest.raises(CredentialError, match="examples"):
        prepare(credential(EXAMPLES_V2))


@pytest.mark.parametrize(
    "context",
    [
        {"Shown": "https ://not-a-url#Shown"},
        {"Other": "https://example.org/#Other"},
        {"Shown": "https://example.org/#Shown", "VerifiableCredential": "https://example.org/#Mine"},
        {"Shown": "https://example.org/#Shown", "type": "https://example.org/#type"},
        {"@import": "https://elsewhere.example/context.json", "Shown": "https://example.org/#Shown"},
    ],
)
def test_an_inline_context_that_defines_badly_or_again_is_refused_even_then(context: Any) -> None:
    with conformance_contexts(), pytest.raises(CredentialError):
        prepare(credential(context))


def test_no_shape_is_learnt_from_documents_with_contexts_of_their_own() -> None:
    before = ISSUED.shapes.stats()
    with conformance_contexts():
        for number in range(4):
            prepare({**INLINE, "id": f"urn:uuid:0f4ac6a1-59e9-4a3c-95ad-{number:012d}"})
    assert ISSUED.shapes.stats() == before
    with pytest.raises(UnknownContextError):
        prepare(INLINE)


def test_a_digest_of_a_carried_resource_must_be_right() -> None:
    digest = hashlib.sha256(CARRIED[CREDENTIALS_V2].text).digest()
    multibase = "u" + base64.urlsafe_b64encode(b"\x12\x20" + digest).rstrip(b"=").decode()
    sri = "sha256-" + base64.b64encode(digest).decode()
    for good in ({"digestSRI": sri}, {"digestMultibase": multibase}):
        check_credential({**badge(), "relatedResource": {"id": CREDENTIALS_V2, **good}})
    other = "sha256-" + base64.b64encode(bytes(32)).decode()
    with pytest.raises(CredentialError, match="is not the file that is carried"):
        check_credential({**badge(), "relatedResource": {"id": CREDENTIALS_V2, "digestSRI": other}})


def test_a_plain_value_where_a_graph_belongs_is_refused_and_no_crash() -> None:
    for held in (7, "https://example.org/credentials/1", True):
        with pytest.raises(CredentialError):
            canonicalize(
                {"@context": [CREDENTIALS_V2], "type": "VerifiablePresentation", "verifiableCredential": [held]}
            )
