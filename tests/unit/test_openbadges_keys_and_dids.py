"""Keys and DIDs: made and read as their specifications write them."""

import pytest

from libs.openbadges.crypto.did import (
    did_document,
    did_key,
    did_web,
    did_web_url,
    find_method,
    resolve_did_key,
    verification_method,
)
from libs.openbadges.crypto.keys import Ed25519Key, decode_public, encode_public, verify_ed25519
from libs.openbadges.crypto.multibase import decode_multibase
from libs.openbadges.model.errors import CredentialError

KEY = Ed25519Key.from_seed(bytes(range(32)))


def test_a_key_signs_what_its_public_half_verifies() -> None:
    signature = KEY.sign(b"text")
    assert verify_ed25519(decode_public(KEY.public_multibase), b"text", signature)
    assert not verify_ed25519(decode_public(KEY.public_multibase), b"texu", signature)
    assert not verify_ed25519(decode_public(KEY.public_multibase), b"text", signature[:-1])
    assert not verify_ed25519(b"short", b"text", signature)


def test_a_seed_makes_the_same_key_and_shows_nowhere() -> None:
    assert Ed25519Key.from_seed(KEY.seed).public_multibase == KEY.public_multibase
    assert KEY.public_multibase.startswith("z6Mk")
    assert KEY.seed.hex() not in repr(KEY)
    assert repr(KEY.seed) not in repr(KEY)
    assert Ed25519Key.generate().seed != Ed25519Key.generate().seed
    with pytest.raises(CredentialError, match="32 bytes"):
        Ed25519Key.from_seed(b"short")


@pytest.mark.parametrize(
    "text", ["", "z", "u123", "z0OIl", "zDnaerx9CtbPJ1q36T5Ln5wYt3MQYeGRG5ehnPAmxcf5mDZpv", "z" + "1" * 500]
)
def test_what_is_no_ed25519_multikey_is_refused(text: str) -> None:
    with pytest.raises(CredentialError):
        decode_public(text)


def test_a_multikey_of_the_wrong_length_is_refused() -> None:
    with pytest.raises(CredentialError, match="32 bytes"):
        decode_public(encode_public(bytes(31)))
    assert decode_multibase(encode_public(bytes(32)))[:2] == b"\xed\x01"


def test_a_did_key_resolves_to_a_document_that_allows_its_key() -> None:
    did = did_key(KEY.public_multibase)
    document = resolve_did_key(did)
    method = verification_method(did, KEY.public_multibase)
    assert method == f"{did}#{KEY.public_multibase}"
    assert find_method(document, method)["publicKeyMultibase"] == KEY.public_multibase
    for wrong in ("did:web:x", "did:key:", "did:key:zzz", "xdid:key:" + KEY.public_multibase):
        with pytest.raises(CredentialError):
            resolve_did_key(wrong)


@pytest.mark.parametrize(
    ("base", "path", "did", "url"),
    [
        ("https://school.example", (), "did:web:school.example", "https://school.example/.well-known/did.json"),
        (
            "http://127.0.0.1:8103",
            ("issuers", "wattle"),
            "did:web:127.0.0.1%3A8103:issuers:wattle",
            "https://127.0.0.1:8103/issuers/wattle/did.json",
        ),
        (
            "https://state.example/badges/",
            ("a b",),
            "did:web:state.example:badges:a%20b",
            "https://state.example/badges/a%20b/did.json",
        ),
    ],
)
def test_a_did_web_says_where_its_document_stands(base: str, path: tuple[str, ...], did: str, url: str) -> None:
    assert did_web(base, *path) == did
    assert did_web_url(did) == url


@pytest.mark.parametrize(
    "base", ["ftp://x", "school.example", "https://", "https://u:p@x.example", "https://x.example?a=b"]
)
def test_what_is_no_host_makes_no_did(base: str) -> None:
    with pytest.raises(CredentialError):
        did_web(base)


@pytest.mark.parametrize("did", ["did:key:z6", "did:web:", "did:web:a::b", "web:a"])
def test_what_is_no_did_web_has_no_address(did: str) -> None:
    with pytest.raises(CredentialError):
        did_web_url(did)


def test_a_document_can_name_its_keys_by_fragment_alone() -> None:
    did = did_web("https://school.example")
    method = verification_method(did, KEY.public_multibase)
    document = did_document(did, KEY.public_multibase)
    document["verificationMethod"][0]["id"] = "#" + KEY.public_multibase
    document["assertionMethod"] = "#" + KEY.public_multibase
    assert find_method(document, method)["controller"] == did
