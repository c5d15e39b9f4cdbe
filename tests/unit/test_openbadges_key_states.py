"""A key that was retired or compromised verifies what it signed before, and nothing that it signed later."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import orjson
import pytest

from libs.openbadges.crypto.did import did_document, verification_method
from libs.openbadges.crypto.keys import Ed25519Key
from libs.openbadges.crypto.multibase import encode_multibase
from libs.openbadges.integrity.suites import VERIFY_SUITES
from libs.openbadges.issue.jwt import sign_vc_jwt, sign_vp_jwt
from libs.openbadges.issue.presentations import sign_presentation
from libs.openbadges.issue.signing import prepare, sign
from libs.openbadges.model import times
from libs.openbadges.model.context_urls import CREDENTIALS_V2
from libs.openbadges.status.bitstring import StatusList, list_document
from libs.openbadges.verify import ResolvedInputs, verify, verify_presentation
from tests.unit.openbadges_samples import DID, KEY, LIST, METHOD, NOW, badge, signed
from tests.unit.openbadges_tokens import ED25519, badge_jwt, codes, given, kid_of, resigned, vc_jwt

NEXT = Ed25519Key.from_seed(b"n" * 32)
NEXT_METHOD = verification_method(DID, NEXT.public_multibase)
BEFORE, AFTER, LATER = NOW - timedelta(days=1), NOW + timedelta(days=1), NOW + timedelta(days=900)

CODES = {"expires": "method_expired", "revoked": "method_revoked"}
ends = pytest.mark.parametrize("member", ["expires", "revoked"])


def rotated(**ends: str) -> dict[str, Any]:
    """The issuer's DID document with its first key ended and its next one in use."""
    document = did_document(DID, KEY.public_multibase)
    document["verificationMethod"][0] |= ends
    newer = {**document["verificationMethod"][0], "id": NEXT_METHOD, "publicKeyMultibase": NEXT.public_multibase}
    document["verificationMethod"].append({name: newer[name] for name in newer.keys() - ends.keys()})
    for relationship in ("assertionMethod", "authentication"):
        document[relationship].append(NEXT_METHOD)
    return document


def found(text: Any, document: dict[str, Any], moment: datetime = LATER) -> dict[str, str]:
    """The checks of a credential that do not pass, its status list being signed with the newer key."""
    listing = list_document(LIST, DID, StatusList(), valid_from=NOW)
    listed = sign(prepare(listing), NEXT, NEXT_METHOD, moment - timedelta(hours=1))
    return codes(text, ResolvedInputs({DID: document}, {LIST: listed}), moment)


def ended(member: str, moment: datetime) -> dict[str, Any]:
    return rotated(**{member: times.write(moment)})


@ends
def test_a_retired_or_revoked_key_verifies_what_was_signed_before(member: str) -> None:
    assert found(signed(), ended(member, AFTER)) == {}


@ends
@pytest.mark.parametrize("moment", [BEFORE, NOW])
def test_it_does_not_verify_what_says_it_was_signed_at_that_moment_or_later(member: str, moment: datetime) -> None:
    wrong = f"fail {CODES[member]}"
    assert found(signed(), ended(member, moment)) == {"proof": wrong, "issuer": wrong}


@ends
def test_a_new_key_signs_on_beside_it(member: str) -> None:
    text = sign(prepare(badge()), NEXT, NEXT_METHOD, LATER)
    assert found(text, ended(member, AFTER), LATER + timedelta(hours=2)) == {}


@ends
def test_a_key_that_is_still_to_end_verifies_until_then(member: str) -> None:
    text = sign(prepare(badge()), KEY, METHOD, LATER)
    assert found(text, ended(member, LATER + timedelta(days=1)), LATER + timedelta(hours=2)) == {}


def undated() -> str:
    """A credential whose proof does not say when it was created; signed like any other."""
    document = badge()
    suite = VERIFY_SUITES["eddsa-rdfc-2022"]
    proof = {
        "type": "DataIntegrityProof",
        "cryptosuite": suite.name,
        "verificationMethod": METHOD,
        "proofPurpose": "assertionMethod",
    }
    message = suite.signing_input(VERIFY_SUITES.canonical(document), proof)
    return json.dumps({**document, "proof": {**proof, "proofValue": encode_multibase(KEY.sign(message))}})


@ends
def test_a_proof_that_does_not_say_when_it_was_created_is_unknown_once_its_key_has_ended(member: str) -> None:
    assert found(undated(), rotated()) == {}
    assert found(undated(), ended(member, LATER + timedelta(days=1))) == {}
    unknown = f"unknown {CODES[member]}"
    assert found(undated(), ended(member, AFTER)) == {"proof": unknown, "issuer": unknown}


@ends
@pytest.mark.parametrize("moment", ["2026", "2026-03-02T09:30:00", "", None, 7, ["2030-01-01T00:00:00Z"]])
def test_an_end_that_cannot_be_read_is_unknown(member: str, moment: Any) -> None:
    assert found(signed(), rotated(**{member: moment})) == {
        "proof": "unknown method_state",
        "issuer": "unknown method_state",
    }


def test_whichever_end_comes_first_counts() -> None:
    both = rotated(expires=times.write(AFTER), revoked=times.write(BEFORE))
    assert found(signed(), both)["proof"] == "fail method_revoked"
    both = rotated(expires=times.write(BEFORE), revoked=times.write(AFTER))
    assert found(signed(), both)["proof"] == "fail method_expired"


@ends
def test_a_backdated_proof_does_not_survive_a_change_of_its_date(member: str) -> None:
    document = orjson.loads(sign(prepare(badge()), KEY, METHOD, LATER))
    document["proof"]["created"] = times.write(BEFORE)
    assert found(document, ended(member, NOW))["proof"] == "fail proof_invalid"


def test_a_status_list_is_not_believed_that_an_ended_key_signed_afterwards() -> None:
    document = ended("revoked", AFTER)
    listed = sign(prepare(list_document(LIST, DID, StatusList(), valid_from=NOW)), KEY, METHOD, LATER)
    assert codes(signed(), ResolvedInputs({DID: document}, {LIST: listed}), LATER + timedelta(hours=1)) == {
        "status": "unknown STATUS_VERIFICATION_ERROR"
    }


def tokens_ended(member: str, moment: datetime) -> ResolvedInputs:
    inputs = given(ED25519)
    inputs.did_documents[DID]["verificationMethod"][0][member] = times.write(moment)
    return inputs


@ends
@pytest.mark.parametrize("make", [badge_jwt, vc_jwt])
def test_a_token_is_verified_by_the_state_of_its_key_when_it_was_made(member: str, make: Callable[..., str]) -> None:
    token = make(ED25519)
    assert codes(token, tokens_ended(member, AFTER), LATER) == {}
    wrong = f"fail {CODES[member]}"
    assert codes(token, tokens_ended(member, BEFORE), LATER) == {"proof": wrong, "issuer": wrong}


@ends
def test_when_a_token_says_that_it_was_issued_comes_before_when_it_is_in_force(member: str) -> None:
    token = vc_jwt(ED25519)
    early, late = ({"iat": int(moment.timestamp())} for moment in (BEFORE, AFTER + timedelta(days=1)))
    inputs = tokens_ended(member, AFTER)
    assert codes(resigned(token, ED25519, None, early), inputs, LATER) == {}
    assert codes(resigned(token, ED25519, None, late), inputs, LATER)["proof"] == f"fail {CODES[member]}"
    assert codes(resigned(token, ED25519, None, {"nbf": late["iat"]}), inputs, LATER)["proof"].startswith("fail")


@ends
def test_a_token_that_names_no_key_is_verified_by_those_in_force_alone(member: str) -> None:
    token = resigned(vc_jwt(ED25519), ED25519, drop=("kid",))
    assert codes(token, tokens_ended(member, AFTER), LATER) == {}
    wrong = f"fail {CODES[member]}"
    assert codes(token, tokens_ended(member, BEFORE), LATER) == {"proof": wrong, "issuer": wrong}


@ends
def test_a_presentation_is_held_to_the_same(member: str) -> None:
    document = {
        "@context": [CREDENTIALS_V2],
        "type": ["VerifiablePresentation"],
        "holder": DID,
        "verifiableCredential": [],
    }
    shown = sign_presentation(document, KEY, METHOD, NOW)
    outcomes = [
        verify_presentation(shown, ResolvedInputs({DID: ended(member, moment)}), LATER).check("proof").code
        for moment in (AFTER, BEFORE)
    ]
    assert outcomes == ["proof_valid", CODES[member]]
    token = sign_vp_jwt(document, KEY, algorithm="Ed25519", kid=METHOD)
    report = verify_presentation(token, ResolvedInputs({DID: ended(member, AFTER)}), LATER)
    assert (report.check("proof").outcome, report.check("proof").code) == ("unknown", CODES[member])


def test_a_jwt_signed_by_the_newer_key_names_it() -> None:
    token = sign_vc_jwt(prepare(badge(status=None)), NEXT, algorithm="Ed25519", kid=NEXT_METHOD)
    assert verify(token, ResolvedInputs({DID: ended("expires", BEFORE)}), LATER).verdict == "pass"
    assert kid_of(NEXT) != NEXT_METHOD


def without_kid(token: str) -> str:
    """The same token, signed by the older key, which it does not name."""
    return resigned(token, ED25519, drop=("kid",))


@ends
def test_a_token_that_an_ended_key_may_have_signed_in_its_time_is_not_taken_for_changed(member: str) -> None:
    document = {
        "@context": [CREDENTIALS_V2],
        "type": ["VerifiablePresentation"],
        "holder": DID,
        "verifiableCredential": [],
    }
    token = without_kid(sign_vp_jwt(document, KEY, algorithm="Ed25519", kid=METHOD))
    report = verify_presentation(token, ResolvedInputs({DID: ended(member, AFTER)}), LATER)
    assert (report.check("proof").outcome, report.check("proof").code) == ("unknown", CODES[member])
    assert report.verdict == "unknown"
    changed = token[:-6] + ("A" if token[-6] != "A" else "B") + token[-5:]
    report = verify_presentation(changed, ResolvedInputs({DID: ended(member, AFTER)}), LATER)
    assert (report.check("proof").outcome, report.check("proof").code) == ("fail", "proof_invalid")


@pytest.mark.parametrize("broken", ["z6Mk", "0", "zzz", "", None])
def test_a_key_that_cannot_be_read_takes_no_pass_from_one_that_can(broken: str | None) -> None:
    document = rotated()
    document["verificationMethod"][1]["publicKeyMultibase"] = broken
    document["assertionMethod"].reverse()
    token = without_kid(vc_jwt(ED25519))
    assert codes(token, ResolvedInputs({DID: document}, given(ED25519).status_lists), LATER) == {}


def test_a_token_that_a_key_of_a_kind_not_read_here_may_have_signed_is_unknown() -> None:
    document = rotated()
    document["verificationMethod"][0]["type"] = "OtherKey"
    found_of_it = codes(without_kid(vc_jwt(ED25519)), ResolvedInputs({DID: document}), LATER)
    assert found_of_it["proof"] == "unknown key_kind"
