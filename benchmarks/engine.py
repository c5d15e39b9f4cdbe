"""How fast the credential engine signs and verifies, beside PyLD's full path and bare Ed25519 in the same run.

Rates come from the fastest of many short rounds, the contenders taking turns, so that what else runs on the machine
hits all alike and least. One process, one core. `python -m benchmarks.engine [ROUNDS]`
"""

import hashlib
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from nacl.signing import SigningKey
from pyld import jsonld

from libs.openbadges.building import CredentialTemplate, Shown, solo_result_description
from libs.openbadges.contexts import load_document
from libs.openbadges.did import did_document, did_web, verification_method
from libs.openbadges.documents import Achievement, Alignment, Criteria, Evidence, Image, Profile
from libs.openbadges.issuing import prepare, sign
from libs.openbadges.keys import Ed25519Key
from libs.openbadges.multibase import decode_multibase, encode_multibase
from libs.openbadges.shapes.cache import ShapeCache
from libs.openbadges.statuslist import entry
from libs.openbadges.verification import Material, verify

NOW = datetime(2026, 3, 6, 9, 30, tzinfo=UTC)
KEY = Ed25519Key.from_seed(bytes(range(32)))
DID = did_web("https://badges.example", "issuers", "wattle-grove")
METHOD = verification_method(DID, KEY.public_multibase)
ACHIEVEMENT = "https://badges.example/achievements/resilience/1"
MATERIAL = Material({DID: did_document(DID, KEY.public_multibase)})
PYLD = {"algorithm": "URDNA2015", "format": "application/n-quads", "documentLoader": load_document, "base": None}
"""PyLD at its best: contexts from memory, tagged static so that it keeps them processed."""


def badges(count: int, *, status: bool = True) -> list[dict[str, Any]]:
    """Distinct awards of one achievement, about 3 kB each, with results, evidence, an alignment and a status."""
    level_text = "Chooses among ways of coping by what the situation asks, and explains the choice."
    template = CredentialTemplate(
        Profile(id=DID, name="Wattle Grove High School", url="https://wattlegrove.example"),
        Achievement(
            id=ACHIEVEMENT,
            name="Resilience",
            description="Keeps going when it gets hard, and learns from it.",
            criteria=Criteria(narrative="Shown in Values Week, on at least one activity."),
            alignment=[Alignment(target_name="Personal capability", target_url="https://curriculum.example/psc")],
            image=Image(id=f"{ACHIEVEMENT}/image.svg"),
            result_description=[
                solo_result_description(
                    ACHIEVEMENT, required_level="multistructural", descriptions={"relational": level_text}
                )
            ],
        ),
    )
    return [
        template.document(
            credential_id=f"urn:uuid:{uuid.UUID(int=number + 2**80)}",
            subject_id=f"urn:uuid:{uuid.UUID(int=number + 2**90)}",
            valid_from=NOW,
            awarded=NOW,
            shown=[Shown(level=("multistructural", "relational", "extended_abstract")[number % 3])],
            evidence=[
                Evidence(name=f"Raft building {number}", narrative=f'Rebuilt it {number} times; said "again".'),
                Evidence(id=f"https://evidence.example/{number}", name="Reflection"),
            ],
            status=entry("https://badges.example/status/1", number) if status else None,
        )
        for number in range(count)
    ]


def pyld_input(document: dict[str, Any], options: dict[str, Any]) -> bytes:
    """The bytes to sign, through PyLD from scratch."""
    configuration = {"@context": document["@context"], **options}
    return b"".join(hashlib.sha256(jsonld.normalize(one, PYLD).encode()).digest() for one in (configuration, document))


def pyld_sign(document: dict[str, Any]) -> bytes:
    """Sign as a stack without shapes would, unchecked."""
    options = {
        "type": "DataIntegrityProof",
        "created": "2026-03-06T09:30:00Z",
        "verificationMethod": METHOD,
        "cryptosuite": "eddsa-rdfc-2022",
        "proofPurpose": "assertionMethod",
    }
    value = encode_multibase(KEY.sign(pyld_input(document, options)))
    return orjson.dumps({**document, "proof": {**options, "proofValue": value}})


def pyld_verify(text: str) -> None:
    """Verify the proof alone as a stack without shapes would."""
    document = orjson.loads(text)
    proof = document.pop("proof")
    value = decode_multibase(proof.pop("proofValue"))
    SigningKey(KEY.seed).verify_key.verify(pyld_input(document, proof), value)


def contenders() -> dict[str, tuple[Callable[[Any], object], Sequence[Any], int]]:
    """What is measured: a call, what it is called with in turn, and how many calls make a round."""
    documents = badges(400)
    texts = [sign(prepare(document), KEY, METHOD, NOW) for document in badges(400, status=False)]
    bare = SigningKey(KEY.seed)
    message = bytes(64)
    signature = bare.sign(message).signature
    known = ShapeCache()
    for document in documents[:2]:
        known.digest(document)
    print(f"a credential has {len(sign(prepare(documents[0]), KEY, METHOD, NOW))} bytes")
    assert all(verify(text, MATERIAL, NOW).verdict == "pass" for text in texts[:3])  # noqa: S101  or all is void
    return {
        "sign, bare Ed25519 (pynacl)": (lambda _: bare.sign(message), documents, 20),
        "sign, prepare and sign, known shape": (lambda one: sign(prepare(one), KEY, METHOD, NOW), documents, 10),
        "sign, canonical digest alone, known shape": (known.digest, documents, 10),
        "sign, PyLD from scratch": (pyld_sign, documents, 1),
        "verify, bare Ed25519 (pynacl)": (lambda _: bare.verify_key.verify(message, signature), documents, 20),
        "verify, every check, from text, known shape": (lambda one: verify(one, MATERIAL, NOW), texts, 10),
        "verify, PyLD from scratch, proof alone": (pyld_verify, texts, 1),
    }


def measure(rounds: int) -> dict[str, float]:
    """Calls a second by contender."""
    rivals = contenders()
    best = dict.fromkeys(rivals, float("inf"))
    for number in range(rounds):
        for name, (call, arguments, size) in rivals.items():
            chosen = [arguments[(number * size + step) % len(arguments)] for step in range(size)]
            started = time.perf_counter()
            for argument in chosen:
                call(argument)
            best[name] = min(best[name], (time.perf_counter() - started) / size)
    return {name: 1 / seconds for name, seconds in best.items()}


def new_shape() -> float:
    """How many times as long as PyLD's canonicalization a document takes whose shape must be derived."""
    document = badges(1)[0]
    derived = plain = float("inf")
    for _ in range(8):
        cache = ShapeCache()
        cache.digest(document)
        started = time.perf_counter()
        cache.digest(document)
        derived = min(derived, time.perf_counter() - started)
        started = time.perf_counter()
        jsonld.normalize(document, PYLD)
        plain = min(plain, time.perf_counter() - started)
    return derived / plain


def main() -> None:
    """Print rates and ratios."""
    rates = measure(int(sys.argv[1]) if len(sys.argv) > 1 else 150)
    for name, rate in rates.items():
        kind = name.partition(",")[0]
        bare, pyld = (
            rates[f"{kind}, bare Ed25519 (pynacl)"],
            next(value for other, value in rates.items() if other.startswith(f"{kind}, PyLD")),
        )
        print(f"{name:46} {rate:10,.0f}/s   {rate / bare:6.3f} of bare Ed25519   {rate / pyld:7.1f} x PyLD")
    print(f"a document of a new shape takes {new_shape():.2f} times PyLD's canonicalization")


if __name__ == "__main__":
    main()
