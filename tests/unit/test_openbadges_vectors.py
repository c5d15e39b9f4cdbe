"""The published test vectors of W3C and 1EdTech, every intermediate value."""

import hashlib
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import base58
import pytest

from libs.openbadges.crypto.keys import Ed25519Key
from libs.openbadges.crypto.multibase import decode_multibase, encode_multibase
from libs.openbadges.integrity.suites import Suites
from libs.openbadges.jsonld.canonical import canonicalize
from libs.openbadges.jsonld.rdfc import serialize
from libs.openbadges.verify import ResolvedInputs, verify

SUITES = Suites()
VECTORS = Path(__file__).parents[1] / "vectors"
EDDSA = VECTORS / "vc-di-eddsa"
RDFC = EDDSA / "eddsa-rdfc-2022"
NOW = datetime(2026, 3, 6, tzinfo=UTC)


def read(path: Path) -> Any:
    return json.loads(path.read_text())


@pytest.fixture(scope="module")
def key() -> Ed25519Key:
    pair = read(EDDSA / "keyPair.json")
    made = Ed25519Key.from_seed(base58.b58decode(pair["privateKeyMultibase"][1:])[2:])
    assert made.public_multibase == pair["publicKeyMultibase"]
    return made


def test_the_vectors_are_the_files_that_the_manifest_names() -> None:
    manifest = read(VECTORS / "manifest.json")
    for name, digest in manifest["sha256"].items():
        assert hashlib.sha256((VECTORS / name).read_bytes()).hexdigest() == digest, name


def unescaped(text: str) -> str:
    """What a text of N-Quads stands for (RDF 1.1 N-Quads, section 4)."""
    short = {"t": "\t", "b": "\b", "n": "\n", "r": "\r", "f": "\f"}
    return re.sub(
        r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))",
        lambda found: short.get(found[3], found[3]) if found[3] else chr(int(found[1] or found[2], 16)),
        text,
    )


def statements(text: str) -> dict[str, list[dict[str, Any]]]:
    """The dataset of N-Quads without blank nodes."""
    dataset: dict[str, list[dict[str, Any]]] = {}
    for line in filter(None, text.split("\n")):
        terms: list[dict[str, str]] = []
        for iri, literal, datatype in re.findall(r'<([^>]*)>|"((?:[^"\\]|\\.)*)"(?:\^\^<([^>]*)>)?', line):
            plain = {"datatype": unescaped(datatype) or "http://www.w3.org/2001/XMLSchema#string"}
            iris = {"type": "IRI", "value": unescaped(iri)}
            terms.append(iris if iri else {"type": "literal", "value": unescaped(literal), **plain})
        graph = terms[3]["value"] if len(terms) > 3 else "@default"
        statement = dict(zip(("subject", "predicate", "object"), terms, strict=False))
        dataset.setdefault(graph, []).append(statement)
    return dataset


def test_the_w3c_vector_of_escapes_in_n_quads_is_written_as_it_stands_there() -> None:
    given, expected = ((VECTORS / "rdf-canon" / f"test060-{each}.nq").read_text() for each in ("in", "rdfc10"))
    assert serialize(statements(given)).text == expected


def test_eddsa_rdfc_2022_recreates_every_value_of_the_w3c_vector(key: Ed25519Key) -> None:
    document, options = read(EDDSA / "unsigned.json"), read(RDFC / "proofConfigDataInt.json")
    canonical = canonicalize(document)
    assert canonical == (RDFC / "canonDocDataInt.txt").read_text()
    assert canonicalize(options) == (RDFC / "proofCanonDataInt.txt").read_text()
    assert hashlib.sha256(canonical.encode()).hexdigest() == (RDFC / "docHashDataInt.txt").read_text().strip()
    options.pop("@context")
    message = SUITES["eddsa-rdfc-2022"].signing_input(SUITES.canonical(document), options)
    assert message.hex() == (RDFC / "combinedHashDataInt.txt").read_text().strip()
    signature = key.sign(message)
    assert signature.hex() == (RDFC / "sigHexDataInt.txt").read_text().strip()
    assert encode_multibase(signature) == (RDFC / "sigBTC58DataInt.txt").read_text().strip()
    assert read(RDFC / "signedDataInt.json") == {
        **document,
        "proof": {**options, "proofValue": encode_multibase(signature)},
    }


def test_the_w3c_credential_verifies_and_its_foreign_issuer_is_told_apart() -> None:
    report = verify((RDFC / "signedDataInt.json").read_text(), ResolvedInputs(), NOW)
    assert report.check("proof").outcome == "pass"
    assert report.check("context").outcome == "pass"
    # The vector's issuer is a web address, its key a did:key: nothing ties the two together.
    assert report.check("issuer").code == "issuer_mismatch"
    assert report.verdict == "fail"


def test_the_open_badges_vector_verifies_with_its_issuers_document() -> None:
    folder = VECTORS / "openbadges" / "obv3p0"
    signed = read(folder / "signed.json")
    proof = signed["proof"]
    unsecured = {name: value for name, value in signed.items() if name != "proof"}
    assert canonicalize(unsecured) == (folder / "document-canon.txt").read_text()
    options = {name: value for name, value in proof.items() if name != "proofValue"}
    assert canonicalize({"@context": signed["@context"], **options}) == (folder / "proof-canon.txt").read_text()
    issuer, method = signed["issuer"]["id"], proof["verificationMethod"]
    controller = {
        "id": issuer,
        "verificationMethod": [
            {"id": method, "type": "Multikey", "controller": issuer, "publicKeyMultibase": method.partition("#")[2]}
        ],
        "assertionMethod": [method],
    }
    assert verify(json.dumps(signed), ResolvedInputs({issuer: controller}), NOW).verdict == "pass"
    secret = bytes.fromhex("6241a409e6707bb640a0140a8a32bc3d193c33a661747284d6adfa4ed4180be4")
    message = SUITES["eddsa-rdfc-2022"].signing_input(SUITES.canonical(unsecured), options)
    assert encode_multibase(Ed25519Key.from_seed(secret).sign(message)) == proof["proofValue"]
    assert len(decode_multibase(proof["proofValue"])) == 64


def test_the_learner_record_canonicalizes_as_1edtech_published_it() -> None:
    folder = VECTORS / "openbadges" / "clrv2p0"
    assert canonicalize(read(folder / "document.json")) == (folder / "document-canon.txt").read_text()
