"""The compiled path gives the library's bytes or steps aside: generated, mutated and hand-made documents."""

import copy
import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Any

import orjson
import pytest
import rfc8785
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pyld import jsonld

from libs.openbadges.jsonld.canonical import canonicalize
from libs.openbadges.jsonld.contexts import load_document
from libs.openbadges.jsonld.templates.cache import TemplateCache
from libs.openbadges.jsonld.templates.derivation import Derivation, derive
from libs.openbadges.jsonld.templates.lines import UnderivableError
from libs.openbadges.jsonld.templates.matchers import TextMatcher, TokenMatcher
from libs.openbadges.jsonld.templates.placeholders import CONSTANT_KEYS
from libs.openbadges.jsonld.templates.tokens import restore, tokenize
from libs.openbadges.model.context_urls import CREDENTIALS_V2, EXAMPLES_V2, OPEN_BADGES_V3
from libs.openbadges.model.errors import CredentialError
from tests.unit.openbadges_generated import GOOD_IRIS, documents, each_once, mutate, places, plain, texts
from tests.unit.openbadges_samples import DID, badge, in_threads

EXAMPLES = int(os.environ.get("TEST_EXAMPLES", "400"))
"""Documents per property; more are for a longer look."""

MUTANTS = 50
"""Mutants of each document: with those, tens of thousands are compared."""

property_of_templates = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    # Without shrinking: a document that breaks a property is printed as it is, and the run ends in time.
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)


def general(document: dict[str, Any]) -> bytes | str:
    try:
        return hashlib.sha256(canonicalize(document).encode()).digest()
    except CredentialError as error:
        return error.code


@dataclass
class Sampled:
    """A template with both matchers, as derived from a sample."""

    derived: Derivation
    by_pieces: TokenMatcher
    by_text: TextMatcher
    skeleton: bytes

    def answer(self, document: dict[str, Any]) -> bytes | None:
        """What the cache would get from this template: the two matchers agree, and so do the digests of the JSON."""
        text = orjson.dumps(document)
        pieces = tokenize(text)
        same = pieces is not None and pieces.skeleton == self.skeleton
        values = self.by_pieces.values(pieces) if same else None  # type: ignore[arg-type]  # it is tokenize if it is the same
        assert self.by_text.values(text) == values
        if values is None:
            return None
        assert self.derived.template.json_hash(values) == hashlib.sha256(rfc8785.dumps(document)).digest()
        return self.derived.template.rdf_hash(values)


def template_of(document: dict[str, Any], digest: bytes, only: frozenset[int] | None = None) -> Sampled | None:
    pieces = tokenize(orjson.dumps(document))
    if pieces is None:
        return None
    try:
        derived = derive(document, pieces, digest, only)
    except UnderivableError:
        return None
    matchers = TokenMatcher.of(pieces, derived.forms), TextMatcher.of(pieces, derived.forms)
    return Sampled(derived, *matchers, pieces.skeleton)


def narrowed(draw: Callable[..., Any], template: Sampled, document: dict[str, Any], digest: bytes) -> Sampled:
    """The same with only some of its places left open, as specialised templates are."""
    indexes = [form.index for form in template.derived.forms]
    some = draw(st.frozensets(st.sampled_from(indexes))) if indexes else frozenset()
    narrow = template_of(document, digest, some)
    assert narrow is not None
    assert {form.index for form in narrow.derived.forms} == some
    return narrow


def test_whenever_a_template_answers_it_answers_what_the_general_algorithm_answers() -> None:
    met = Counter[str]()

    @property_of_templates
    @given(documents(), st.data())
    def compare(document: dict[str, Any], data: st.DataObject) -> None:
        digest = general(document)
        template = None if isinstance(digest, str) else template_of(document, digest)
        met["derived" if template else "refused" if isinstance(digest, str) else "underivable"] += 1
        if template is None or isinstance(digest, str):
            return
        narrow = narrowed(data.draw, template, document, digest)
        assert {template.answer(document), narrow.answer(document)} == {digest}
        for _ in range(MUTANTS):
            changed = mutate(data.draw, document)
            found = {template.answer(changed), narrow.answer(changed)} - {None}
            met["mutant answered" if found else "mutant left"] += 1
            if found:
                assert found == {general(changed)}

    compare()
    # It would hold as well if nothing were ever answered.
    assert met["derived"] > met["underivable"], met
    assert met["mutant answered"] > 0 < met["mutant left"], met


@property_of_templates
@given(documents(), st.data())
def test_documents_of_one_template_with_other_values_are_answered_by_it(
    document: dict[str, Any], data: st.DataObject
) -> None:
    digest = general(document)
    template = None if isinstance(digest, str) else template_of(document, digest)
    if template is None:
        return
    for _ in range(8):
        compare_with_other_values(data.draw, template, document)


def compare_with_other_values(draw: Callable[..., Any], template: Sampled, document: dict[str, Any]) -> None:
    changed, numbers = copy.deepcopy(document), count()
    for container, key in places(changed):
        if (
            key not in {"@context", "type", "@language", "@direction"}
            and key not in CONSTANT_KEYS
            and isinstance(container[key], str)
            and isinstance(container, dict)
        ):
            old = container[key]
            if old.startswith(("https://", "urn:uuid:")):
                prefix = "https://" if old.startswith("https://") else "urn:uuid:"
                container[key] = f"{prefix}{draw(st.uuids())}"
            elif not old.startswith(tuple(f"{iri.partition(':')[0]}:" for iri in GOOD_IRIS)):
                # No two alike: blank nodes that came to look alike are for the general algorithm to sort out.
                container[key] = f"{draw(plain)}{next(numbers)}"
    assert template.answer(changed) == general(changed)


@property_of_templates
@given(documents())
def test_the_general_path_gives_pylds_own_bytes(document: dict[str, Any]) -> None:
    if "@direction" in json.dumps(document):
        return
    options = {"algorithm": "URDNA2015", "format": "application/n-quads", "documentLoader": load_document, "base": None}
    try:
        ours = canonicalize(copy.deepcopy(document))
    except CredentialError:
        return
    assert ours == each_once(jsonld.normalize(document, options))


@property_of_templates
@given(texts, texts, texts)
def test_cutting_a_text_loses_nothing(one: str, two: str, three: str) -> None:
    document = {one: two, "x": [three, {"y": one + two}], "n": 1.5, "z": two + three}
    text = orjson.dumps(document)
    pieces = tokenize(text)
    if pieces is None:
        assert any(character in json.dumps(document) for character in ("\\u00", "\\b", "\\f", "\x7f"))
        return

    strings = restore(pieces.strings) if pieces.escaped else tuple(pieces.strings)
    outside = pieces.skeleton.split(b'"')
    whole = outside[0] + b"".join(
        b'"' + string + b'"' + rest for string, rest in zip(strings, outside[1:], strict=True)
    )
    assert whole == text


SAMPLE = badge(1)
SAMPLE_TEMPLATE = template_of(SAMPLE, bytes(general(SAMPLE)))  # type: ignore[arg-type]  # the sample is good


def put(path: str, value: Any) -> dict[str, Any]:
    """The sample with another value at a path like evidence/0/name."""
    document = copy.deepcopy(SAMPLE)
    node: Any = document
    *way, last = path.split("/")
    for step in way:
        node = node[int(step) if isinstance(node, list) else step]
    node[int(last) if isinstance(node, list) else last] = value
    return document


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("evidence/0/name", "Another name"),
        ("evidence/0/name", 'with "quotes", \\ and\nlines'),
        ("evidence/0/name", "回復 🙂 \u2028 \u00a0 %b %% %s"),
        ("evidence/0/name", "https://looks.like/an-iri"),
        ("evidence/0/name", "@type"),
        ("evidence/0/name", "_:b0"),
        ("id", "urn:uuid:anything-else"),
        ("credentialSubject/achievement/tag/0", "another"),
        ("credentialSubject/achievement/tag/0", "wellbeing"),
        ("credentialSubject/achievement/image/id", RAFT := "https://badges.example/raft.svg"),
        ("evidence/0/id", RAFT),
        ("credentialSubject/id", "urn:uuid:7d2f8c51-0000-4c39-8f0e-000000000002"),
        ("issuer/id", "did:key:z6MkrJVnaZkeFzdQyMZu1cgjg7k1pZZ6pvBQ7XJPt4swbTQ2"),
        ("validFrom", "not a date at all"),
    ],
)
def test_a_mere_value_is_substituted_and_gives_the_librarys_bytes(path: str, value: str) -> None:
    document = put(path, value)
    assert SAMPLE_TEMPLATE is not None
    found = SAMPLE_TEMPLATE.answer(document)
    expected = general(document)
    if path == "issuer/id":
        # did:web and did:key have one scheme: the value may change from one to the other.
        assert expected == found
    assert found == expected


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("evidence/0/name", ""),
        ("evidence/0/name", "\x00"),
        ("evidence/0/name", "\x08"),
        ("evidence/0/name", "\x7f"),
        ("evidence/0/name", None),
        ("evidence/0/name", 5),
        ("evidence/0/name", True),
        ("evidence/0/name", ["Raft building"]),
        ("evidence/0/name", {"@value": "Raft building"}),
        ("evidence/0/name", {"@value": "Raft building", "@language": "en"}),
        ("evidence/0/name", {"id": "urn:x:y"}),
        ("evidence/0/type/0", "Image"),
        ("evidence/0/type/0", "evidence"),
        ("evidence/0/type", "Evidence"),
        ("type/1", "AchievementCredential"),
        ("@context/1", "https://purl.imsglobal.org/spec/ob/v3p0/extensions.json"),
        ("@context", CREDENTIALS_V2),
        ("id", "http://scheme.changed/1"),
        ("id", "URN:uuid:case-of-scheme"),
        ("id", "relative"),
        ("id", "_:blank"),
        ("id", "@id"),
        ("id", "urn:"),
        ("id", "urn://authority"),
        ("id", "urn:uuid:a b"),
        ("id", "urn:uuid:a\n"),
        ("id", "urn:uuid:a> <urn:b"),
        ("id", 'urn:uuid:a"b'),
        ("id", "urn:uuid:a\\b"),
        ("id", "urn:uuid:é"),
        ("id", "urn:uuid:\u00a0"),
        ("credentialSubject/creditsEarned", 3),
        ("nonsense", "term"),
        ("Name", "case of a term"),
        ("@id", "urn:uuid:second-id"),
        ("proof", {"type": "DataIntegrityProof"}),
        ("evidence/1", SAMPLE["evidence"][0]),
    ],
)  # fmt: skip
def test_whatever_could_change_the_meaning_is_left_to_the_general_algorithm(path: str, value: Any) -> None:
    assert SAMPLE_TEMPLATE is not None
    assert SAMPLE_TEMPLATE.answer(put(path, value)) is None


def test_the_order_of_keys_and_items_is_left_to_the_general_algorithm() -> None:
    assert SAMPLE_TEMPLATE is not None
    turned = dict(reversed(list(SAMPLE.items())))
    assert SAMPLE_TEMPLATE.answer(turned) is None
    assert general(turned) == general(SAMPLE)


def test_blank_nodes_that_come_to_look_alike_are_left_to_the_general_algorithm() -> None:
    twins = badge(1, evidence=[{"type": ["Evidence"], "name": "a"}, {"type": ["Evidence"], "name": "b"}])
    template = template_of(twins, bytes(general(twins)))  # type: ignore[arg-type]  # the document is good
    assert template is not None
    alike = copy.deepcopy(twins)
    alike["evidence"][1]["name"] = "a"
    assert template.answer(twins) == general(twins)
    assert template.answer(alike) is None


def test_statements_that_fall_together_are_stated_once() -> None:
    document = put("credentialSubject/achievement/tag", ["a", "b"])
    template = template_of(document, bytes(general(document)))  # type: ignore[arg-type]  # the document is good
    same = put("credentialSubject/achievement/tag", ["a", "a"])
    assert template is not None
    assert template.answer(same) == general(same)


@pytest.mark.parametrize("context", [CREDENTIALS_V2, EXAMPLES_V2])
def test_numbers_are_never_values(context: str) -> None:
    contexts = [CREDENTIALS_V2, OPEN_BADGES_V3] + ([context] if context == EXAMPLES_V2 else [])
    one = {**badge(1), "@context": contexts, "credentialSubject": {**badge(1)["credentialSubject"], "creditsEarned": 1}}
    template = template_of(one, bytes(general(one)))  # type: ignore[arg-type]  # the document is good
    assert template is not None
    for other in (2, 1.5, "1", True, 1e3):
        changed = copy.deepcopy(one)
        changed["credentialSubject"]["creditsEarned"] = other
        assert template.answer(changed) is None


def test_the_words_of_the_vocabulary_are_found_in_the_contexts() -> None:
    assert {"type", "proofPurpose"} <= CONSTANT_KEYS
    assert not {"id", "name", "narrative", "created"} & CONSTANT_KEYS


def test_a_template_is_derived_when_a_document_comes_twice_and_serves_the_next() -> None:
    cache = TemplateCache()
    assert cache.digest(badge(1)) == general(badge(1))
    assert cache.stats()["templates"] == 0
    assert cache.digest(badge(2)) == general(badge(2))
    assert cache.stats()["templates"] == 1
    assert cache.digest(badge(3)) == general(badge(3))
    assert cache.stats()["templates"] == 1


def test_a_thousand_templates_offered_by_a_hostile_sender_stay_within_the_limits() -> None:
    cache = TemplateCache(templates=8, size=400_000, remembered=50)
    minimal = {"@context": [CREDENTIALS_V2], "type": ["VerifiableCredential"]}
    for number in range(1_000):
        # The name of a term that nobody else uses makes a template of its own.
        odd = {**minimal, f"https://hostile.example/{number}": "x"}
        for turn in range(2):
            cache.digest({**odd, "id": f"urn:x:{turn}"})
        stats = cache.stats()
        assert stats["templates"] == min(number + 1, 8)
        assert stats["bytes"] <= 400_000
    assert len(cache._seen) <= 50
    assert sum(map(len, cache._table.values())) == cache.stats()["templates"]


def test_short_documents_are_remembered_whole_and_only_so_many() -> None:
    cache = TemplateCache(templates=4)
    for turn in range(3):
        for number in range(10):
            options = {"@context": [CREDENTIALS_V2], "type": "DataIntegrityProof", "nonce": f"{number}"}
            assert cache.digest(options) == general(options), turn
    assert len(cache._exact) <= 4


def test_a_template_that_was_pushed_out_is_derived_again_when_it_is_met_again() -> None:
    cache = TemplateCache(templates=1)
    one, other = badge(1), badge(1, evidence=[])
    for document in (one, one, other, other, one):
        cache.digest(document)
    row = next(iter(cache._table.values()))
    pieces = tokenize(orjson.dumps(badge(2)))
    assert pieces is not None
    values = row[0].matcher.values(pieces)
    assert values is not None
    assert row[0].template.rdf_hash(values) == general(badge(2))
    assert cache.stats()["templates"] == 1


def test_a_template_too_large_to_be_kept_is_derived_once(monkeypatch: pytest.MonkeyPatch) -> None:
    derived: list[int] = []

    def counted(*given: Any) -> Derivation:
        derived.append(1)
        return derive(*given)

    monkeypatch.setattr("libs.openbadges.jsonld.templates.cache.derive", counted)
    cache = TemplateCache(size=20_000)
    for number in range(5):
        assert cache.digest(badge(number)) == general(badge(number))
    assert len(derived) == 1
    assert cache.stats()["templates"] == 0


def test_a_document_larger_than_the_limit_is_never_derived() -> None:
    cache = TemplateCache()
    large = put("evidence/0/narrative", "x" * 70_000)
    for _ in range(3):
        assert cache.digest(large) == general(large)
    assert cache.stats()["templates"] == 0


def test_a_document_that_is_refused_leaves_nothing_behind() -> None:
    cache = TemplateCache()
    for _ in range(3):
        with pytest.raises(CredentialError):
            cache.digest(put("nonsense", "x"))
    assert cache.stats()["templates"] == 0
    assert not cache._seen


def test_a_hostile_neighbour_does_not_poison_a_template() -> None:
    cache = TemplateCache()
    for number in range(3):
        cache.digest(badge(number))
    for path, value in [("issuer/id", "did:web:x> <urn:y"), ("evidence/0/name", ""), ("type/1", "Nonsense")]:
        for _ in range(3):
            with pytest.raises(CredentialError) if "name" not in path else pytest.MonkeyPatch.context():
                cache.digest(put(path, value))
    assert cache.digest(badge(9)) == general(badge(9))


def test_threads_share_a_cache_and_agree() -> None:
    cache = TemplateCache(templates=3)
    kinds = [badge(1), badge(1, evidence=[]), badge(1, status=None), badge(1, shown=[]), badge(1, narrative="x")]
    expected = [general(kind) for kind in kinds]
    wrong: list[int] = []

    def work() -> None:
        for turn in range(60):
            wrong.extend([turn] if cache.digest(kinds[turn % 5]) != expected[turn % 5] else [])

    in_threads(work)
    assert not wrong
    assert cache.stats()["templates"] <= 3


def test_a_did_with_a_port_is_a_mere_value() -> None:
    assert SAMPLE_TEMPLATE is not None
    document = put("issuer/id", "did:web:127.0.0.1%3A8103:issuers:wattle")
    assert document["issuer"]["id"] != DID
    assert SAMPLE_TEMPLATE.answer(document) == general(document)


def test_a_node_that_leads_to_several_blank_nodes_by_one_term_counts_each() -> None:
    # Found by the property above: to the subject, both results look the same, and yet they are two.
    results = [{"type": ["Result"]}, {"type": ["Result"], "value": "5"}]
    document = put("credentialSubject", {"type": ["AchievementSubject"], "result": results})
    template = template_of(document, bytes(general(document)))  # type: ignore[arg-type]  # the document is good
    assert template is not None
    for number in range(20):
        other = {**document, "id": f"urn:uuid:{number}"}
        assert template.answer(other) == general(other)
