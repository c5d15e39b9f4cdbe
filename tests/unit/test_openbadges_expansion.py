"""The quick expansion gives the library's, key by key and in its order, or leaves the document to the library."""

import copy
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from pyld import jsonld

from libs.openbadges.crypto.did import did_document
from libs.openbadges.jsonld.canonical import _expand, _expander, _process, canonicalize, check_names
from libs.openbadges.jsonld.contexts import CONTEXTS, check_contexts, load_document
from libs.openbadges.jsonld.expansion import Expander
from libs.openbadges.jsonld.parsing import check
from libs.openbadges.jsonld.processing import Processor
from libs.openbadges.model.bundled import BUNDLED
from libs.openbadges.model.context_urls import CLR_V2, CREDENTIALS_V1, CREDENTIALS_V2, DATA_INTEGRITY_V2, OPEN_BADGES_V3
from libs.openbadges.model.errors import CredentialError
from libs.openbadges.model.profile import CONFORMANCE, PRODUCTION
from libs.openbadges.status.bitstring import StatusList, list_document
from tests.unit.openbadges_generated import IRIS, TEXTS, documents, each_once, places
from tests.unit.openbadges_samples import DID, KEY, LIST, METHOD, NOW, badge
from tests.unit.test_openbadges_templates import EXAMPLES, property_of_templates

MUTANTS = 50
"""Mutants for each of EXAMPLES: with those, tens of thousands are compared."""

VECTORS = Path(__file__).parents[1] / "vectors"
PYLD = {"algorithm": "URDNA2015", "format": "application/n-quads", "documentLoader": load_document, "base": None}


def context_parts(node: Any) -> Iterator[dict[str, Any]]:
    """Every object in a context, itself included."""
    for one in node if isinstance(node, list) else [node]:
        if isinstance(one, dict):
            yield one
            for value in one.values():
                yield from context_parts(value)


PARTS = [part for url in sorted(CONTEXTS) for part in context_parts(orjson.loads(BUNDLED[url].text)["@context"])]
WORDS = sorted({word for part in PARTS for word in part if not word.startswith("@")})


def options(cryptosuite: str) -> dict[str, Any]:
    return {
        "@context": [CREDENTIALS_V2, OPEN_BADGES_V3],
        "type": "DataIntegrityProof",
        "cryptosuite": cryptosuite,
        "created": "2026-03-06T09:30:00Z",
        "expires": "2027-03-06T09:30:00Z",
        "verificationMethod": METHOD,
        "proofPurpose": "assertionMethod",
        "domain": ["a.example", "b.example"],
        "challenge": "5d1f",
    }


def samples() -> list[dict[str, Any]]:
    """One document of every kind that the engine canonicalizes, and all that the vectors have."""
    first = {
        "@context": [CREDENTIALS_V1, "https://w3id.org/security/suites/ed25519-2020/v1"],
        "id": "urn:uuid:1",
        "type": ["VerifiableCredential"],
        "issuer": {"id": DID},
        "issuanceDate": "2026-03-06T09:30:00Z",
        "credentialSubject": [{"id": "urn:uuid:2"}, {"id": "urn:uuid:3"}],
        "evidence": ["urn:uuid:4"],
    }
    nested = {**first, "proof": {"type": "Ed25519Signature2020", "proofPurpose": "assertionMethod", "created": "x"}}
    record = {
        "@context": [CREDENTIALS_V2, CLR_V2, OPEN_BADGES_V3],
        "id": "urn:uuid:5",
        "type": ["VerifiableCredential", "ClrCredential"],
        "issuer": DID,
        "name": {"@value": "Zeugnis", "@language": "de-AT"},
        "credentialSubject": {
            "type": ["ClrSubject"],
            "verifiableCredential": [badge(1), badge(2, evidence=[])],
            "achievement": [{"id": "urn:uuid:6", "type": ["Achievement"], "name": "x", "creditsAvailable": 1.5}],
            "association": [{"type": "Association", "sourceId": "urn:a:b", "targetId": "urn:c:d"}],
        },
    }
    presentation = {
        "@context": [CREDENTIALS_V2],
        "type": "VerifiablePresentation",
        "holder": "did:key:z6Mk",
        "verifiableCredential": [{**badge(2), "proof": options("eddsa-rdfc-2022")}, record],
    }
    schema = {
        "@context": [CREDENTIALS_V2],
        "type": ["VerifiableCredential", "JsonSchemaCredential"],
        "credentialSchema": {"id": "urn:uuid:7", "type": "JsonSchema"},
        "credentialSubject": {"type": "JsonSchema", "jsonSchema": {"type": "object", "x": [1, None, {}]}},
    }
    suites = ["eddsa-rdfc-2022", "eddsa-jcs-2022", "ecdsa-rdfc-2019", "ecdsa-jcs-2019"]
    made = [badge(1), first, nested, record, presentation, schema, *map(options, suites)]
    made += [
        list_document(LIST, DID, StatusList(), valid_from=NOW, purpose="revocation"),
        did_document(DID, KEY.public_multibase),
        {**options("x"), "@context": DATA_INTEGRITY_V2, "type": ["DataIntegrityProof"]},
    ]
    read = [orjson.loads(path.read_bytes()) for path in sorted(VECTORS.rglob("*.json"))]
    return [*made, *(one for one in read if isinstance(one, dict) and "@context" in one)]


SAMPLES = samples()
PLAIN = [one for one in SAMPLES if _expander().expand(one)]


def compare(document: dict[str, Any], *, fully: bool = False) -> str:
    """Answer what became of a document, having compared it where the quick expansion answered."""
    try:
        check(document)
        check_contexts(document, PRODUCTION)
        check_names(document)
    except CredentialError:
        return "refused before"
    found = _expander().expand(document)
    if found is None:
        return "left to the library"
    assert orjson.dumps(found) == orjson.dumps(_expand(document, PRODUCTION))
    if fully and b"@direction" not in orjson.dumps(document):
        assert canonicalize(document) == each_once(jsonld.normalize(document, PYLD))
    return "answered"


def values(chance: random.Random, old: Any) -> Any:
    """Another value for an old one: texts and names mostly, else a value of another kind."""
    # fmt: off
    return chance.choice([
        chance.choice(TEXTS), chance.choice(IRIS), chance.choice(WORDS), f"{chance.choice(WORDS)}:x",
        old, [old], [old, None], [[old]], [old, old], [], {}, None, [None], True, 0, 1.0, 1.5, 1e21, -0.0,
        {"id": old}, {"@value": old}, {"type": old}, {"@list": [old]}, {"en": old, "de": "x"}, chance.choice(PARTS),
        {"@value": "x", "@language": chance.choice(["en", "de-AT", "de_AT", "", None, 1])},
        {"@value": "x", "@direction": chance.choice(["ltr", "up"]), "@language": "AR"},
        {"@value": old, "@type": chance.choice([*IRIS, "@json", "@id", "Profile", "id"])},
        {"@context": chance.choice([CREDENTIALS_V2, OPEN_BADGES_V3, [], None]), "type": chance.choice(WORDS)},
    ])
    # fmt: on


def scramble(chance: random.Random, document: dict[str, Any]) -> dict[str, Any]:
    """Change one or two things in a document, mostly with words that it has."""
    near = sorted({str(key) for _, key in places(document)} | set(str(document.get("type", "type")).split("'")[1::2]))
    changed: dict[str, Any] = orjson.loads(orjson.dumps(document))
    for _ in range(chance.randint(1, 2)):
        word = chance.choice(near if chance.random() < 0.8 else WORDS)
        found = places(changed)
        if not found:
            break
        container, key = chance.choice(found)
        how = chance.randrange(8)
        if how <= 1:
            container[key] = values(chance, container[key])
        elif how == 2:
            container[key] = copy.deepcopy(chance.choice(found)[0])
        elif how == 3:
            del container[key]
        elif isinstance(container, list):
            container.insert(0, values(chance, container[key]) if how == 4 else container[key])
        elif how == 4:
            container[word] = container.pop(key)
        elif how == 5:
            container[word] = values(chance, container[key])
        elif how == 6:
            kinds = container.get("type", [])
            container["type"] = [*(kinds if isinstance(kinds, list) else [kinds]), word]
            chance.shuffle(container["type"])
        else:
            container["@context"] = chance.sample(sorted(CONTEXTS), chance.randint(0, 3))
    return changed


def test_every_kind_of_document_is_answered_and_equal() -> None:
    left = [one for one in SAMPLES if compare(one, fully=True) != "answered"]
    # The vectors that use the examples' context, where every word is a term.
    assert all("examples" in str(one["@context"]) for one in left)
    assert len(left) < len(SAMPLES) / 2


@pytest.mark.parametrize("part", range(4))
def test_whatever_is_changed_in_them_is_equal_or_left_to_the_library(part: int) -> None:
    chance = random.Random(part)
    seen: Counter[str] = Counter()
    for number in range(EXAMPLES * MUTANTS // 4):
        seen[compare(scramble(chance, chance.choice(PLAIN)), fully=number % 50 == 0)] += 1
    print(seen)
    assert seen["answered"] > seen.total() / 5


@property_of_templates
@given(documents())
def test_generated_credentials_are_equal_to_the_librarys(document: dict[str, Any]) -> None:
    compare(document, fully=True)


def test_the_carried_contexts_use_nothing_but_what_the_expansion_was_written_for() -> None:
    # Most else would be left to the library; a default language or an alias of @value would not.
    told = {one for part in PARTS for one in part.values() if isinstance(one, str)}
    assert {one for one in told if one.startswith("@")} == {
        "@id",
        "@type",
        "@set",
        "@graph",
        "@list",
        "@vocab",
        "@json",
    }
    words = {word for part in PARTS for word in part if word.startswith("@")}
    assert words == {"@version", "@protected", "@vocab", "@id", "@type", "@container", "@context", "@reverse"}


def v2(**parts: Any) -> dict[str, Any]:
    """A credential with some of its parts replaced."""
    whole = {
        "@context": [CREDENTIALS_V2, OPEN_BADGES_V3],
        "id": "urn:uuid:1",
        "type": ["VerifiableCredential", "OpenBadgeCredential"],
        "issuer": DID,
    }
    return {**whole, **parts}


def subject(**parts: Any) -> dict[str, Any]:
    return v2(credentialSubject={"type": ["AchievementSubject"], **parts})


EMBEDDED = {"@context": [CREDENTIALS_V1], "id": "urn:uuid:9", "type": ["VerifiableCredential"], "issuer": DID}
SCHEMA = {"id": "urn:uuid:8", "type": "JsonSchema"}


@pytest.mark.parametrize(
    "document",
    [
        v2(name="outside any type", description="also"),
        subject(achievement={"id": "urn:a:b", "type": ["Achievement"], "name": "a", "description": "b"}),
        subject(achievement={"type": ["Achievement", "Achievement"], "criteria": {"narrative": ""}}),
        subject(achievement={"id": "urn:a:b"}),
        subject(achievement="urn:a:b"),
        subject(achievement={}),
        subject(achievement=[]),
        subject(achievement=[None, {"type": "Achievement"}]),
        subject(result=[{"type": ["Result"], "value": value} for value in (0, -0.0, 1.5, 1e-7, True, "", "1")]),
        v2(evidence=[{"id": "urn:a:b", "type": ["Evidence"], "name": {"@value": "n", "@language": "DE-at"}}]),
        v2(name=[{"@value": "n", "@language": "ar", "@direction": "rtl"}, "plain", "plain"]),
        v2(credentialSchema={**SCHEMA, "digestSRI": "sha384-x"}, validFrom="no date", validUntil=None),
        v2(relatedResource={"id": "urn:a:b", "digestMultibase": "u"}, confidenceMethod=["urn:a:b"]),
        v2(proof={"type": "DataIntegrityProof", "proofPurpose": "assertionMethod", "cryptosuite": "x", "nonce": "u"}),
        v2(proof={"type": "DataIntegrityProof", "proofPurpose": "urn:a:purpose"}),
        {"@context": CREDENTIALS_V2, "type": "VerifiablePresentation", "verifiableCredential": [v2(), EMBEDDED]},
        v2(type=["OpenBadgeCredential", "VerifiableCredential"]),
        v2(type=["VerifiableCredential", "VerifiableCredential"]),
        v2(type="VerifiableCredential"),
        v2(id="https://a.example:1/%20?q#f"),
        v2(id="id:x"),
        v2(id="cred:prefix-in-other-contexts"),
        subject(achievement={"@context": DATA_INTEGRITY_V2, "type": "Achievement"}),
    ],
)
def test_the_corners_of_plain_documents_are_answered_and_equal(document: dict[str, Any]) -> None:
    assert compare(document, fully=True) == "answered"


@pytest.mark.parametrize(
    "document",
    [
        v2(id=None),
        v2(id=""),
        v2(id="relative"),
        v2(id=["urn:a:b"]),
        v2(id="_:b0"),
        v2(type=None),
        v2(type=[]),
        v2(type=[["VerifiableCredential"]]),
        v2(type=["VerifiableCredential", "Undefined"]),
        v2(type=["VerifiableCredential", "id"]),
        v2(type=["VerifiableCredential", "https://a.example/type"]),
        v2(type=["VerifiableCredential", {"id": "urn:a:b"}]),
        v2(undefined="x"),
        v2(**{"https://a.example/property": "x"}),
        v2(**{"name": "x", "schema:name": "y"}),
        v2(OpenBadgeCredential="two words for", AchievementCredential="one address"),
        v2(name=[["x"]]),
        v2(name="\x00"),
        v2(name={"@value": "\x00", "@language": "en"}),
        v2(name={"@value": None, "@language": "en"}),
        v2(name={"@value": 1, "@language": "en"}),
        v2(name={"@value": "x", "@language": "not a language"}),
        v2(name={"@value": "x", "@type": "https://a.example/type"}),
        v2(name={"@value": {"x": 1}, "@type": "@json"}),
        v2(name={"@value": "x", "@index": "i"}),
        v2(name={"@value": "x", "@language": "en", "id": "urn:a:b"}),
        v2(name={"@value": "x", "@context": CREDENTIALS_V2, "@language": "en"}),
        v2(name={"@list": ["x"]}),
        v2(name={"@set": ["x"]}),
        v2(name={"@language": "en"}),
        v2(**{"@graph": []}),
        v2(**{"@included": []}),
        v2(**{"@reverse": {}}),
        v2(**{"@nest": {}}),
        v2(**{"@type": "VerifiableCredential"}),
        v2(**{"@id": "urn:a:b"}),
        v2(proof="text"),
        v2(proof={"@value": "x", "@language": "en"}),
        v2(proof={"type": "DataIntegrityProof", "proofPurpose": "undefined"}),
        v2(proof={"type": "DataIntegrityProof", "proofPurpose": "id"}),
        {"@context": CREDENTIALS_V2, "type": "VerifiablePresentation", "verifiableCredential": ["urn:a:b"]},
        {"@context": CREDENTIALS_V2, "id": "urn:a:b"},
        {"@context": CREDENTIALS_V2},
        {"@context": [], "id": "urn:a:b", "type": "VerifiableCredential"},
        {"id": "urn:a:b", "type": "VerifiableCredential"},
        {},
        subject(achievement={"@context": [CREDENTIALS_V1], "id": "urn:a:b", "type": "Achievement"}),
        {**EMBEDDED, "id": "cred:made-of-a-prefix"},
        {**EMBEDDED, "issuer": "cred:made-of-a-prefix"},
    ],
)
def test_whatever_is_not_plain_is_left_to_the_library(document: dict[str, Any]) -> None:
    assert _expander().expand(document) is None


def test_a_context_named_again_deep_in_a_document_is_no_hindrance() -> None:
    again = {"@context": [CREDENTIALS_V2, OPEN_BADGES_V3], "type": ["Evidence"], "name": "x"}
    assert compare(v2(evidence=[again, {"@context": OPEN_BADGES_V3, "name": "y"}]), fully=True) == "answered"


def test_documents_with_contexts_of_their_own_never_come_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Expander, "expand", lambda *_: pytest.fail("asked"))
    document = v2(**{"@context": [CREDENTIALS_V2, {"x": "urn:a:c"}], "x": "1"})
    assert "urn:a:c" in canonicalize(document, CONFORMANCE)


def test_contexts_in_ever_other_orders_are_forgotten_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("libs.openbadges.jsonld.expansion.MOST_CONTEXTS_HELD", 20)
    expander = Expander(Processor().initial(), _process)
    for number in range(1, 30):
        again = [CREDENTIALS_V2] * number
        expander.expand({"@context": again, "id": "urn:a:b", "type": "VerifiableCredential", "name": "x"})
        assert len(expander._held) <= 20
    assert (expander.expand(badge(1)) or expander.expand(badge(1))) == _expand(badge(1), PRODUCTION)
