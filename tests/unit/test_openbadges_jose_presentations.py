"""Presentations: the holder's proof or token, for one verifier, and every credential in it."""

from datetime import timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given as examples
from hypothesis import settings
from hypothesis import strategies as st

from libs.openbadges.crypto.did import did_key, verification_method
from libs.openbadges.crypto.keys import Ed25519Key
from libs.openbadges.crypto.p256 import P256Key
from libs.openbadges.issue.jwt import sign_vp_jwt
from libs.openbadges.issue.presentations import sign_presentation
from libs.openbadges.jose import envelop_credential, envelop_presentation
from libs.openbadges.model.errors import CredentialError
from libs.openbadges.verify import (
    PRESENTATION_CHECKS,
    ResolvedInputs,
    presentation_dependencies,
    verify,
    verify_presentation,
)
from tests.unit.openbadges_samples import DID, LIST, NOW, material, signed, to_fetch
from tests.unit.openbadges_tokens import decode, own_vc_jwt, resigned

HOLDER = Ed25519Key.from_seed(b"h" * 32)
HOLDER_DID = did_key(HOLDER.public_multibase)
METHOD = verification_method(HOLDER_DID, HOLDER.public_multibase)
ISSUER = P256Key.from_secret(b"\x02" * 32)
CONTEXT = "https://www.w3.org/ns/credentials/v2"
ASKED: dict[str, Any] = {"challenge": "7f3a", "domain": "verifier.example"}


def presentation(*credentials: Any, **changes: Any) -> dict[str, Any]:
    inside = list(credentials) or [orjson.loads(signed()), envelop_credential(own_vc_jwt(ISSUER))]
    document: dict[str, Any] = {
        "@context": [CONTEXT],
        "type": ["VerifiablePresentation"],
        "holder": HOLDER_DID,
        "verifiableCredential": inside,
    }
    return {name: value for name, value in {**document, **changes}.items() if value is not None}


def proven(document: dict[str, Any] | None = None, **options: Any) -> str:
    return sign_presentation(document or presentation(), HOLDER, METHOD, NOW, **{**ASKED, **options})


def token(document: dict[str, Any] | None = None, **options: Any) -> str:
    asked = {**ASKED, **options}
    return sign_vp_jwt(document or presentation(), HOLDER, algorithm="Ed25519", kid=METHOD, **asked)


def codes(given: Any, looked_up: ResolvedInputs | None = None, **asked: Any) -> dict[str, str]:
    report = verify_presentation(given, looked_up or material(), NOW, **{**ASKED, **asked})
    found = {check.name: f"{check.outcome} {check.code}" for check in report.checks if check.outcome != "pass"}
    inner = {str(at): one.verdict for at, one in enumerate(report.credentials) if one.verdict != "pass"}
    return {**found, **inner}


PROVEN = proven()
TOKEN = token(presentation(envelop_credential(own_vc_jwt(ISSUER))))


@pytest.mark.parametrize("suite", ["eddsa-rdfc-2022", "eddsa-jcs-2022"])
def test_a_presentation_with_a_proof_passes_with_all_its_credentials(suite: str) -> None:
    report = verify_presentation(proven(cryptosuite=suite), material(), NOW, **ASKED)
    assert report.verdict == "pass", report
    assert [check.name for check in report.checks] == list(PRESENTATION_CHECKS)
    assert [one.verdict for one in report.credentials] == ["pass", "pass"]
    assert report.to_dict()["credentials"][1]["verdict"] == "pass"
    assert report.presentation is not None


def test_a_presentation_as_a_token_passes_alone_and_in_an_envelope() -> None:
    jwt = token()
    header, claims = (decode(part) for part in jwt.split(".")[:2])
    assert header == {"alg": "Ed25519", "kid": METHOD, "typ": "vp+jwt", "cty": "vp"}
    assert (claims["nonce"], claims["aud"]) == ("7f3a", "verifier.example")
    for form in (jwt, jwt.encode(), envelop_presentation(jwt), orjson.dumps(envelop_presentation(jwt))):
        assert verify_presentation(form, material(), NOW, **ASKED).verdict == "pass"


def test_a_presentation_by_a_p256_holder_passes() -> None:
    did = did_key(ISSUER.public_multibase)
    method = verification_method(did, ISSUER.public_multibase)
    text = sign_presentation(presentation(holder=did), ISSUER, method, NOW, cryptosuite="ecdsa-rdfc-2019", **ASKED)
    assert codes(text) == {}
    jwt = sign_vp_jwt(presentation(holder=did), ISSUER, algorithm="ES256", kid=method, **ASKED)
    assert codes(jwt) == {}


def test_needs_names_the_lookups_of_all_that_is_inside() -> None:
    for form in (proven(), token(), envelop_presentation(token())):
        assert to_fetch(presentation_dependencies(form)) == ({DID}, {LIST}, set())
    assert to_fetch(presentation_dependencies("no presentation")) == (set(), set(), set())


def test_a_credential_that_is_bad_or_unknown_rules_the_presentation() -> None:
    changed = orjson.loads(signed())
    changed["name"] = "Something else"
    stale = envelop_credential(own_vc_jwt(ISSUER)[:-4] + "AAAA")
    assert codes(proven(presentation(changed))) == {"0": "fail"}
    assert codes(proven(presentation(envelop_credential(own_vc_jwt(ISSUER)), stale))) == {"1": "fail"}
    assert codes(proven(), material(1)) == {"0": "fail"}
    assert codes(proven(), ResolvedInputs()) == {"0": "unknown"}
    assert verify_presentation(proven(), ResolvedInputs(), NOW, **ASKED).verdict == "unknown"


@pytest.mark.parametrize("make", [proven, token])
def test_a_presentation_made_for_another_verifier_or_moment_fails(make: Any) -> None:
    assert codes(make(), challenge="other") == {"binding": "fail challenge_mismatch"}
    assert codes(make(), domain="other.example") == {"binding": "fail domain_mismatch"}
    assert codes(make(challenge=None)) == {"binding": "fail challenge_mismatch"}
    assert codes(make(domain=None)) == {"binding": "fail domain_mismatch"}
    assert codes(make(challenge=None, domain=None), challenge=None, domain=None) == {}


def test_an_audience_may_be_one_of_several() -> None:
    several = resigned(token(), HOLDER, None, {"aud": ["https://a.example", "verifier.example"]})
    assert codes(several) == {}


@pytest.mark.parametrize("make", [proven, token])
def test_only_the_holders_key_shows_the_holders_credentials(make: Any) -> None:
    other = did_key(Ed25519Key.from_seed(b"o" * 32).public_multibase)
    assert codes(make(presentation(holder=other))) == {"holder": "fail holder_mismatch"}
    assert codes(make(presentation(holder=None))) == {}
    assert codes(make(presentation(holder={"id": HOLDER_DID}))) == {}


def test_a_holder_that_is_nobody_fails() -> None:
    claims = decode(token().split(".")[1])
    nobody: list[Any] = [5, [], [HOLDER_DID], {}, ""]
    for holder in nobody:
        assert codes(resigned(token(), HOLDER, None, {**claims, "holder": holder}))["format"].startswith("fail")


def test_a_proof_for_another_purpose_fails() -> None:
    text = orjson.loads(proven())
    text["proof"]["proofPurpose"] = "assertionMethod"
    assert codes(text)["proof"] == "fail proof_purpose"
    credential = orjson.loads(signed())
    credential["proof"]["proofPurpose"] = "authentication"
    assert verify(credential, material(), NOW).check("proof").code == "proof_purpose"


def test_a_key_that_may_only_sign_credentials_shows_none() -> None:
    did = "did:web:holder.example"
    method = verification_method(did, HOLDER.public_multibase)
    document = {
        "id": did,
        "verificationMethod": [
            {"id": method, "type": "Multikey", "controller": did, "publicKeyMultibase": HOLDER.public_multibase}
        ],
        "assertionMethod": [method],
    }
    looked_up = ResolvedInputs({**material().did_documents, did: document}, material().status_lists)
    shown = presentation(holder=did)
    for form in (
        sign_presentation(shown, HOLDER, method, NOW, **ASKED),
        sign_vp_jwt(shown, HOLDER, algorithm="Ed25519", kid=method, **ASKED),
    ):
        assert codes(form, looked_up) == {
            "proof": "fail method_not_allowed",
            "holder": "fail method_not_allowed",
        }


def test_a_credential_is_no_presentation_and_a_presentation_no_credential() -> None:
    assert verify(proven(), material(), NOW).check("format").code == "not_a_credential"
    assert verify(token(), material(), NOW).check("format").code == "not_a_credential"
    assert codes(signed())["format"] == "fail not_a_presentation"
    assert codes(own_vc_jwt(ISSUER))["format"] == "fail not_a_presentation"
    both = presentation(type=["VerifiablePresentation", "VerifiableCredential"])
    both.update(issuer=HOLDER_DID, credentialSubject={"id": "urn:uuid:1"})
    assert verify(token(both), material(), NOW).check("format").code == "not_a_credential"
    assert codes(resigned(token(), HOLDER, {"typ": "vc+jwt"}))["format"] == "fail not_a_presentation"
    assert codes(proven(presentation(orjson.loads(proven()))))["0"] == "fail"


def test_a_presentation_without_proof_or_with_what_is_no_credential_fails() -> None:
    assert codes(presentation())["proof"] == "fail proof_missing"
    assert codes(token(presentation("ey.ey.ey")))["format"] == "fail not_a_presentation"
    many = presentation(*[{"type": "VerifiableCredential"}] * 40)
    assert codes(token(many))["format"] == "unknown too_many_credentials"


@pytest.mark.parametrize("value", ["text", 5, True, [["a"]], {"@value": "a"}, {"@list": ["a"]}, ["text", 5]])
def test_a_mere_value_among_the_credentials_is_refused_and_raises_nothing(value: Any) -> None:
    shown = {**presentation(), "verifiableCredential": value}
    with pytest.raises(CredentialError, match=r"would not be signed|no use|not JSON-LD"):
        sign_presentation(shown, HOLDER, METHOD, NOW)
    for form in (token(shown), orjson.dumps({**orjson.loads(PROVEN), "verifiableCredential": value})):
        assert verify_presentation(form, material(), NOW, **ASKED).verdict == "fail"


def test_a_token_out_of_date_shows_nothing() -> None:
    moment = int((NOW - timedelta(seconds=1)).timestamp())
    assert codes(resigned(token(), HOLDER, None, {"exp": moment}))["proof"] == "fail expired"


def test_what_is_no_presentation_is_not_signed() -> None:
    for wrong in ({"type": "VerifiableCredential"}, presentation(proof={}), presentation(nonce="x")):
        with pytest.raises(CredentialError):
            sign_presentation(wrong, HOLDER, METHOD, NOW)
        with pytest.raises(CredentialError):
            sign_vp_jwt(wrong, HOLDER, algorithm="Ed25519", kid=METHOD)
    with pytest.raises(CredentialError, match="no cryptosuite"):
        sign_presentation(presentation(), HOLDER, METHOD, NOW, cryptosuite="none")
    with pytest.raises(CredentialError, match="term"):
        sign_presentation(presentation(favouriteColour="blue"), HOLDER, METHOD, NOW)


@settings(max_examples=60, deadline=None)
@examples(st.sampled_from([PROVEN, TOKEN]), st.data())
def test_no_changed_character_anywhere_makes_a_good_presentation(text: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(text) - 1))
    changed = text[:at] + data.draw(st.sampled_from('Aaz09-_.{"')) + text[at + 1 :]
    assert changed == text or verify_presentation(changed, material(), NOW, **ASKED).verdict != "pass"


def test_a_credential_that_was_taken_out_or_put_in_breaks_the_proof() -> None:
    shown = orjson.loads(PROVEN)
    shown["verifiableCredential"].pop()
    assert codes(shown)["proof"] == "fail proof_invalid"
