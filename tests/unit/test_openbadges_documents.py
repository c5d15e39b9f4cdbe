"""The data models: names and cardinalities of the standards, extensions kept, the official schemas agreeing."""

import json
from pathlib import Path
from typing import Any

import orjson
import pytest
from pydantic import BaseModel

from libs.openbadges.model import documents
from libs.openbadges.model.bundled import BUNDLED
from libs.openbadges.model.context_urls import CREDENTIALS_V1, CREDENTIALS_V2
from libs.openbadges.model.documents import IdentityObject, model_of, read_model
from libs.openbadges.model.errors import CredentialError
from libs.openbadges.model.schema import ACHIEVEMENT_SCHEMA
from tests.unit.openbadges_samples import badge, signed

VECTORS = Path(__file__).parents[1] / "vectors"
RECORD = VECTORS / "openbadges" / "clrv2p0" / "document.json"


def schemas(url: str) -> dict[str, Any]:
    root = orjson.loads(BUNDLED[url].text)
    return {"AchievementCredential": root, **root["$defs"]}


@pytest.mark.parametrize("name", sorted(set(schemas(ACHIEVEMENT_SCHEMA)) & set(documents.__all__)))
def test_a_class_has_every_field_that_the_official_schema_has_and_asks_for_the_same(name: str) -> None:
    schema = schemas(ACHIEVEMENT_SCHEMA)[name]
    model: type[BaseModel] = getattr(documents, name)
    fields = {field.alias or plain: field for plain, field in model.model_fields.items()}
    unmodelled = {"termsOfUse", "evidence", "awardedDate"} if name == "EndorsementCredential" else set()
    assert set(schema["properties"]) - unmodelled <= fields.keys()
    required = {plain for plain, field in fields.items() if field.is_required()}
    # A proof that names no purpose is of no use to anybody; what has a default is always written.
    has_default = {"type"}
    assert set(schema.get("required", [])) - has_default <= required | {"proofPurpose"}
    assert required - set(schema.get("required", [])) <= {"proofPurpose"}


@pytest.mark.parametrize(
    "path",
    [
        "openbadges/clrv2p0/document.json",
        "openbadges/obv3p0/signed.json",
        "vc-di-eddsa/eddsa-rdfc-2022/signedDataInt.json",
    ],
)
def test_published_examples_read_into_the_models_and_come_back_as_they_were(path: str) -> None:
    document = json.loads((VECTORS / path).read_text())
    assert read_model(document).to_json() == document


def test_what_is_written_alone_or_as_a_list_comes_back_as_it_was() -> None:
    document = json.loads(signed())
    document["evidence"] = document["evidence"][0]
    document["credentialSubject"]["type"] = "AchievementSubject"
    document["credentialStatus"] = [document["credentialStatus"]]
    document["proof"] = [document["proof"]]
    document["https://school.example/terms#room"] = {"@value": "B12"}
    read = read_model(document)
    assert isinstance(read, documents.AchievementCredential)
    assert [one.genre for one in read.evidence or []] == ["Observation"]
    assert read.to_json() == document


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"validFrom": "2026-03-06"}, "/validFrom"),
        ({"validFrom": "2026-03-06T09:30:00"}, "/validFrom"),
        ({"id": "badge 7"}, "/id"),
        ({"type": ["OpenBadgeCredential"]}, ""),
        ({"@context": ["https://elsewhere.example/"]}, ""),
        ({"endorsementJwt": "no"}, "/endorsementJwt"),
        ({"relatedResource": {"id": "urn:x:1"}}, "/relatedResource"),
        ({"proof": {"type": "DataIntegrityProof"}}, "/proof"),
    ],
)
def test_what_the_data_model_does_not_allow_is_named_by_its_path(change: dict[str, Any], path: str) -> None:
    with pytest.raises(CredentialError) as raised:
        read_model({**badge(), **change})
    assert raised.value.code == "model"
    assert raised.value.path.startswith(path)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("achievementType", "Medal"),
        ("alignment", {"targetName": "x"}),
        ("tag", ""),
        ("criteria", {}),
        ("type", "Badge"),
    ],
)
def test_an_achievement_keeps_to_the_vocabularies(place: str, value: Any) -> None:
    document = badge()
    document["credentialSubject"]["achievement"][place] = value
    with pytest.raises(CredentialError) as raised:
        read_model(document)
    assert raised.value.path.startswith("/credentialSubject/achievement")


def test_a_vocabulary_can_be_extended_with_ext() -> None:
    document = badge()
    document["credentialSubject"]["achievement"]["achievementType"] = "ext:Medal"
    assert read_model(document).to_json() == document


def test_a_hashed_identity_is_that_of_the_standard() -> None:
    made = IdentityObject.of("a@example.com", "emailAddress", "Kosher")
    assert made.identity_hash == "sha256$b5809d8a92f8858436d7e6b87c12ebc0ae1eac4baecc2c0b913aee2c922ef399"
    assert made.to_json()["type"] == "IdentityObject"


@pytest.mark.parametrize(
    ("document", "name"),
    [
        ({"type": "VerifiablePresentation", "@context": CREDENTIALS_V2}, "VerifiablePresentation"),
        ({"type": ["EnvelopedVerifiableCredential"]}, "EnvelopedVerifiableCredential"),
        ({"type": ["VerifiableCredential"], "@context": [CREDENTIALS_V1]}, "VerifiableCredentialV1"),
        ({"type": ["VerifiableCredential", "ClrCredential"], "@context": [CREDENTIALS_V2]}, "ClrCredential"),
        ({"type": ["VerifiableCredential", "OpenBadgeCredential"]}, "AchievementCredential"),
        ({"type": ["VerifiableCredential", "EndorsementCredential"]}, "EndorsementCredential"),
        ({}, "VerifiableCredential"),
    ],
)
def test_a_document_is_read_as_what_it_says_it_is(document: dict[str, Any], name: str) -> None:
    assert model_of(document).__name__ == name


def test_a_presentation_and_a_1_1_credential_are_read() -> None:
    credential = {
        "@context": [CREDENTIALS_V1],
        "type": ["VerifiableCredential"],
        "issuer": "did:web:school.example",
        "issuanceDate": "2026-03-06T09:30:00Z",
        "credentialSubject": {"id": "urn:uuid:1"},
    }
    shown = {"@context": [CREDENTIALS_V2], "type": "VerifiablePresentation", "verifiableCredential": [credential]}
    assert read_model(credential).to_json() == credential
    assert read_model(shown).to_json() == shown
    for missing in ("issuer", "issuanceDate", "credentialSubject"):
        with pytest.raises(CredentialError, match=missing):
            read_model({name: value for name, value in credential.items() if name != missing})


def test_a_learner_record_needs_its_contexts_in_order_and_a_credential_in_it() -> None:
    record = json.loads(RECORD.read_text())
    for change in (
        {"@context": [record["@context"][0], *record["@context"][:0:-1]]},
        {"credentialSubject": {**record["credentialSubject"], "verifiableCredential": []}},
        {"credentialSubject": {"type": "ClrSubject", "verifiableCredential": [badge()]}},
        {"name": None},
    ):
        with pytest.raises(CredentialError):
            read_model({**record, **change})
