"""How fast the credential engine signs and verifies, beside PyLD's full path and bare Ed25519 in the same run.

Rates are of CPU time, from the fastest of many short rounds, the contenders taking turns, so that what else runs on
the machine hits all alike and least. One process, one core. `python -m benchmarks.engine [ROUNDS]`

The targets are for what PyLD and bare Ed25519 are measured at: the proof alone, from a document or its JSON text,
with our refusal of undefined terms; in batches, as the engine signs and verifies several, and one at a time. What a
service does, all checks of a credential included, stands below.
"""

import hashlib
import sys
import time
import tracemalloc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import orjson
from nacl.signing import SigningKey
from pyld import jsonld

from benchmarks.badges import DID, KEY, METHOD, NOW, badges
from libs.openbadges.crypto.did import did_document
from libs.openbadges.crypto.keys import read_public
from libs.openbadges.crypto.multibase import decode_multibase, encode_multibase
from libs.openbadges.integrity.create import secure
from libs.openbadges.integrity.recognition import RECOGNIZER
from libs.openbadges.integrity.suites import SIGN_SUITES, VERIFY_SUITES
from libs.openbadges.issue.signing import prepare, sign
from libs.openbadges.jsonld.canonical import to_dataset
from libs.openbadges.jsonld.contexts import load_document
from libs.openbadges.jsonld.parsing import parse
from libs.openbadges.jsonld.templates.cache import TemplateCache
from libs.openbadges.jsonld.templates.canonical_document import CanonicalDocument
from libs.openbadges.model import times
from libs.openbadges.verify import ResolvedInputs, verify

PUBLIC = SigningKey(KEY.seed).verify_key
PUBLIC_KEY = read_public(KEY.public_multibase)
MATERIAL = ResolvedInputs({DID: did_document(DID, KEY.public_multibase)})
PYLD = {"algorithm": "URDNA2015", "format": "application/n-quads", "documentLoader": load_document, "base": None}
"""PyLD at its best: contexts from memory, tagged static so that it keeps them processed."""


SigningInput = Callable[[dict[str, Any], dict[str, Any]], bytes]
"""From a document and the options of its proof to the bytes to sign."""


def pyld_input(document: dict[str, Any], options: dict[str, Any]) -> bytes:
    """The bytes to sign, through PyLD from scratch."""
    configuration = {"@context": document["@context"], **options}
    return b"".join(hashlib.sha256(jsonld.normalize(one, PYLD).encode()).digest() for one in (configuration, document))


def general_input(document: dict[str, Any], options: dict[str, Any]) -> bytes:
    """The bytes to sign, as the engine makes them for a document whose template it has never met."""
    known = CanonicalDocument(orjson.dumps(document), document["@context"], dataset=to_dataset(document))
    return VERIFY_SUITES["eddsa-rdfc-2022"].signing_input(known, options)


def signed_with(document: dict[str, Any], signing_input: SigningInput) -> bytes:
    """Sign what a canonicalization answers, with no check of the credential."""
    options = {
        "type": "DataIntegrityProof",
        "created": times.write(NOW),
        "verificationMethod": METHOD,
        "cryptosuite": RDFC,
        "proofPurpose": "assertionMethod",
    }
    value = encode_multibase(KEY.sign(signing_input(document, options)))
    return orjson.dumps({**document, "proof": {**options, "proofValue": value}})


def verified_with(text: bytes, signing_input: SigningInput) -> None:
    """Verify the proof alone."""
    document = parse(text)
    proof = document.pop("proof")
    value = decode_multibase(proof.pop("proofValue"))
    PUBLIC.verify(signing_input(document, proof), value)


def signed(cryptosuite: str, documents: Sequence[dict[str, Any]]) -> list[str]:
    """Sign as the engine does, likewise."""
    known = [SIGN_SUITES.canonical(document) for document in documents]
    return secure(known, SIGN_SUITES[cryptosuite], KEY, METHOD, NOW)


def verified(cryptosuite: str, texts: Sequence[bytes]) -> None:
    """Verify the proofs alone as the engine does: each step for all, as `integrity.check.check_all_proofs` goes."""
    suite = VERIFY_SUITES[cryptosuite]
    parts = [taken(text) for text in texts]
    claims = [(suite.signing_input(unsecured, options), decode_multibase(value)) for unsecured, options, value in parts]
    if not all(suite.verify(PUBLIC_KEY, message, value) for message, value in claims):
        raise SystemExit("what was signed does not verify; no figure would mean anything")


def taken(text: bytes) -> tuple[CanonicalDocument, dict[str, Any], str]:
    """Take a text apart as the engine does: the document without its proof, the proof's options, and its value."""
    found = RECOGNIZER.recognize(text)
    if found is not None:
        return found
    document = parse(text)
    options = document.pop("proof")
    value = options.pop("proofValue")
    return VERIFY_SUITES.canonical(document), options, value


@dataclass(frozen=True)
class Work:
    """One thing that is measured.

    Attributes:
        name: what is done.
        call: does it to one argument.
        arguments: taken in turn.
        against: name of the work to which the rate is compared, with the ratio aimed at, if any; none for a yardstick.
        each: credentials in a call.
    """

    name: str
    call: Callable[[Any], object]
    arguments: Sequence[Any]
    against: tuple[tuple[str, float | None], ...] = ()
    each: int = 1


SIGNED, VERIFIED = "Ed25519 signing, pynacl", "Ed25519 verification, pynacl"
PYLD_SIGNED, PYLD_VERIFIED = "sign, PyLD's full path", "verify, PyLD's full path"
RDFC, JCS = "eddsa-rdfc-2022", "eddsa-jcs-2022"
BATCH = 32
ROUND_SECONDS = 0.01
"""How long a work is at it before the next has its turn: long enough to be at its pace, short enough to fall between
two disturbances."""


def yardsticks(documents: Sequence[dict[str, Any]], texts: Sequence[bytes]) -> list[Work]:
    """What others are compared with."""
    bare = SigningKey(KEY.seed)
    message = bytes(64)
    signature = bare.sign(message).signature
    return [
        Work(SIGNED, lambda _: bare.sign(message), documents),
        Work(VERIFIED, lambda _: bare.verify_key.verify(message, signature), documents),
        Work(PYLD_SIGNED, lambda one: signed_with(one, pyld_input), documents),
        Work(PYLD_VERIFIED, lambda one: verified_with(one, pyld_input), texts),
    ]


def proofs(documents: Sequence[dict[str, Any]], by_rdf: Sequence[bytes], by_json: Sequence[bytes]) -> list[Work]:
    """The proof alone: what the targets are for."""
    works = []
    for suite, texts, signing, verifying in (
        (RDFC, by_rdf, ((PYLD_SIGNED, 80), (SIGNED, 0.20)), ((PYLD_VERIFIED, 60), (VERIFIED, 0.40))),
        (JCS, by_json, ((SIGNED, 0.30),), ((VERIFIED, 0.55),)),
    ):
        for each, name in ((BATCH, f" in batches of {BATCH}"), (1, "")):
            works += [
                Work(f"sign {suite}{name}", partial(signed, suite), batched(documents, each), signing, each),
                Work(f"verify {suite}{name}", partial(verified, suite), batched(texts, each), verifying, each),
            ]
    return [
        *works,
        Work("sign, general path", lambda one: signed_with(one, general_input), documents, ((PYLD_SIGNED, 5),)),
        Work("verify, general path", lambda one: verified_with(one, general_input), by_rdf, ((PYLD_VERIFIED, 5),)),
    ]


def batched(items: Sequence[Any], size: int) -> list[Sequence[Any]]:
    """Cut into batches."""
    return [items[start : start + size] for start in range(0, len(items) - size + 1, size)]


def prepared_and_signed(cryptosuite: str, document: dict[str, Any]) -> str:
    """Sign as the issuer does: checked against schema and data model before."""
    return sign(prepare(document), KEY, METHOD, NOW, cryptosuite=cryptosuite)


def services() -> list[Work]:
    """With every check that a service makes; the status, whose list would be verified anew each time, left out."""
    documents = badges(400, status=False)
    works = []
    for suite in (RDFC, JCS):
        texts = [prepared_and_signed(suite, one).encode() for one in documents]
        if any(verify(text, MATERIAL, NOW).verdict != "pass" for text in texts):
            raise SystemExit("what was signed does not verify; no figure would mean anything")
        works += [
            Work(
                f"prepare with every check, and sign {suite}",
                partial(prepared_and_signed, suite),
                documents,
                ((SIGNED, None),),
            ),
            Work(
                f"verify {suite} with every check",
                lambda one: verify(one, MATERIAL, NOW),
                texts,
                ((VERIFIED, None),),
            ),
        ]
    return works


def works() -> list[Work]:
    """What is measured: yardsticks first."""
    documents = badges(400)
    by_rdf = [prepared_and_signed(RDFC, one).encode() for one in documents]
    by_json = [prepared_and_signed(JCS, one).encode() for one in documents]
    print(f"a credential has {len(by_rdf[0])} bytes")
    return [
        *yardsticks(documents, by_rdf),
        *proofs(documents, by_rdf, by_json),
        *services(),
    ]


def measure(works: Sequence[Work], rounds: int) -> dict[str, float]:
    """Credentials a second by work, each work for about so many milliseconds at a time."""
    best = {work.name: float("inf") for work in works}
    calls = {work.name: max(1, round(ROUND_SECONDS / took(work))) for work in works}
    for number in range(rounds):
        for work in works:
            size = calls[work.name]
            chosen = [work.arguments[(number * size + step) % len(work.arguments)] for step in range(size)]
            started = time.thread_time_ns()
            for argument in chosen:
                work.call(argument)
            best[work.name] = min(best[work.name], (time.thread_time_ns() - started) / size / work.each / 1e9)
    return {name: 1 / seconds for name, seconds in best.items()}


def took(work: Work) -> float:
    """Seconds that a call takes, after enough calls for the engine to know its documents."""
    for argument in work.arguments[:50]:
        work.call(argument)
    started = time.thread_time_ns()
    work.call(work.arguments[0])
    return (time.thread_time_ns() - started) / 1e9


def new_template() -> float:
    """How many times as long as PyLD's canonicalization a document takes whose template must be derived."""
    document = badges(1)[0]
    derived = plain = float("inf")
    for _ in range(20):
        cache = TemplateCache()
        cache.digest(document)
        started = time.thread_time_ns()
        cache.digest(document)
        derived = min(derived, time.thread_time_ns() - started)
        started = time.thread_time_ns()
        jsonld.normalize(document, PYLD)
        plain = min(plain, time.thread_time_ns() - started)
    return derived / plain


def hostile_memory(templates: int) -> float:
    """Megabytes that so many templates offered by one sender leave behind, by Python's own count."""
    tracemalloc.start()
    cache = TemplateCache()
    for number in range(templates):
        # The names of terms nobody else uses: each is a template of its own.
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
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    measured = works()
    rates = measure(measured, rounds)
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
                    "met": None if target is None else ratio >= target,
                }
            )
            aim = "" if target is None else f", aim {target:g}{'' if ratio >= target else ': not met'}"
            print(f"    {ratio:8.2f} of {against}{aim}")
    ratio = new_template()
    rows.append(
        {"work": "a new template", "rate": None, "against": "PyLD", "ratio": ratio, "target": 3, "met": ratio <= 3}
    )
    print(f"a document of a new template takes {ratio:.2f} times PyLD's canonicalization, aim at most 3")
    templates = min(10_000, 100 * rounds)
    megabytes = hostile_memory(templates)
    rows.append(
        {
            "work": f"memory of {templates:,} hostile templates, MB",
            "rate": megabytes,
            "against": "limit",
            "ratio": megabytes / 32,
            "target": 1,
            "met": megabytes <= 32,
        }
    )
    print(f"{templates:,} templates offered by a hostile sender leave {megabytes:.1f} MB behind, aim at most 32")
    file = Path("var/bench/engine.json")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(orjson.dumps(rows, option=orjson.OPT_INDENT_2))


if __name__ == "__main__":
    main()
