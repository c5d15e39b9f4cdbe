"""No changed character, borrowed key, foreign key or confused algorithm makes a good token."""

import hashlib
import hmac
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA384
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given as examples
from hypothesis import settings
from hypothesis import strategies as st
from joserfc.jwk import ECKey

from libs.openbadges.crypto.did import did_document_with_jwk, did_key, did_web, verification_method
from libs.openbadges.crypto.jwk import public_of, read_private_jwk, write_jwk, write_private_jwk
from libs.openbadges.crypto.keys import PublicKey, encode_public
from libs.openbadges.crypto.p256 import P256Key
from libs.openbadges.integrity.suites import VERIFY_SUITES
from libs.openbadges.issue.jwt import sign_open_badge_jwt, sign_vc_jwt
from libs.openbadges.issue.signing import prepare
from libs.openbadges.model.errors import CredentialError, UndecidedError
from libs.openbadges.verify import ResolvedInputs, verify
from tests.unit.openbadges_samples import DID, NOW, badge
from tests.unit.openbadges_tokens import (
    ED25519,
    KINDS,
    P256,
    badge_jwt,
    codes,
    decode,
    encode,
    given,
    key_of,
    kid_of,
    resigned,
    rsa_key,
    vc_jwt,
)

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/ "


TOKENS = {kind: badge_jwt(key_of(kind)) for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_no_other_last_character_makes_a_good_token(kind: str) -> None:
    token, material = TOKENS[kind], given(key_of(kind))
    for end in (*ALPHABET.strip(), ""):
        changed = token[:-1] + end
        assert changed == token or verify(changed, material, NOW).verdict != "pass", end


@settings(max_examples=100, deadline=None)
@examples(st.sampled_from(KINDS), st.data())
def test_no_changed_character_anywhere_makes_a_good_token(kind: str, data: st.DataObject) -> None:
    token = TOKENS[kind]
    at = data.draw(st.integers(0, len(token) - 1))
    to = data.draw(st.sampled_from([*ALPHABET, "", "é"]))
    changed = token[:at] + to + token[at + 1 :]
    assert changed.strip() == token or verify(changed, given(key_of(kind)), NOW).verdict != "pass"


def test_no_changed_character_makes_a_good_token_at_every_place() -> None:
    token, material = TOKENS["Ed25519"], given(ED25519)
    for at in range(0, len(token), 37):
        changed = token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]
        assert verify(changed, material, NOW).verdict != "pass", at


@pytest.mark.parametrize("alg", ["none", "None", "NONE"])
def test_an_unsigned_token_fails(alg: str) -> None:
    token = badge_jwt(P256).split(".")
    header = encode({**decode(token[0]), "alg": alg})
    signature = f"{header}.{token[1]}.{token[2]}"
    assert codes(signature, given(P256))["proof"] == "fail algorithm_none"
    assert verify(f"{header}.{token[1]}.", given(P256), NOW).verdict == "fail"


def test_a_public_key_is_never_used_as_a_shared_secret() -> None:
    token = badge_jwt(rsa_key()).split(".")
    text = f"{encode({**decode(token[0]), 'alg': 'HS256'})}.{token[1]}"
    forged = f"{text}.{encode(hmac.digest(rsa_key().public_bytes, text.encode(), hashlib.sha256))}"
    assert codes(forged, given(rsa_key()))["proof"] == "fail algorithm_symmetric"


@pytest.mark.parametrize("key", KINDS)
@pytest.mark.parametrize("alg", ["RS256", "ES256", "EdDSA", "Ed25519"])
def test_an_algorithm_that_is_not_the_keys_fails(key: str, alg: str) -> None:
    ours = {"RSA": ("RS256",), "P-256": ("ES256",), "Ed25519": ("EdDSA", "Ed25519")}[key]
    token = resigned(badge_jwt(key_of(key)), key_of(key), {"alg": alg})
    expected = {} if alg in ours else {"proof": "fail algorithm_mismatch"}
    assert codes(token, given(key_of(key))) == expected


@pytest.mark.parametrize("alg", ["ES512", "PS256", "ES256K", "RS512", "ML-DSA-44", "x" * 1000])
def test_an_algorithm_that_is_not_known_is_unknown(alg: str) -> None:
    assert codes(resigned(badge_jwt(P256), P256, {"alg": alg}), given(P256)) == {"proof": "unknown algorithm_unknown"}


def es384(header: dict[str, Any] | None = None, *, size: int = 48) -> tuple[str, ResolvedInputs]:
    """A token signed with a P-384 key, r and s of so many bytes, and what is looked up for it."""
    key = ec.derive_private_key(7, ec.SECP384R1())
    jwk = dict(ECKey.import_key(key.public_key()).as_dict(private=False))
    kid = verification_method(DID, "p384")
    text = ".".join(
        encode(one) for one in ({"alg": "ES384", "typ": "vc+jwt", "kid": kid, **(header or {})}, badge(status=None))
    )
    r, s = decode_dss_signature(key.sign(text.encode(), ec.ECDSA(SHA384())))
    document = did_document_with_jwk(DID, {name: jwk[name] for name in ("kty", "crv", "x", "y")}, "p384")
    return f"{text}.{encode(r.to_bytes(size, 'big') + s.to_bytes(size, 'big'))}", ResolvedInputs({DID: document})


def test_a_token_by_a_p384_key_passes_and_one_that_was_changed_does_not() -> None:
    token, known = es384()
    assert codes(token, known) == {}
    assert codes(token[:-4] + "AAAA", known) == {"proof": "fail proof_invalid"}
    assert codes(es384(size=50)[0], known) == {"proof": "fail proof_invalid"}


def test_a_p384_key_signs_by_no_other_algorithm_and_no_other_key_by_its_own() -> None:
    for alg in ("ES256", "RS256", "EdDSA"):
        token, known = es384({"alg": alg})
        assert codes(token, known) == {"proof": "fail algorithm_mismatch"}
    token = resigned(vc_jwt(P256), P256, {"alg": "ES384"})
    assert codes(token, given(P256)) == {"proof": "fail algorithm_mismatch"}


def test_nothing_is_signed_with_a_p384_key_here() -> None:
    private = dict(ECKey.import_key(ec.derive_private_key(7, ec.SECP384R1())).as_dict(private=True))
    with pytest.raises(UndecidedError):
        read_private_jwk(private)


def test_a_p384_key_is_no_key_for_the_suites_of_data_integrity() -> None:
    key = ec.derive_private_key(7, ec.SECP384R1()).public_key()
    public = PublicKey("P-384", key.public_bytes(Encoding.X962, PublicFormat.CompressedPoint))
    assert not any(VERIFY_SUITES[name].verify(public, b"x", b"y" * 96) for name in VERIFY_SUITES)
    assert not public.verify(b"x", b"y" * 95)
    with pytest.raises(CredentialError, match="P-384"):
        PublicKey("P-384", b"\x02" + b"\xff" * 48).verify(b"x", b"y" * 96)


def test_a_signer_of_another_kind_than_the_algorithm_is_refused() -> None:
    with pytest.raises(CredentialError, match="does not sign with RS256"):
        sign_vc_jwt(prepare(badge()), P256, algorithm="RS256", kid=kid_of(P256))
    with pytest.raises(CredentialError, match="no signature of RS256"):
        sign_vc_jwt(prepare(badge()), _Kms(), algorithm="RS256", kid=kid_of(P256))
    with pytest.raises(CredentialError, match="not checked here"):
        sign_vc_jwt(prepare(badge()), P256, algorithm="ES512", kid=kid_of(P256))


class _Kms:
    """A signer that is none of ours, as a key service would be."""

    def sign(self, message: bytes) -> bytes:
        return P256.sign(message)


def test_a_key_service_can_sign() -> None:
    token = sign_vc_jwt(prepare(badge(status=None)), _Kms(), algorithm="ES256", kid=kid_of(P256))
    assert verify(token, given(P256), NOW).verdict == "pass"


def test_a_strangers_key_fails_whatever_it_calls_itself() -> None:
    stranger = P256Key.generate()
    claimed = sign_vc_jwt(prepare(badge(status=None)), stranger, algorithm="ES256", kid=kid_of(P256))
    assert codes(claimed, given(P256)) == {"proof": "fail proof_invalid"}
    did = did_key(stranger.public_multibase)
    own = verification_method(did, stranger.public_multibase)
    honest = sign_vc_jwt(prepare(badge(status=None)), stranger, algorithm="ES256", kid=own)
    assert codes(honest, given(P256)) == {"issuer": "fail issuer_mismatch"}
    missing = sign_vc_jwt(prepare(badge(status=None)), stranger, algorithm="ES256", kid=f"{DID}#no-such-key")
    assert codes(missing, given(P256)) == {"proof": "fail method_missing", "issuer": "fail method_missing"}
    nameless = sign_vc_jwt(prepare(badge(status=None)), stranger, algorithm="ES256", kid="no-such-key")
    assert verify(nameless, given(P256), NOW).verdict == "fail"
    elsewhere = did_web("https://elsewhere.example") + "#key"
    other = sign_vc_jwt(prepare(badge(status=None)), stranger, algorithm="ES256", kid=elsewhere)
    assert codes(other, given(P256))["issuer"] == "fail issuer_mismatch"


@pytest.mark.parametrize("alg", ["EdDSA", "Ed25519"])
@pytest.mark.parametrize("y", [1, 0, 2**255 - 20])
def test_a_key_under_which_one_signature_is_good_for_every_text_signs_none(y: int, alg: str) -> None:
    point = y.to_bytes(32, "little")  # of order 1, 4 and 2
    document = badge(status=None)
    document["issuer"]["id"] = issuer = did_key(encode_public(point))
    header = {"alg": alg, "typ": "vc+jwt", "kid": verification_method(issuer, encode_public(point))}
    for number in range(8):
        text = f"{encode(header)}.{encode({**document, 'name': f'Resilience {number}'})}"
        token = f"{text}.{encode(point + bytes(32))}"
        assert codes(token, ResolvedInputs())["proof"] == "fail proof_invalid"


def test_a_key_in_the_header_is_believed_only_if_the_issuer_lists_it() -> None:
    stranger = P256Key.generate()
    token = sign_open_badge_jwt(
        prepare(badge(status=None)), stranger, algorithm="ES256", jwk=write_jwk(public_of(stranger))
    )
    assert codes(token, given(P256)) == {"issuer": "fail jwk_foreign"}
    assert codes(token, ResolvedInputs()) == {"issuer": "unknown issuer_unavailable"}
    both = resigned(token, stranger, {"kid": kid_of(P256)})
    assert verify(both, given(P256), NOW).verdict == "fail"
    private = resigned(badge_jwt(P256), P256, {"jwk": write_private_jwk(P256)}, drop=("kid",))
    assert codes(private, given(P256)) == {"proof": "fail key_private", "issuer": "fail key_private"}
    with pytest.raises(CredentialError, match="private key"):
        sign_open_badge_jwt(prepare(badge()), P256, algorithm="ES256", jwk=write_private_jwk(P256))


def test_a_key_that_the_issuer_keeps_for_something_else_fails() -> None:
    others: list[list[str]] = [[], ["#other"]]
    for other in others:
        assert codes(vc_jwt(P256), given(P256, assertionMethod=other)) == {
            "proof": "fail method_not_allowed",
            "issuer": "fail method_not_allowed",
        }
    for member, value in (("use", "enc"), ("alg", "RS256")):
        material = given(P256)
        method = material.did_documents[DID]["verificationMethod"][0]
        method["publicKeyJwk"] = {**method["publicKeyJwk"], member: value}
        assert verify(vc_jwt(P256), material, NOW).verdict == "fail", member


def test_a_key_at_another_address_of_the_host_is_undecided() -> None:
    document = badge(status=None)
    document["issuer"]["id"] = "https://school.example/issuers/1"
    token = sign_vc_jwt(prepare(document), P256, algorithm="ES256", kid="https://school.example/keys#1")
    assert codes(token, ResolvedInputs())["issuer"] == "unknown key_owner_unknown"


def test_without_a_name_any_key_of_the_issuer_may_have_signed() -> None:
    token = resigned(vc_jwt(P256), P256, drop=("kid",))
    assert verify(token, given(ED25519, rsa_key(), P256), NOW).verdict == "pass"
    assert verify(token, given(ED25519, rsa_key()), NOW).verdict == "fail"
    many = given(P256, assertionMethod=[f"{DID}#{number}" for number in range(1000)])
    assert codes(token, many)["proof"] == "unknown too_many_keys"
