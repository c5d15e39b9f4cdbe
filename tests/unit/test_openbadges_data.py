"""The standards' files that the package carries, and the classes that mirror the data model."""

import hashlib

import pytest
from pydantic import ValidationError

from libs.openbadges.issue.building import solo_result_description
from libs.openbadges.jsonld.contexts import CONTEXTS, load_document, term_iris
from libs.openbadges.model.bundled import BUNDLED
from libs.openbadges.model.context_urls import CREDENTIALS_V2
from libs.openbadges.model.documents import AchievementCredential, Criteria, ResultDescription
from libs.openbadges.model.errors import UnknownContextError
from libs.openbadges.model.solo import SoloLevel
from tests.unit.openbadges_samples import RESILIENCE, badge


def test_the_credentials_context_is_the_one_that_the_recommendation_pins() -> None:
    digest = hashlib.sha256(BUNDLED[CREDENTIALS_V2].text).hexdigest()
    assert digest == "59955ced6697d61e03f2b2556febe5308ab16842846f5b586d7f1f7adec92734"


def test_every_carried_file_has_its_version_licence_and_digest_noted() -> None:
    assert len(CONTEXTS) >= 11
    for one in BUNDLED.values():
        assert one.version
        assert one.licence
        assert hashlib.sha256(one.text).hexdigest() == one.sha256


def test_a_context_that_is_not_carried_is_never_fetched() -> None:
    with pytest.raises(UnknownContextError, match="elsewhere"):
        load_document("https://elsewhere.example/context.json", {})


@pytest.mark.parametrize(
    "name",
    ["issuer", "credentialStatus", "credentialSubject", "validFrom", "validUntil", "expirationDate", "evidence"],
)
def test_what_a_check_reads_has_one_name_in_all_carried_contexts(name: str) -> None:
    # Else the same statement could stand under a name that no check looks for, and its proof be good.
    addresses = {iri for url in CONTEXTS for iri, terms in term_iris(url).items() if name in terms}
    names = {term for url in CONTEXTS for iri, terms in term_iris(url).items() if iri in addresses for term in terms}
    assert names == {name}


def test_a_built_badge_reads_into_the_data_model_and_back() -> None:
    document = badge()
    read = AchievementCredential.model_validate(document)
    assert read.credential_subject.achievement.name == "Resilience"
    assert read.to_json() == document


def test_extensions_are_kept() -> None:
    document = badge()
    document["evidence"][0]["https://school.example/terms#room"] = "B12"
    assert AchievementCredential.model_validate(document).to_json() == document


def test_solo_results_have_five_levels_lowest_first() -> None:
    described = solo_result_description(RESILIENCE, required_level="relational", descriptions={})
    levels = described.rubric_criterion_level or []
    assert [level.name for level in levels] == [
        "Prestructural",
        "Unistructural",
        "Multistructural",
        "Relational",
        "Extended abstract",
    ]
    assert [level.points for level in levels] == ["0", "1", "2", "3", "4"]
    assert described.required_level == levels[SoloLevel("relational").rank].id


def test_a_required_level_must_be_one_of_the_levels() -> None:
    with pytest.raises(ValidationError, match="none of the levels"):
        ResultDescription(id="urn:x:1", name="Level", result_type="RubricCriterionLevel", required_level="urn:x:2")


def test_criteria_must_say_something() -> None:
    with pytest.raises(ValidationError, match="narrative"):
        Criteria()
