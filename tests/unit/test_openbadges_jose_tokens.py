"""Credentials as JWTs: both profiles verify, and nothing bent, foreign, unsigned or out of date does."""

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given as examples
from hypothesis import settings
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import ECKey

from libs.openbadges.baking import bake
from libs.openbadges.crypto.did import did_key, verification_method
from libs.openbadges.crypto.jwk import public_of, read_private_jwk, thumbprint, write_jwk, write_private_jwk
from libs.openbadges.crypto.keys import Ed25519Key
from libs.openbadges.issue.jwt import sign_open_badge_jwt, sign_vc_jwt
from libs.openbadges.issue.signing import prepare, sign
from libs.openbadges.jose import envelop_credential
from libs.openbadges.jose.compact import write_compact
from libs.openbadges.model.context_urls import CLR_V2, CREDENTIALS_V1, CREDENTIALS_V2, OPEN_BADGES_V3
from libs.openbadges.model.errors import CredentialError
from libs.openbadges.status.bitstring import StatusList, entry, list_document
from libs.openbadges.verify import ResolvedInputs, dependencies_of, verify
from tests.unit.openbadges_samples import DID, KEY, LIST, METHOD, NOW, badge, to_fetch
from tests.unit.openbadges_tokens import (
    ED25519,
    KINDS,
    P256,
    as_json,
    badge_jwt,
    codes,
    decode,
    encode,
    given,
    key_of,
    kid_of,
    own_vc_jwt,
    resigned,
    rsa_key,
    vc_jwt,
)

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/ "
PICTURE = b'<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"><title>x</title></svg>'


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("make", [badge_jwt, vc_jwt])
def test_a_signed_token_passes_every_check(kind: str, make: Any) -> None:
    key = key_of(kind)
    report = verify(make(key), given(key), NOW)
    assert report.verdict == "pass", report
    assert report.check("format").code == "credential_jwt"
    assert report.credential is not None
    assert report.credential["issuer"]["id"] == DID
    assert not {"iss", "jti", "nbf", "sub"} & report.credential.keys()


def test_the_open_badges_profile_has_exactly_its_header_and_claims() -> None:
    document = badge(status=None)
    document["validUntil"] = "2027-01-01T00:00:00.5Z"
    token = sign_open_badge_jwt(prepare(document), rsa_key(), algorithm="RS256", kid=kid_of(rsa_key()))
    header, claims = (decode(part) for part in token.split(".")[:2])
    assert header == {"alg": "RS256", "typ": "JWT", "kid": kid_of(rsa_key())}
    added = {name: claims[name] for name in claims.keys() - document.keys()}
    assert added == {
        "iss": DID,
        "jti": document["id"],
        "sub": document["credentialSubject"]["id"],
        "nbf": int(NOW.timestamp()),
        "exp": 1_798_761_600.5,
    }
    assert verify(token, given(rsa_key()), NOW).verdict == "pass"
    embedded = sign_open_badge_jwt(prepare(document), rsa_key(), algorithm="RS256", jwk=write_jwk(public_of(rsa_key())))
    assert decode(embedded.split(".")[0]).keys() == {"alg", "typ", "jwk"}
    assert verify(embedded, given(rsa_key()), NOW).verdict == "pass"


def test_a_vc_jwt_has_its_types_and_no_vc_claim() -> None:
    header, claims = (decode(part) for part in vc_jwt(P256).split(".")[:2])
    assert header == {"alg": "ES256", "kid": kid_of(P256), "typ": "vc+jwt", "cty": "vc"}
    assert claims == badge(status=None)
    token = sign_vc_jwt(prepare(badge(status=None)), P256, algorithm="ES256", kid=thumbprint(public_of(P256)))
    assert decode(token.split(".")[1])["iss"] == DID
    assert verify(token, given(P256), NOW).verdict == "pass"


def test_another_library_reads_what_is_signed_here() -> None:
    key = ECKey.import_key(write_jwk(public_of(P256)))
    assert (
        jws.deserialize_compact(badge_jwt(P256), key, registry=_Large(algorithms=["ES256"])).headers()["typ"] == "JWT"
    )


def test_what_another_library_signs_is_read_here() -> None:
    key = ECKey.import_key(write_private_jwk(P256))
    payload = decode(vc_jwt(P256).split(".")[1])
    token = jws.serialize_compact(
        {"alg": "ES256", "kid": kid_of(P256), "typ": "vc+jwt"}, as_json(payload), key, algorithms=["ES256"]
    )
    assert verify(token, given(P256), NOW).verdict == "pass"


class _Large(jws.JWSRegistry):
    max_header_length = 4096


def test_the_older_name_of_ed25519_is_accepted() -> None:
    token = sign_open_badge_jwt(prepare(badge(status=None)), ED25519, algorithm="EdDSA", kid=kid_of(ED25519))
    assert verify(token, given(ED25519), NOW).verdict == "pass"


def test_a_did_key_issuer_needs_nothing_looked_up() -> None:
    for key in (ED25519, P256):
        token = own_vc_jwt(key)
        assert to_fetch(dependencies_of(token)) == (set(), set(), set())
        assert verify(token, ResolvedInputs(), NOW).verdict == "pass"


def test_needs_names_the_issuer_and_the_lists_of_a_token() -> None:
    token = sign_vc_jwt(prepare(badge()), P256, algorithm="ES256", kid=kid_of(P256))
    assert to_fetch(dependencies_of(token)) == ({DID}, {LIST}, set())
    assert dependencies_of(envelop_credential(token)) == dependencies_of(token)


def test_what_could_not_be_looked_up_is_unknown() -> None:
    assert codes(badge_jwt(P256), ResolvedInputs()) == {
        "proof": "unknown key_unavailable",
        "issuer": "unknown issuer_unavailable",
    }


def test_a_token_is_revoked_by_a_list_of_either_form() -> None:
    statuses = StatusList()
    statuses.set(1)
    listing = list_document(LIST, DID, statuses, valid_from=NOW)
    token = sign_vc_jwt(prepare(badge(status=entry(LIST, 1))), P256, algorithm="ES256", kid=kid_of(P256))
    good = sign_vc_jwt(prepare(badge(status=entry(LIST, 2))), P256, algorithm="ES256", kid=kid_of(P256))
    as_token = sign_vc_jwt(prepare(listing), P256, algorithm="ES256", kid=kid_of(P256))
    looked_up = given(P256)
    with_token = ResolvedInputs(looked_up.did_documents, {LIST: as_token})
    assert codes(token, with_token) == {"status": "fail revoked"}
    assert codes(good, with_token) == {}
    forged = as_token[:-2] + ("AA" if not as_token.endswith("AA") else "BA")
    assert codes(good, ResolvedInputs(looked_up.did_documents, {LIST: forged})) == {
        "status": "unknown STATUS_VERIFICATION_ERROR"
    }
    document = dict(looked_up.did_documents[DID])
    document["verificationMethod"] = [
        *document["verificationMethod"],
        {"id": METHOD, "type": "Multikey", "controller": DID, "publicKeyMultibase": KEY.public_multibase},
    ]
    document["assertionMethod"] = [*document["assertionMethod"], METHOD]
    in_json = sign(prepare(listing), KEY, METHOD, NOW)
    assert codes(token, ResolvedInputs({DID: document}, {LIST: in_json})) == {"status": "fail revoked"}


@pytest.mark.parametrize("make", [str.encode, lambda text: f"\n {text} \n", lambda text: bake(PICTURE, text)])
def test_a_token_is_read_from_bytes_and_pictures(make: Any) -> None:
    assert verify(make(badge_jwt(P256)), given(P256), NOW).verdict == "pass"


def test_an_enveloped_token_verifies_and_a_wrong_envelope_does_not() -> None:
    envelope = envelop_credential(vc_jwt(P256))
    assert envelope["id"].startswith("data:application/vc+jwt,ey")
    assert verify(envelope, given(P256), NOW).verdict == "pass"
    assert verify(as_json(envelope), given(P256), NOW).verdict == "pass"
    wrong: list[dict[str, Any]] = [
        {"id": "https://x.example"},
        {"id": "data:application/vc+jwt,x"},
        {"@context": []},
        {"id": 5},
    ]
    for change in wrong:
        assert codes({**envelope, **change}, given(P256))["format"].startswith("fail")
    other = {**envelope, "id": envelope["id"].replace("vc+jwt", "vc+sd-jwt")}
    assert codes(other, given(P256))["format"] == "unknown envelope_media_type"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"crit": ["exp"]}, "header_crit"),
        ({"crit": []}, "header_crit"),
        ({"b64": True}, "header_crit"),
        ({"crit": ["b64"], "b64": False}, "header_crit"),
        ({"kid": 5}, "header_form"),
        ({"kid": ["a"]}, "header_form"),
        ({"jwk": "a"}, "header_form"),
        ({"alg": None}, "header_form"),
        ({"alg": ["ES256"]}, "header_form"),
    ],
)
def test_a_header_that_cannot_be_followed_fails(change: dict[str, Any], code: str) -> None:
    assert codes(resigned(vc_jwt(P256), P256, change), given(P256))["format"] == f"fail {code}"


@pytest.mark.parametrize("change", [{"jku": "https://x.example"}, {"x5c": []}, {"cty": "JWT"}, {"nonce": "1"}])
def test_an_open_badge_has_no_other_header(change: dict[str, Any]) -> None:
    assert codes(resigned(badge_jwt(P256), P256, change), given(P256)) == {"proof": "fail header_extra"}
    assert codes(resigned(vc_jwt(P256), P256, change), given(P256)) == {}


@pytest.mark.parametrize("typ", ["vc+sd-jwt", "at+jwt", "", 5, ["JWT"]])
def test_a_token_of_another_type_is_unknown(typ: Any) -> None:
    assert codes(resigned(vc_jwt(P256), P256, {"typ": typ}), given(P256))["format"] == "unknown jwt_typ"


def test_a_token_without_a_type_is_read_by_its_claims() -> None:
    for token in (badge_jwt(P256), vc_jwt(P256)):
        assert verify(resigned(token, P256, drop=("typ",)), given(P256), NOW).verdict == "pass"


@pytest.mark.parametrize("name", ["iss", "jti", "sub", "nbf", "exp"])
def test_an_open_badges_claim_that_is_missing_or_differs_fails(name: str) -> None:
    document = badge(status=None)
    document["validUntil"] = "2027-01-01T00:00:00Z"
    token = sign_open_badge_jwt(prepare(document), P256, algorithm="ES256", kid=kid_of(P256))
    assert codes(resigned(token, P256, drop=(name,)), given(P256)) == {"proof": "fail claim_missing"}
    later = {"nbf": int(NOW.timestamp()) - 1, "exp": 1_800_000_000}
    other = later.get(name, "https://other.example")
    assert codes(resigned(token, P256, None, {name: other}), given(P256))["proof"] == "fail claim_mismatch"
    values: list[Any] = [None, [], {}, True, -1, 1e300]
    for wrong in values:
        assert verify(resigned(token, P256, None, {name: wrong}), given(P256), NOW).verdict == "fail"


@pytest.mark.parametrize("name", ["iss", "jti", "sub"])
def test_a_vc_jwt_may_not_contradict_its_credential(name: str) -> None:
    changed = resigned(vc_jwt(P256), P256, None, {name: "https://other.example"})
    assert codes(changed, given(P256))["proof"] == "fail claim_mismatch"
    wrapped = resigned(vc_jwt(P256), P256, None, {"vc": badge()})
    assert codes(wrapped, given(P256))["format"] == "fail jwt_vc_claim"


def test_an_older_open_badge_wraps_its_credential_in_a_claim() -> None:
    claims = decode(badge_jwt(P256).split(".")[1])
    registered = {name: claims.pop(name) for name in ("iss", "jti", "sub", "nbf")}
    wrapped = resigned(badge_jwt(P256), P256, None, {"vc": claims}, drop=tuple(claims))
    assert decode(wrapped.split(".")[1]).keys() == {*registered, "vc"}
    assert verify(wrapped, given(P256), NOW).verdict == "pass"
    assert codes(resigned(wrapped, P256, None, {"vc": 5}), given(P256))["format"] == "fail jwt_vc_claim"


def older_badge_jwt(*left_out: str, key: Ed25519Key = ED25519, **changed: Any) -> str:
    """A badge of VCDM 1.1 as a token whose credential leaves out what the claims say (VCDM 1.1, section 6.3.1)."""
    did = did_key(key.public_multibase)
    credential = badge(status=None)
    begins, ends = credential.pop("validFrom"), "2036-03-06T09:30:00Z"
    credential["@context"] = [CREDENTIALS_V1, *credential["@context"][1:]]
    credential |= {"issuanceDate": begins, "expirationDate": ends}
    credential["issuer"]["id"] = did
    claims: dict[str, Any] = {
        "iss": did,
        "jti": credential["id"],
        "sub": credential["credentialSubject"]["id"],
        "nbf": int(datetime.fromisoformat(begins).timestamp()),
        "exp": int(datetime.fromisoformat(ends).timestamp()),
    }
    for name in left_out:
        if name in {"issuer", "credentialSubject"}:
            del credential[name]["id"]
        else:
            del credential[name]
    header = {"alg": "EdDSA", "typ": "JWT", "kid": verification_method(did, key.public_multibase)}
    return write_compact(header, orjson.dumps({**claims, **changed, "vc": credential}), key)


LEFT_OUT = ("id", "issuer", "credentialSubject", "issuanceDate", "expirationDate")


@pytest.mark.parametrize("left_out", [(), *((name,) for name in LEFT_OUT), LEFT_OUT], ids=str)
def test_what_an_older_token_says_in_its_claims_alone_is_said_of_its_credential(left_out: tuple[str, ...]) -> None:
    report = verify(older_badge_jwt(*left_out), ResolvedInputs(), NOW)
    assert report.verdict == "pass", [check for check in report.checks if check.outcome != "pass"]
    assert report.check("issuer").outcome == "pass"
    late = verify(older_badge_jwt(*left_out), ResolvedInputs(), datetime(2036, 3, 6, 9, 30, tzinfo=UTC))
    assert late.check("dates").code == "expired"


def test_an_older_token_may_not_contradict_what_its_credential_says_itself() -> None:
    others: dict[str, Any] = {"iss": "did:key:z6Mk", "jti": "urn:x", "sub": "urn:x", "nbf": 1, "exp": 2**33}
    for name, value in others.items():
        report = verify(older_badge_jwt(**{name: value}), ResolvedInputs(), NOW)
        assert report.check("proof").outcome == "fail", name
    for value in ("soon", True, 1e300, None):
        assert verify(older_badge_jwt("issuanceDate", nbf=value), ResolvedInputs(), NOW).verdict == "fail"


def test_dates_are_the_credentials_and_the_tokens_own() -> None:
    moment = int(NOW.timestamp())
    for claims, expected in (
        ({"exp": moment + 1}, {}),
        ({"exp": moment}, {"dates": "fail expired"}),
        ({"nbf": moment}, {}),
        ({"nbf": moment + 1}, {"dates": "fail not_yet_valid"}),
        ({"iat": moment + 60}, {}),
        ({"iat": moment + 61}, {"dates": "fail not_yet_valid"}),
        ({"exp": "tomorrow"}, {"dates": "fail claim_form"}),
        ({"exp": float(2**52)}, {"dates": "fail claim_form"}),
    ):
        assert codes(resigned(vc_jwt(P256), P256, None, claims), given(P256)) == expected, claims
    assert codes(badge_jwt(P256), given(P256), NOW - timedelta(seconds=1)) == {"dates": "fail not_yet_valid"}


def test_a_member_that_stands_twice_fails_in_header_and_payload() -> None:
    first, second, _ = vc_jwt(P256).split(".")
    twice = b'{"alg":"ES256","kid":"' + kid_of(P256).encode() + b'","typ":"vc+jwt","typ":"vc+jwt"}'
    payload = as_json(decode(second))
    for text in (f"{encode(twice)}.{second}", f"{first}.{encode(payload[:-1] + b',' + payload[1:])}"):
        token = f"{text}.{encode(P256.sign(text.encode()))}"
        assert codes(token, given(P256))["format"] == "fail duplicate_key"


def test_what_is_too_large_is_unknown_and_read_no_further() -> None:
    first, second, third = vc_jwt(P256).split(".")
    for token in (
        f"{first}.{encode(b' ' * 300_000)}.{third}",
        f"{'A' * 20_000}.{second}.{third}",
        f"{first}.{second}.{'A' * 20_000}",
        f"{first}.{encode(b'[' * 100_000)}.{third}",
    ):
        assert verify(token, given(P256), NOW).verdict != "pass"
        assert codes(token, given(P256))["format"].split()[1] in {"too_large", "not_json"}
    deep = b'{"alg":"ES256","x":' + b"[" * 3000 + b"]" * 3000 + b"}"
    assert verify(f"{encode(deep)}.{second}.{third}", given(P256), NOW).verdict != "pass"


def test_an_undefined_term_fails_in_a_token_too() -> None:
    changed = resigned(vc_jwt(P256), P256, None, {"favouriteColour": "blue"})
    assert codes(changed, given(P256)) == {"context": "fail term_undefined"}


@settings(max_examples=25, deadline=None)
@examples(
    st.sampled_from(["iss", "sub", "jti", "nbf", "exp", "iat", "vc", "issuer", "credentialSubject", "id", "@context"]),
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=5,
    ),
)
def test_no_value_of_a_claim_raises_or_passes(name: str, value: Any) -> None:
    for token in (badge_jwt(P256), vc_jwt(P256)):
        original = decode(token.split(".")[1])
        if original.get(name) == value or name in {"iat", "nbf", "exp"}:
            continue
        assert verify(resigned(token, P256, None, {name: value}), given(P256), NOW).verdict != "pass" or name == "sub"


@settings(max_examples=100, deadline=None)
@examples(st.text(ALPHABET, max_size=200))
def test_no_text_raises(text: str) -> None:
    for token in (text, f"eyJhbGciOiJFUzI1NiJ9.{text}.AAAA", f"{encode({'alg': 'ES256', 'kid': text})}.e30.AAAA"):
        assert verify(token, ResolvedInputs(), NOW).verdict != "pass"
        dependencies_of(token)


def test_a_document_may_not_use_the_name_of_a_claim_and_a_token_is_used_once() -> None:
    prepared = prepare(badge())
    sign_vc_jwt(prepared, P256, algorithm="ES256", kid=kid_of(P256))
    with pytest.raises(CredentialError, match="signed already"):
        sign_open_badge_jwt(prepared, P256, algorithm="ES256", kid=kid_of(P256))
    with pytest.raises(CredentialError, match="either the name"):
        sign_open_badge_jwt(prepare(badge()), P256, algorithm="ES256")
    document = badge()
    del document["credentialSubject"]["id"]
    document["credentialSubject"]["identifier"] = [
        {"type": "IdentityObject", "hashed": False, "identityHash": "a", "identityType": "name"}
    ]
    with pytest.raises(CredentialError, match="claim sub"):
        sign_open_badge_jwt(prepare(document), P256, algorithm="ES256", kid=kid_of(P256))


def test_the_same_jwk_private_key_signs_again() -> None:
    again = read_private_jwk(write_private_jwk(P256))
    assert verify(vc_jwt(again), given(P256), NOW).verdict == "pass"


def test_a_learner_record_may_hold_tokens_in_envelopes_and_be_one() -> None:
    document = record([envelop_credential(own_vc_jwt(P256)), envelop_credential(own_vc_jwt(ED25519))])
    jwt = sign_vc_jwt(prepare(document), P256, algorithm="ES256", kid=kid_of(P256))
    report = verify(jwt, given(P256), NOW)
    assert [one.verdict for one in report.embedded] == ["pass", "pass"], report
    # The official schema is older than envelopes; it cannot say that they are wrong, nor that they are right.
    assert codes(jwt, given(P256)) == {"schema": "unknown schema_older"}
    foreign = envelop_credential(vc_jwt(P256)[:-4] + "AAAA")
    assert dependencies_of(sign_vc_jwt(prepare(record([foreign])), P256, algorithm="ES256", kid=kid_of(P256))).dids == {
        DID
    }
    bad = sign_vc_jwt(prepare(record([foreign])), P256, algorithm="ES256", kid=kid_of(P256))
    assert [one.verdict for one in verify(bad, given(P256), NOW).embedded] == ["fail"]


def record(credentials: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "@context": [CREDENTIALS_V2, CLR_V2, OPEN_BADGES_V3],
        "id": "urn:uuid:5d7a3d7e-0f8c-4a34-8f0b-2f6d9f6a7c11",
        "type": ["VerifiableCredential", "ClrCredential"],
        "name": "Values Week",
        "issuer": {"id": DID, "type": ["Profile"], "name": "Wattle Grove"},
        "validFrom": "2026-03-06T09:30:00Z",
        "credentialSubject": {
            "id": "urn:uuid:7d2f8c51-11aa-4c39-8f0e-000000000001",
            "type": ["ClrSubject"],
            "verifiableCredential": credentials,
        },
    }


def test_a_related_resource_with_a_wrong_digest_is_not_signed() -> None:
    wrong = {"id": CREDENTIALS_V2, "digestSRI": f"sha256-{'A' * 43}="}
    with pytest.raises(CredentialError, match="bundled"):
        prepare(badge() | {"relatedResource": [wrong]})
    assert codes(resigned(vc_jwt(P256), P256, None, {"relatedResource": [wrong]}), given(P256)) == {
        "context": "fail digest_mismatch"
    }
