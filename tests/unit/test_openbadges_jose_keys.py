"""Keys as JWKs: in and out, and nothing weak, secret, foreign or damaged is taken for a public key."""

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from libs.openbadges.crypto.did import did_document_with_jwk, did_web, find_method, methods_of, verification_method
from libs.openbadges.crypto.jwk import (
    PrivateKey,
    public_of,
    read_jwk,
    read_private_jwk,
    thumbprint,
    write_jwk,
    write_private_jwk,
)
from libs.openbadges.crypto.keys import PublicKey, read_public
from libs.openbadges.crypto.methods import public_key, resolve
from libs.openbadges.crypto.rsa import RsaKey
from libs.openbadges.jose import algorithm_of
from libs.openbadges.model.errors import CredentialError, UndecidedError
from tests.unit.openbadges_tokens import ED25519, KINDS, P256, encode, key_of, rsa_key


@pytest.mark.parametrize("kind", KINDS)
def test_a_key_comes_back_from_its_jwk_public_and_private(kind: str) -> None:
    key = key_of(kind)
    public = public_of(key)
    assert read_jwk(write_jwk(public)) == public
    again = read_private_jwk(write_private_jwk(key))
    assert public_of(again) == public
    assert public.verify(b"text", again.sign(b"text"))
    assert not public.verify(b"texu", again.sign(b"text"))
    assert not public.verify(b"text", again.sign(b"text")[:-1])


@pytest.mark.parametrize("kind", KINDS)
def test_a_public_jwk_holds_nothing_secret_and_a_private_key_shows_nowhere(kind: str) -> None:
    key = key_of(kind)
    assert not {"d", "p", "q", "dp", "dq", "qi"} & write_jwk(public_of(key)).keys()
    assert write_private_jwk(key)["d"] not in repr(key)
    with pytest.raises(CredentialError, match="private key"):
        read_jwk(write_private_jwk(key))


def test_a_multikey_and_a_jwk_of_one_key_are_the_same_key() -> None:
    for key in (ED25519, P256):
        assert read_public(key.public_multibase) == read_jwk(write_jwk(public_of(key)))


def test_the_thumbprint_is_that_of_rfc_8037() -> None:
    # RFC 8037, appendix A.3.
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
    assert thumbprint(read_jwk(jwk)) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    assert thumbprint(read_jwk({**jwk, "kid": "x", "alg": "EdDSA", "use": "sig"})) == thumbprint(read_jwk(jwk))


def small_rsa(bits: int, exponent: int = 65_537) -> dict[str, Any]:
    numbers = rsa.generate_private_key(exponent, bits).public_key().public_numbers()
    return {
        "kty": "RSA",
        "n": encode(numbers.n.to_bytes(bits // 8, "big")),
        "e": encode(numbers.e.to_bytes(3, "big").lstrip(b"\0")),
    }


def test_an_rsa_key_that_is_too_small_is_refused_wherever_it_comes_from() -> None:
    with pytest.raises(CredentialError, match="2048"):
        read_jwk(small_rsa(1024))
    with pytest.raises(CredentialError, match="exponent"):
        read_jwk(small_rsa(2048, 3))
    with pytest.raises(CredentialError, match="2048"):
        RsaKey.generate(1024)
    weak = rsa.generate_private_key(65_537, 1024)  # noqa: S505  weak is what this is about
    pem = weak.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(CredentialError, match="2048"):
        RsaKey.from_pem(pem)


def test_an_rsa_key_is_read_from_pem() -> None:
    pem = rsa_key().private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    assert public_of(RsaKey.from_pem(pem)) == public_of(rsa_key())
    other = P256.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    for wrong in (b"", b"-----BEGIN", other):
        with pytest.raises(CredentialError):
            RsaKey.from_pem(wrong)


POINT = write_jwk(public_of(P256))


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        [],
        {},
        {"kty": 5},
        {"kty": "OKP", "crv": ["Ed25519"]},
        {"kty": "OKP", "crv": "Ed25519"},
        {"kty": "OKP", "crv": "Ed25519", "x": "AAAA"},
        {"kty": "OKP", "crv": "Ed25519", "x": 5},
        {"kty": "OKP", "crv": "Ed25519", "x": "!" * 43},
        {**POINT, "y": POINT["x"]},
        {**POINT, "x": "A" * 5000},
        {**POINT, "use": "enc"},
        {**POINT, "key_ops": ["encrypt"]},
        {**POINT, "key_ops": "verify"},
        {**POINT, "alg": "ECDH-ES"},
        {**POINT, "alg": "none"},
        {**POINT, "alg": "ES384"},
        {**POINT, "alg": ["ES256"]},
        {**POINT, "use": ["sig"]},
        {"kty": "RSA", "n": "", "e": "AQAB"},
        {"kty": "RSA", "n": "AQAB"},
    ],
)
def test_what_is_no_key_is_refused(wrong: Any) -> None:
    with pytest.raises(CredentialError) as caught:
        read_jwk(wrong)
    assert not isinstance(caught.value, UndecidedError)


def test_a_key_that_says_what_it_is_for_is_read() -> None:
    assert read_jwk({**POINT, "use": "sig", "key_ops": ["verify"], "alg": "ES256"}) == read_jwk(POINT)


@pytest.mark.parametrize(
    "other", [{"kty": "EC", "crv": "P-521"}, {"kty": "OKP", "crv": "X25519"}, {"kty": "oct"}, {"kty": "AKP"}]
)
def test_a_kind_of_key_that_is_not_known_is_undecided(other: dict[str, str]) -> None:
    with pytest.raises(UndecidedError):
        read_jwk({**other, "x": "AAAA"})


def test_a_private_jwk_whose_halves_differ_is_refused() -> None:
    stranger = read_private_jwk(write_private_jwk(type(P256).generate()))
    mixed = {**write_private_jwk(P256), **write_jwk(public_of(stranger))}
    with pytest.raises(CredentialError):
        read_private_jwk(mixed)
    with pytest.raises(CredentialError, match="no private key"):
        read_private_jwk(write_jwk(public_of(P256)))


@pytest.mark.parametrize(("kind", "name"), [("Ed25519", "Ed25519"), ("P-256", "ES256"), ("RSA", "RS256")])
def test_each_kind_of_key_has_its_algorithm(kind: str, name: str) -> None:
    assert algorithm_of(key_of(kind)) == name


@pytest.mark.parametrize("kind", KINDS)
def test_a_did_document_carries_a_jwk_and_gives_the_key_back(kind: str) -> None:
    key: PrivateKey = key_of(kind)
    did = did_web("https://school.example")
    fragment = thumbprint(public_of(key))
    document = did_document_with_jwk(did, write_jwk(public_of(key)), fragment)
    method = verification_method(did, fragment)
    assert methods_of(document) == [method]
    found = resolve(method, {did: document})
    assert found == find_method(document, method)
    assert found is not None
    assert public_key(found) == public_of(key)


def test_a_damaged_public_key_verifies_nothing() -> None:
    with pytest.raises(CredentialError):
        PublicKey("RSA", b"no key").verify(b"text", b"s" * 256)
    with pytest.raises(CredentialError):
        PublicKey("RSA", P256.public_bytes).verify(b"text", b"s" * 256)
