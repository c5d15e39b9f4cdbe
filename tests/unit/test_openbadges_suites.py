"""Every cryptosuite against its published vectors, and whatever is tampered with does not pass."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import base58
import orjson
import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.openbadges.crypto import base58btc
from libs.openbadges.crypto.curves import P256
from libs.openbadges.crypto.did import did_key, verification_method
from libs.openbadges.crypto.keys import Ed25519Key
from libs.openbadges.crypto.multibase import encode_multibase
from libs.openbadges.crypto.p256 import P256Key
from libs.openbadges.integrity.suites import SIGN_SUITES, VERIFY_SUITES
from libs.openbadges.issue.signing import prepare, sign
from libs.openbadges.jsonld import jcs
from libs.openbadges.model.errors import CredentialError
from libs.openbadges.verify import ResolvedInputs, verify
from tests.unit.openbadges_samples import KEY, NOW, badge

VECTORS = Path(__file__).parents[1] / "vectors"
EDDSA, ECDSA = VECTORS / "vc-di-eddsa", VECTORS / "vc-di-ecdsa"
LATER = datetime(2026, 3, 6, tzinfo=UTC)
SUITES: dict[str, tuple[Path, str]] = {
    "eddsa-rdfc-2022": (EDDSA / "eddsa-rdfc-2022", "DataInt"),
    "eddsa-jcs-2022": (EDDSA / "eddsa-jcs-2022", "JCS"),
    "ecdsa-rdfc-2019": (ECDSA / "ecdsa-rdfc-2019-p256", "ECDSAP256"),
    "ecdsa-jcs-2019": (ECDSA / "ecdsa-jcs-2019-p256", "JCSECDSAP256"),
    "Ed25519Signature2020": (EDDSA / "Ed25519Signature2020", "EdSig"),
}


def read(path: Path) -> Any:
    return json.loads(path.read_text())


def key_of(suite: str) -> Ed25519Key | P256Key:
    pair = read((ECDSA / "p256KeyPair.json") if suite.startswith("ecdsa") else (EDDSA / "keyPair.json"))
    secret = base58.b58decode((pair.get("privateKeyMultibase") or pair["secretKeyMultibase"])[1:])[2:]
    key = P256Key.from_secret(secret) if suite.startswith("ecdsa") else Ed25519Key.from_seed(secret)
    assert key.public_multibase == pair["publicKeyMultibase"]
    return key


@pytest.mark.parametrize("suite", SUITES)
def test_a_suite_recreates_every_value_of_its_w3c_vector(suite: str) -> None:
    folder, name = SUITES[suite]
    signed = read(folder / f"signed{name}.json")
    proof = signed.pop("proof")
    value = proof.pop("proofValue")
    message = VERIFY_SUITES[suite].signing_input(VERIFY_SUITES.canonical(signed), proof)
    assert message[:32].hex() == (folder / f"proofHash{name}.txt").read_text().strip()
    assert message[32:].hex() == (folder / f"docHash{name}.txt").read_text().strip()
    assert message.hex() == (folder / f"combinedHash{name}.txt").read_text().strip()
    signature = key_of(suite).sign(message)
    assert signature.hex() == (folder / f"sigHex{name}.txt").read_text().strip()
    assert encode_multibase(signature) == value
    if "jcs" in suite:
        assert jcs.canonicalize(signed).decode() == (folder / f"canonDoc{name}.txt").read_text()
        assert jcs.canonicalize(proof).decode() == (folder / f"proofCanon{name}.txt").read_text()


@pytest.mark.parametrize("suite", SUITES)
def test_the_w3c_credential_of_a_suite_verifies(suite: str) -> None:
    folder, name = SUITES[suite]
    text = (folder / f"signed{name}.json").read_text()
    assert verify(text, ResolvedInputs(), LATER).check("proof").outcome == "pass"
    assert verify(text.replace("Examples", "Exemples"), ResolvedInputs(), LATER).check("proof").outcome == "fail"


@pytest.mark.parametrize("name", ["signedProofSet1", "signedProofSet2", "signedProofChain1", "signedProofChain2"])
def test_the_w3c_proof_sets_and_chains_verify(name: str) -> None:
    document = read(EDDSA / "proof-set-chain" / f"{name}.json")
    assert verify(document, ResolvedInputs(), LATER).check("proof").outcome == "pass"
    for proof in document["proof"] if isinstance(document["proof"], list) else [document["proof"]]:
        proof["created"] = proof["created"].replace("2023", "2024")
        assert verify(document, ResolvedInputs(), LATER).check("proof").code == "proof_invalid"
        proof["created"] = proof["created"].replace("2024", "2023")


def test_a_chain_without_the_proof_it_rests_on_fails() -> None:
    document = read(EDDSA / "proof-set-chain" / "signedProofChain2.json")
    whole = document["proof"]
    for missing in range(3):
        document["proof"] = whole[:missing] + whole[missing + 1 :]
        assert verify(document, ResolvedInputs(), LATER).check("proof").code == "proof_chain"
    document["proof"] = [*whole, whole[0]]
    assert verify(document, ResolvedInputs(), LATER).check("proof").code == "proof_chain"
    odds: tuple[object, ...] = ([], {}, None, 5, [None], [[]])
    for odd in odds:
        document["proof"] = [{**whole[0], "previousProof": odd}]
        assert verify(document, ResolvedInputs(), LATER).check("proof").outcome == "fail"


def issued(suite: str) -> str:
    key = P256Key.from_secret(bytes(range(1, 33))) if suite.startswith("ecdsa") else KEY
    did = did_key(key.public_multibase)
    document = badge(status=None)
    document["issuer"]["id"] = did
    return sign(prepare(document), key, verification_method(did, key.public_multibase), NOW, cryptosuite=suite)


@pytest.mark.parametrize("suite", list(SIGN_SUITES))
def test_what_a_suite_signs_passes_every_check(suite: str) -> None:
    assert verify(issued(suite), ResolvedInputs(), NOW).verdict == "pass"


@pytest.mark.parametrize("suite", list(SIGN_SUITES))
def test_a_flipped_bit_anywhere_does_not_pass_under_any_suite(suite: str) -> None:
    text = issued(suite).encode()
    for place in range(3, len(text), 61):
        flipped = bytearray(text)
        flipped[place] ^= 1 << place % 7
        assert verify(bytes(flipped), ResolvedInputs(), NOW).verdict != "pass", place


@pytest.mark.parametrize("suite", list(SIGN_SUITES))
def test_an_undefined_term_fails_under_any_suite(suite: str) -> None:
    document = orjson.loads(issued(suite))
    document["evidence"][0]["mood"] = "good"
    check = verify(document, ResolvedInputs(), NOW).check("context")
    assert (check.outcome, check.code) == ("fail", "term_undefined")


def test_a_signature_of_one_suite_is_none_of_another() -> None:
    document = orjson.loads(issued("eddsa-rdfc-2022"))
    for other in ("eddsa-jcs-2022", "ecdsa-rdfc-2019", "ecdsa-jcs-2019"):
        document["proof"]["cryptosuite"] = other
        assert verify(document, ResolvedInputs(), NOW).check("proof").outcome == "fail"
    document["proof"]["cryptosuite"] = "Ed25519Signature2020"
    assert verify(document, ResolvedInputs(), NOW).check("proof").outcome == "unknown"


def test_an_outdated_suite_issues_nothing() -> None:
    with pytest.raises(CredentialError, match="cryptosuite"):
        issued("Ed25519Signature2020")


def test_a_json_proof_holds_in_its_own_context_only() -> None:
    document = orjson.loads(issued("eddsa-jcs-2022"))
    contexts = document["@context"]
    document["proof"]["@context"] = contexts[:1]
    assert verify(document, ResolvedInputs(), NOW).check("proof").code == "proof_invalid"
    document["proof"]["@context"] = contexts[::-1]
    assert verify(document, ResolvedInputs(), NOW).check("proof").code == "proof_context"
    document["proof"]["@context"] = [*contexts, "https://w3id.org/security/data-integrity/v2"]
    assert verify(document, ResolvedInputs(), NOW).check("proof").code == "proof_context"


def test_p256_signatures_are_64_bytes_and_of_this_key_and_message() -> None:
    key = P256Key.from_secret(bytes(range(1, 33)))
    signature = key.sign(b"text")
    assert key.sign(b"text") == signature
    assert P256.verify(key.public_bytes, b"text", signature)
    assert not P256.verify(key.public_bytes, b"texu", signature)
    assert not P256.verify(P256Key.generate().public_bytes, b"text", signature)
    for odd in (b"", signature[:-1], bytes(64), b"\xff" * 64):
        assert not P256.verify(key.public_bytes, b"text", odd)
    with pytest.raises(CredentialError, match="secret"):
        P256Key.from_secret(bytes(32))
    with pytest.raises(CredentialError, match="point"):
        P256.verify(b"\x02" + b"\xff" * 32, b"text", signature)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"), max_size=8),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=4), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=500, deadline=None)
@given(json_values)
def test_canonical_json_is_the_librarys(value: Any) -> None:
    # A document is parsed JSON: a float that is a whole number beyond 2^53 is refused before it comes here.
    parsed = orjson.loads(orjson.dumps(value))
    try:
        expected = rfc8785.dumps(parsed)
    except rfc8785.CanonicalizationError:
        with pytest.raises(CredentialError):
            jcs.canonicalize(parsed)
        return
    assert jcs.canonicalize(parsed) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"b": 1, "a": 2}, b'{"a":2,"b":1}'),
        ({"\U0001f600": 1, "\ufb33": 2}, '{"\U0001f600":1,"\ufb33":2}'.encode()),
        (
            {"x": "\ufb33\U0001f600", "a": [{"\U0001f600": 1, "\ufb33": 2}]},
            '{"a":[{"\U0001f600":1,"\ufb33":2}],"x":"\ufb33\U0001f600"}'.encode(),
        ),
        ({"x": 1.0}, b'{"x":1}'),
        ([-1.5, 100.0, [0.1]], b"[-1.5,100,[0.1]]"),
        ({"x": "urn:1e5:2.5,3.5[4.5"}, b'{"x":"urn:1e5:2.5,3.5[4.5"}'),
        ({"x": 1e21}, b'{"x":1e+21}'),
        ({"x": "\x08\x0c\n\r\t\x00\x1f\x7f"}, b'{"x":"\\b\\f\\n\\r\\t\\u0000\\u001f\x7f"}'),
    ],
)
def test_canonical_json_is_that_of_rfc_8785(value: Any, expected: bytes) -> None:
    assert jcs.canonicalize(value) == expected


def test_what_is_no_json_has_no_canonical_form() -> None:
    for value in ({1: 2}, {"x": {1}}, {"x": 2**60 + 0.0, "y": float("inf")}):
        with pytest.raises(CredentialError):
            jcs.canonicalize({"x": value, "n": 2**60})


@given(st.binary(max_size=80))
def test_base58_is_the_librarys(raw: bytes) -> None:
    assert base58btc.encode(raw) == base58.b58encode(raw).decode()
    assert base58btc.decode(base58btc.encode(raw)) == raw


@pytest.mark.parametrize("text", ["0", "abc0", "O1", "aIa", "l", "é", "a b", "1\n", "\uff11"])
def test_what_is_no_base58_is_refused(text: str) -> None:
    with pytest.raises(CredentialError, match="no character"):
        base58btc.decode(text)
