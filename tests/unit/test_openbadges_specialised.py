"""Editions know awards of one achievement by their whole text, are bounded, and never answer for anything else."""

import copy
import hashlib
from typing import Any

import orjson
import pytest
import rfc8785

from libs.openbadges.jsonld.canonical import canonicalize
from libs.openbadges.jsonld.templates import specialised
from libs.openbadges.jsonld.templates.cache import TemplateCache
from libs.openbadges.jsonld.templates.specialised import FIRST_DUE, MOST_IN_FAMILY, MOST_VARYING, SpecialisedTemplates
from libs.openbadges.model.documents import Evidence
from tests.unit.openbadges_samples import badge, in_threads


def general(document: dict[str, Any]) -> bytes:
    return hashlib.sha256(canonicalize(document).encode()).digest()


def known(cache: TemplateCache, document: dict[str, Any]) -> bool:
    return cache.specialised.find(orjson.dumps(document)) is not None


def of_achievement(number: int, award: int) -> dict[str, Any]:
    document = badge(award)
    document["credentialSubject"]["achievement"]["id"] = f"https://badges.example/achievements/{number}"
    return document


def warm(cache: TemplateCache, first: int = 0, count: int = FIRST_DUE + 2) -> None:
    for number in range(first, first + count):
        cache.digest(badge(number))


def test_after_some_awards_the_next_is_known_by_its_text_and_answered_alike() -> None:
    cache = TemplateCache()
    warm(cache)
    later = badge(500)
    assert known(cache, later)
    read = cache.read(later, orjson.dumps(later))
    assert read.rdf_hash() == general(later)
    assert read.json_hash() == hashlib.sha256(rfc8785.dumps(later)).digest()


def test_what_was_never_seen_to_vary_is_not_known_and_still_answered() -> None:
    cache = TemplateCache()
    warm(cache)
    for path in ("name", "description"):
        other = badge(501)
        other["credentialSubject"]["achievement"][path] = "Another text"
        assert not known(cache, other)
        assert cache.digest(other) == general(other)


def test_a_specialised_template_opens_to_what_comes_to_vary_and_takes_the_place_of_the_narrower() -> None:
    cache = TemplateCache()
    warm(cache)
    for number in range(4 * FIRST_DUE):
        other = badge(number)
        other["issuer"]["name"] = f"School {number}"
        assert cache.digest(other) == general(other)
    other["issuer"]["name"] = "A school never seen"
    assert known(cache, other)
    assert known(cache, badge(502))
    assert [len(row) for row in cache.specialised._table.values()] == [1]


@pytest.mark.parametrize(
    ("path", "value"),
    [("id", "urn:uuid:a> <urn:b"), ("id", "http://scheme.changed/1"), ("type", ["VerifiableCredential", "Nonsense"])],
)
def test_a_specialised_template_knows_nothing_whose_meaning_changed(path: str, value: Any) -> None:
    cache = TemplateCache()
    warm(cache)
    assert not known(cache, {**badge(503), path: value})


def test_statements_that_would_come_among_the_first_are_put_in_order() -> None:
    cache = TemplateCache()
    for number in range(FIRST_DUE + 2):
        cache.digest({**badge(number), "id": f"https://z.example/{number}"})
    early = {**badge(504), "id": "https://a.example/1"}
    assert known(cache, early)
    assert cache.digest(early) == general(early)


def test_a_statement_that_becomes_the_last_of_the_first_is_stated_once() -> None:
    cache = TemplateCache()
    department = "did:web:badges.example:issuers:a-department"

    def issued_by(number: int, issuer: str) -> dict[str, Any]:
        document = badge(number)
        document["credentialSubject"]["achievement"]["creator"] = {"id": department, "type": ["Profile"]}
        document["issuer"]["id"] = issuer
        return document

    for number in range(FIRST_DUE + 2):
        cache.digest(issued_by(number, f"did:web:badges.example:issuers:school-{number}"))
    by_department = issued_by(505, department)
    assert known(cache, by_department)
    assert cache.digest(by_department) == general(by_department)


def test_families_offered_by_a_hostile_sender_stay_within_the_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(specialised, "PATIENCE", 0)
    cache = TemplateCache()
    cache.specialised = SpecialisedTemplates(specialised=3, size=600_000)
    for family in range(12):
        for award in range(FIRST_DUE + 2):
            cache.digest(of_achievement(family, award))
        kept = [one for row in cache.specialised._table.values() for one in row]
        assert len(kept) <= 3
        assert sum(one.size for one in kept) == cache.specialised.size <= 600_000
    assert known(cache, of_achievement(11, 99))
    assert not known(cache, of_achievement(0, 99))


def test_one_family_keeps_few_specialised_templates_however_many_structures_come_under_its_name() -> None:
    cache = TemplateCache()
    for extra in range(MOST_IN_FAMILY + 2):
        for award in range(FIRST_DUE + 2):
            cache.digest(badge(award, evidence=[Evidence(name=f"Reflection {turn}") for turn in range(extra)]))
    assert [len(row) for row in cache.specialised._table.values()] == [MOST_IN_FAMILY]


def test_families_that_take_turns_do_not_push_each_other_out() -> None:
    cache = TemplateCache()
    cache.specialised = SpecialisedTemplates(specialised=2)
    for award in range(3 * FIRST_DUE):
        for family in range(5):
            cache.digest(of_achievement(family, award))
    before = dict(cache.specialised._table)
    for family in range(5):
        cache.digest(of_achievement(family, 999))
    assert len(before) == 2
    assert cache.specialised._table == before


def test_threads_share_specialised_templates_and_agree() -> None:
    cache = TemplateCache()
    documents = [badge(number) for number in range(20)]
    expected = [general(copy.deepcopy(document)) for document in documents]
    wrong: list[int] = []

    def work() -> None:
        for turn in range(100):
            wrong.extend([turn] if cache.digest(documents[turn % 20]) != expected[turn % 20] else [])

    in_threads(work)
    assert not wrong
    assert known(cache, badge(505))


def test_documents_that_vary_in_many_places_have_no_specialised_template_and_are_answered_all_the_same() -> None:
    cache = TemplateCache()

    def varied(number: int, count: int) -> dict[str, Any]:
        return badge(number, evidence=[Evidence(name=f"Item {number}.{one}") for one in range(count)])

    for count, is_specialised in ((MOST_VARYING - 10, True), (MOST_VARYING, False)):
        for number in range(2 * FIRST_DUE):
            assert cache.digest(varied(number, count)) == general(varied(number, count))
        assert known(cache, varied(500, count)) == is_specialised
