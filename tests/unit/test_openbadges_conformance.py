"""Contexts written into a document are for conformance suites alone, and never reach anybody else's documents."""

import base64
import hashlib
from typing import Any

import pytest

from libs.openbadges.crypto.did import did_key, verification_method
from libs.openbadges.integrity.suites import SIGN_SUITES
from libs.openbadges.issue.signing import prepare, sign
from libs.openbadges.jose.tokens import read_token
from libs.openbadges.jsonld.canonical import canonicalize
from libs.openbadges.jsonld.resources import check_resources
from libs.openbadges.model.bundled import BUNDLED
from libs.openbadges.model.context_urls import CREDENTIALS_V2, EXAMPLES_V2
from libs.openbadges.model.errors import CredentialError, UnknownContextError
from libs.openbadges.model.profile import CONFORMANCE
from libs.openbadges.verify import ResolvedInputs, verify, verify_presentation
from tests.unit.openbadges_samples import KEY, NOW, badge
from tests.unit.openbadges_tokens import encode

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


def test_an_inline_context_is_signed_and_verified_for_conformance_and_unknown_in_production() -> None:
    text = sign(prepare(INLINE, CONFORMANCE), KEY, METHOD, NOW)
    assert verify(text, ResolvedInputs(), NOW, profile=CONFORMANCE).verdict == "pass"
    assert verify(text, ResolvedInputs(), NOW).verdict == "unknown"
    with pytest.raises(UnknownContextError):
        prepare(INLINE)


def test_the_examples_context_is_issued_with_for_conformance_alone() -> None:
    prepare(credential(EXAMPLES_V2), CONFORMANCE)
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
    with pytest.raises(CredentialError):
        prepare(credential(context), CONFORMANCE)


def test_no_template_is_derived_from_documents_with_contexts_of_their_own() -> None:
    before = SIGN_SUITES.templates.stats()
    for number in range(4):
        prepare({**INLINE, "id": f"urn:uuid:0f4ac6a1-59e9-4a3c-95ad-{number:012d}"}, CONFORMANCE)
    assert SIGN_SUITES.templates.stats() == before
    with pytest.raises(UnknownContextError):
        prepare(INLINE)


def test_a_digest_of_a_bundled_resource_must_be_right() -> None:
    digest = hashlib.sha256(BUNDLED[CREDENTIALS_V2].text).digest()
    multibase = "u" + base64.urlsafe_b64encode(b"\x12\x20" + digest).rstrip(b"=").decode()
    sri = "sha256-" + base64.b64encode(digest).decode()
    for good in ({"digestSRI": sri}, {"digestMultibase": multibase}):
        check_resources({**badge(), "relatedResource": {"id": CREDENTIALS_V2, **good}})
    other = "sha256-" + base64.b64encode(bytes(32)).decode()
    with pytest.raises(CredentialError, match="is not the file that is bundled"):
        check_resources({**badge(), "relatedResource": {"id": CREDENTIALS_V2, "digestSRI": other}})


def test_a_digest_that_does_not_say_its_kind_is_read_for_conformance_alone() -> None:
    def related(digest: bytes) -> dict[str, Any]:
        multibase = "u" + base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        return {**badge(), "relatedResource": {"id": CREDENTIALS_V2, "digestMultibase": multibase}}

    right = hashlib.sha256(BUNDLED[CREDENTIALS_V2].text).digest()
    check_resources(related(right), CONFORMANCE)
    for wrong in (bytes(32), right[:31], right[:20]):
        with pytest.raises(CredentialError):
            check_resources(related(wrong), CONFORMANCE)
    with pytest.raises(CredentialError, match="no multihash"):
        check_resources(related(right))


def wrapped(name: str, document: dict[str, Any], **claims: Any) -> dict[str, Any]:
    """A token of VCDM 1.1, which wraps its content, in an envelope of VCDM 2.0."""
    header = {"alg": "Ed25519", "typ": "JWT", "kid": METHOD}
    text = f"{encode(header)}.{encode({'iss': DID, name: document, **claims})}"
    kind = "Credential" if name == "vc" else "Presentation"
    return {
        "@context": CREDENTIALS_V2,
        "type": f"EnvelopedVerifiable{kind}",
        "id": f"data:application/jwt,{text}.{encode(KEY.sign(text.encode()))}",
    }


HELD = {
    "@context": [CREDENTIALS_V2],
    "type": ["VerifiableCredential"],
    "issuer": DID,
    "credentialSubject": {"id": "did:example:subject"},
}
SHOWN = {
    "@context": [CREDENTIALS_V2],
    "type": ["VerifiablePresentation"],
    "holder": DID,
    "verifiableCredential": [wrapped("vc", HELD)],
}


def test_tokens_of_version_1_1_in_envelopes_are_read_for_conformance_alone() -> None:
    shown = wrapped("vp", SHOWN, nonce="123456789")
    read: dict[str, Any] = {"profile": CONFORMANCE}
    report = verify_presentation(shown, ResolvedInputs(), NOW, challenge="123456789", **read)
    assert report.verdict == "pass", report
    assert [one.verdict for one in report.credentials] == ["pass"]
    assert verify_presentation(shown, ResolvedInputs(), NOW, challenge="other", **read).verdict == "fail"
    assert verify_presentation(shown, ResolvedInputs(), NOW).verdict == "unknown"
    assert verify(wrapped("vc", HELD), ResolvedInputs(), NOW).verdict == "unknown"


@pytest.mark.parametrize(
    "changed",
    [
        lambda shown: {**shown, "id": shown["id"][:-6] + "AAAAAA"},
        lambda shown: {**shown, "id": shown["id"].partition(",")[2]},
        lambda shown: {**shown, "@context": []},
        lambda shown: {**shown, "@context": [EXAMPLES_V2]},
        lambda shown: {**shown, "type": ["VerifiablePresentation"]},
        lambda _: wrapped("vp", {**SHOWN, "holder": "did:example:another"}),
        lambda _: wrapped("vp", {**SHOWN, "verifiableCredential": [wrapped("vc", {**HELD, "issuer": "did:x:y"})]}),
        lambda _: wrapped("vp", SHOWN, vc=HELD),
        lambda _: wrapped("vp", "text"),  # type: ignore[arg-type]
    ],
)
def test_such_a_token_must_still_be_good_in_every_other_way(changed: Any) -> None:
    report = verify_presentation(changed(wrapped("vp", SHOWN)), ResolvedInputs(), NOW, profile=CONFORMANCE)
    assert report.verdict != "pass"


def test_a_token_of_vc_jose_cose_wraps_nothing_even_then() -> None:
    for typ in ("vc+jwt", "vp+jwt"):
        text = f"{encode({'alg': 'Ed25519', 'typ': typ, 'kid': METHOD})}.{encode({'vc': HELD, 'vp': SHOWN})}"
        with pytest.raises(CredentialError, match="where none may be"):
            read_token(f"{text}.{encode(KEY.sign(text.encode()))}", profile=CONFORMANCE)


def test_a_plain_value_where_a_graph_belongs_is_refused_and_no_crash() -> None:
    for held in (7, "https://example.org/credentials/1", True):
        with pytest.raises(CredentialError):
            canonicalize(
                {"@context": [CREDENTIALS_V2], "type": "VerifiablePresentation", "verifiableCredential": [held]}
            )
