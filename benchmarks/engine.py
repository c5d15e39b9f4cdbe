"""How fast the credential engine signs and verifies, beside PyLD's full path and bare Ed25519 in the same run.

Rates come from the fastest of many short rounds, the contenders taking turns, so that what else runs on the machine
hits all alike and least. One process, one core. `python -m benchmarks.engine [ROUNDS]`
"""

import hashlib
import sys
import time
import tracemalloc
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from nacl.signing import SigningKey
from pyld import jsonld

from libs.openbadges.building import CredentialTemplate, Shown, solo_result_description
from libs.openbadges.canonical import canonicalize
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
PUBLIC = SigningKey(bytes(range(32))).verify_key
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


def signed_with(document: dict[str, Any], signing_input: Callable[[dict[str, Any], dict[str, Any]], bytes]) -> bytes:
    """Sign, unchecked, what a canonicalization answers."""
    options = {
        "type": "DataIntegrityProof",
        "created": "2026-03-06T09:30:00Z",
        "verificationMethod": METHOD,
        "cryptosuite": "eddsa-rdfc-2022",
        "proofPurpose": "assertionMethod",
    }
    value = encode_multibase(KEY.sign(signing_input(document, options)))
    return orjson.dumps({**document, "proof": {**options, "proofValue": value}})


def verified_with(text: str, signing_input: Callable[[dict[str, Any], dict[str, Any]], bytes]) -> None:
    """Verify the proof alone."""
    document = orjson.loads(text)
    proof = document.pop("proof")
    value = decode_multibase(proof.pop("proofValue"))
    PUBLIC.verify(signing_input(document, proof), value)


def pyld_sign(document: dict[str, Any]) -> bytes:
    """Sign as a stack without shapes would, unchecked."""
    return signed_with(document, pyld_input)


def pyld_verify(text: str) -> None:
    """Verify the proof alone as a stack without shapes would."""
    verified_with(text, pyld_input)


@dataclass(frozen=True)
class Work:
    """One thing that is measured.

    Attributes:
        name: what is done.
        call: does it to one argument.
        arguments: taken in turn.
        size: calls in a round.
        against: name of the work to which the rate is compared, with the ratio aimed at; none for a yardstick.
    """

    name: str
    call: Callable[[Any], object]
    arguments: Sequence[Any]
    size: int
    against: tuple[tuple[str, float], ...] = ()


def works() -> list[Work]:
    """What is measured: yardsticks first."""
    documents = badges(400)
    texts = [sign(prepare(document), KEY, METHOD, NOW) for document in badges(400, status=False)]
    by_json = [
        sign(prepare(document), KEY, METHOD, NOW, cryptosuite="eddsa-jcs-2022")
        for document in badges(400, status=False)
    ]
    bare = SigningKey(KEY.seed)
    message = bytes(64)
    signature = bare.sign(message).signature
    print(f"a credential has {len(sign(prepare(documents[0]), KEY, METHOD, NOW))} bytes")
    for text in texts[:3] + by_json[:3]:
        if verify(text, MATERIAL, NOW).verdict != "pass":
            raise SystemExit("what was signed does not verify; no figure would mean anything")
    signed, verified = "Ed25519 signing, pynacl", "Ed25519 verification, pynacl"
    pyld_signed, pyld_verified = "sign, PyLD's full path", "verify, PyLD's full path"
    return [
        Work(signed, lambda _: bare.sign(message), documents, 20),
        Work(verified, lambda _: bare.verify_key.verify(message, signature), documents, 20),
        Work(pyld_signed, pyld_sign, documents, 1),
        Work(pyld_verified, pyld_verify, texts, 1),
        Work(
            "prepare and sign eddsa-rdfc-2022, known shape",
            lambda one: sign(prepare(one), KEY, METHOD, NOW),
            documents,
            10,
            ((pyld_signed, 80), (signed, 0.20)),
        ),
        Work(
            "verify eddsa-rdfc-2022 from text, every check, known shape",
            lambda one: verify(one, MATERIAL, NOW),
            texts,
            10,
            ((pyld_verified, 60), (verified, 0.40)),
        ),
        Work(
            "prepare and sign eddsa-jcs-2022",
            lambda one: sign(prepare(one), KEY, METHOD, NOW, cryptosuite="eddsa-jcs-2022"),
            documents,
            10,
            ((signed, 0.30),),
        ),
        Work(
            "verify eddsa-jcs-2022 from text, every check",
            lambda one: verify(one, MATERIAL, NOW),
            by_json,
            10,
            ((verified, 0.55),),
        ),
        Work("sign, general path", general_sign, documents, 2, ((pyld_signed, 5),)),
        Work("verify, general path", general_verify, texts, 2, ((pyld_verified, 5),)),
    ]


def general_input(document: dict[str, Any], options: dict[str, Any]) -> bytes:
    """The bytes to sign, through the engine's general path, as for a shape that is met once."""
    configuration = {"@context": document["@context"], **options}
    return b"".join(hashlib.sha256(canonicalize(one).encode()).digest() for one in (configuration, document))


def general_sign(document: dict[str, Any]) -> bytes:
    """Sign without shapes, unchecked, as PyLD is made to."""
    return signed_with(document, general_input)


def general_verify(text: str) -> None:
    """Verify the proof alone without shapes, as PyLD is made to."""
    verified_with(text, general_input)


def measure(works: Sequence[Work], rounds: int) -> dict[str, float]:
    """Calls a second by work."""
    best = {work.name: float("inf") for work in works}
    for number in range(rounds):
        for work in works:
            chosen = [work.arguments[(number * work.size + step) % len(work.arguments)] for step in range(work.size)]
            started = time.perf_counter()
            for argument in chosen:
                work.call(argument)
            best[work.name] = min(best[work.name], (time.perf_counter() - started) / work.size)
    return {name: 1 / seconds for name, seconds in best.items()}


def new_shape() -> float:
    """How many times as long as PyLD's canonicalization a document takes whose shape must be derived."""
    document = badges(1)[0]
    derived = plain = float("inf")
    for _ in range(20):
        cache = ShapeCache()
        cache.digest(document)
        started = time.perf_counter()
        cache.digest(document)
        derived = min(derived, time.perf_counter() - started)
        started = time.perf_counter()
        jsonld.normalize(document, PYLD)
        plain = min(plain, time.perf_counter() - started)
    return derived / plain


def hostile_memory() -> float:
    """Megabytes that 10,000 shapes offered by one sender leave behind, by Python's own count."""
    tracemalloc.start()
    cache = ShapeCache()
    for number in range(10_000):
        # The names of terms nobody else uses: each is a shape of its own.
        document = {
            "@context": ["https://www.w3.org/ns/credentials/v2"],
            "id": "urn:uuid:1",
            "type": ["VerifiableCredential"],
            f"https://hostile.example/{number}": "x" * 200,
        }
        cache.digest(document)
        cache.digest({**document, "id": "urn:uuid:2"})
    return tracemalloc.get_traced_memory()[0] / 1e6


def main() -> None:
    """Print what was measured, and write it to var/bench/engine.json."""
    measured = works()
    rates = measure(measured, int(sys.argv[1]) if len(sys.argv) > 1 else 300)
    rows: list[dict[str, Any]] = []
    for work in measured:
        print(f"{work.name:60} {rates[work.name]:10,.0f}/s")
        for against, target in work.against:
            ratio = rates[work.name] / rates[against]
            rows.append(
                {
                    "work": work.name,
                    "rate": rates[work.name],
                    "against": against,
                    "ratio": ratio,
                    "target": target,
                    "met": ratio >= target,
                }
            )
            print(f"    {ratio:8.2f} of {against}, aim {target:g}{'' if ratio >= target else ': not met'}")
    ratio = new_shape()
    rows.append(
        {"work": "a new shape", "rate": None, "against": "PyLD", "ratio": ratio, "target": 3, "met": ratio <= 3}
    )
    print(f"a document of a new shape takes {ratio:.2f} times PyLD's canonicalization, aim at most 3")
    megabytes = hostile_memory()
    rows.append(
        {
            "work": "memory of 10,000 hostile shapes, MB",
            "rate": megabytes,
            "against": "limit",
            "ratio": megabytes / 32,
            "target": 1,
            "met": megabytes <= 32,
        }
    )
    print(f"10,000 shapes offered by a hostile sender leave {megabytes:.1f} MB behind")
    file = Path("var/bench/engine.json")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(orjson.dumps(rows, option=orjson.OPT_INDENT_2))


if __name__ == "__main__":
    main()
