"""Learner records: built right, each credential in them verified in turn, and related resources compared."""

import base64
import hashlib
import json
from collections.abc import Callable
from functools import cache
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.openbadges.baking import bake, unbake
from libs.openbadges.crypto.base58btc import encode
from libs.openbadges.issue.records import record_document
from libs.openbadges.issue.signing import prepare, sign
from libs.openbadges.jsonld.canonical import canonicalize
from libs.openbadges.model.bundled import BUNDLED
from libs.openbadges.model.context_urls import CLR_V2, CREDENTIALS_V2, OPEN_BADGES_V3
from libs.openbadges.model.documents import Achievement, Association, AssociationType, ClrCredential, Criteria, Profile
from libs.openbadges.model.errors import CredentialError
from libs.openbadges.model.records import MOST_EMBEDDED
from libs.openbadges.model.schema import validate_record
from libs.openbadges.pictures.drawing import badge_svg
from libs.openbadges.pictures.raster import badge_png
from libs.openbadges.status.bitstring import entry
from libs.openbadges.verify import ResolvedInputs, dependencies_of, verify
from libs.openbadges.verify.recipient import Recipient
from tests.unit.openbadges_samples import DID, KEY, LIST, METHOD, NOW, RESILIENCE, badge, material, signed

TEAMWORK = "https://badges.example/achievements/teamwork/1"


def record(**changes: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "record_id": "urn:uuid:5b1f0b52-0000-4000-8000-000000000001",
        "issuer": Profile(id=DID, name="Wattle Grove High School"),
        "subject_id": "urn:uuid:7d2f8c51-11aa-4c39-8f0e-000000000001",
        "name": "Values Week",
        "valid_from": NOW,
        "credentials": [signed(1), signed(2)],
        "achievements": [
            Achievement(id=TEAMWORK, name="Teamwork", description="Works well.", criteria=Criteria(narrative="Seen."))
        ],
        "associations": [Association(association_type="isPartOf", source_id=RESILIENCE, target_id=TEAMWORK)],
    }
    return record_document(**{**given, **changes})


@cache
def held(number: int) -> str:
    return signed(number)


def issued(document: dict[str, Any]) -> str:
    return sign(prepare(document), KEY, METHOD, NOW)


def test_a_record_is_built_signed_and_verified_with_all_that_it_holds() -> None:
    text = issued(record(status=entry(LIST, 9), partial=True, description="What was shown in the week."))
    report = verify(text, material(), NOW)
    assert report.verdict == "pass", report.to_dict()
    assert report.check("schema").message == "It has the form of a Comprehensive Learner Record 2.0."
    assert [one.verdict for one in report.embedded] == ["pass", "pass"]
    written = report.to_dict()["embedded"]
    assert [one["id"] for one in written] == [badge(1)["id"], badge(2)["id"]]
    assert ClrCredential.model_validate_json(text).to_json() == json.loads(text)


def test_a_record_joins_credentials_in_each_of_which_the_learner_is_another_subject() -> None:
    document = record(subject_id="urn:uuid:7d2f8c51-11aa-4c39-8f0e-999999999999")
    subjects = [badge(number)["credentialSubject"]["id"] for number in (1, 2)]
    assert len({*subjects, document["credentialSubject"]["id"]}) == 3
    assert [one["identityHash"] for one in document["credentialSubject"]["identifier"]] == subjects
    text = issued(document)
    assert verify(text, material(), NOW).verdict == "pass"
    # Whoever was shown one of the credentials can ask whether the record is about its subject.
    asked = [verify(text, material(), NOW, recipient=Recipient(one)).check("recipient") for one in subjects]
    assert [check.outcome for check in asked] == ["pass", "pass"]
    stranger = Recipient("urn:uuid:7d2f8c51-11aa-4c39-8f0e-000000000003")
    assert verify(text, material(), NOW, recipient=stranger).check("recipient").outcome == "fail"


def test_a_record_of_one_subject_throughout_names_no_other() -> None:
    one = badge(1)["credentialSubject"]["id"]
    credentials = [signed(1), signed(2, subject_id=one)]
    assert "identifier" not in record(subject_id=one, credentials=credentials)["credentialSubject"]


def test_what_is_needed_includes_what_embedded_credentials_need() -> None:
    found = dependencies_of(issued(record()))
    assert found.dids == {DID}
    assert found.status_lists == {LIST}


def test_one_revoked_credential_fails_the_record_and_is_told_apart() -> None:
    report = verify(issued(record()), material(2), NOW)
    assert report.verdict == "fail"
    assert all(check.outcome == "pass" for check in report.checks)
    assert [one.verdict for one in report.embedded] == ["pass", "fail"]
    assert report.embedded[1].check("status").code == "revoked"


def test_a_credential_that_was_changed_within_a_record_fails_though_the_record_is_signed() -> None:
    forged = json.loads(signed(2))
    forged["credentialSubject"]["narrative"] = "Won everything."
    report = verify(issued(record(credentials=[signed(1), forged])), material(), NOW)
    assert report.check("proof").outcome == "pass"
    assert report.embedded[1].check("proof").code == "proof_invalid"
    assert report.verdict == "fail"


def test_what_an_embedded_issuer_lacks_makes_the_record_unknown() -> None:
    report = verify(issued(record()), ResolvedInputs(material().did_documents), NOW)
    assert report.verdict == "unknown"


def embed(one: Any) -> dict[str, Any]:
    document = record()
    document["credentialSubject"]["verifiableCredential"].append(one)
    return document


@pytest.mark.parametrize(
    ("one", "code"),
    [
        (
            {
                "@context": CREDENTIALS_V2,
                "id": "data:application/vc+sd-jwt,e30.e30.e30",
                "type": "EnvelopedVerifiableCredential",
            },
            "envelope_media_type",
        ),
        ("eyJhbGciOiJFZERTQSJ9.e30.c2ln", "embedded_unread"),
        (record(record_id="urn:x:2", credentials=[signed(3)], associations=[], achievements=[]), "record_in_record"),
    ],
    ids=["envelope", "token", "record"],
)
def test_an_embedded_credential_in_a_form_that_is_not_read_is_unknown(one: Any, code: str) -> None:
    report = verify(json.dumps(embed(one)), material(), NOW)
    assert report.embedded[2].check("format").code == code
    assert report.embedded[2].verdict == "unknown"


def test_a_record_with_more_credentials_than_are_verified_is_no_pass() -> None:
    document = record()
    small = {"@context": [CREDENTIALS_V2], "type": ["VerifiableCredential"], "issuer": DID, "credentialSubject": {}}
    document["credentialSubject"]["verifiableCredential"] = [small] * (MOST_EMBEDDED + 5)
    report = verify(json.dumps(document), material(), NOW)
    assert report.check("schema").outcome != "pass"
    assert len(report.embedded) == MOST_EMBEDDED + 1


@pytest.mark.parametrize("drawn", ["png", "svg"])
def test_a_record_can_be_baked_under_its_own_keyword(drawn: str) -> None:
    text = issued(record())
    svg = badge_svg(name="Values Week", issuer="Wattle")
    picture = bake(badge_png(name="Values Week", issuer="Wattle") if drawn == "png" else svg.encode(), text)
    assert unbake(picture).content.is_record
    assert b"clrcredential" in picture if drawn == "png" else b"clr:credential" in picture
    assert verify(picture, material(), NOW).verdict == "pass"


def test_a_record_that_verification_would_fail_is_not_signed() -> None:
    def refused(spoil: Callable[[dict[str, Any]], Any]) -> str:
        document = record()
        spoil(document)
        with pytest.raises(CredentialError) as raised:
            prepare(document)
        return raised.value.code

    assert refused(lambda one: one.pop("name")) == "model"
    assert refused(lambda one: one["credentialSubject"]["verifiableCredential"].clear()) == "model"
    assert refused(lambda one: one["@context"].pop(1)) in {"model", "term_undefined", "type_undefined"}
    assert refused(lambda one: one["credentialSubject"]["association"][0].update(associationType="isIn")) == "model"
    assert refused(lambda one: one["@context"].reverse()) == "not_a_credential"


@settings(max_examples=15, deadline=None)
@given(
    numbers=st.lists(st.integers(1, 40), min_size=1, max_size=4, unique=True),
    joined=st.lists(st.tuples(st.sampled_from(get_args(AssociationType)), st.booleans()), max_size=4),
    partial=st.none() | st.booleans(),
    status=st.booleans(),
)
def test_whatever_the_builder_takes_is_signed_and_passes_every_check(
    numbers: list[int], joined: list[tuple[AssociationType, bool]], partial: bool | None, status: bool
) -> None:
    ends = (RESILIENCE, TEAMWORK)
    associations = [
        Association(association_type=kind, source_id=ends[turned], target_id=ends[not turned])
        for kind, turned in joined
    ]
    document = record(
        credentials=[held(number) for number in numbers],
        associations=associations,
        partial=partial,
        status=entry(LIST, 9) if status else None,
    )
    assert document["@context"] == [CREDENTIALS_V2, CLR_V2, OPEN_BADGES_V3]
    report = verify(issued(document), material(), NOW)
    assert report.verdict == "pass", report.to_dict()
    assert [one.credential and one.credential["id"] for one in report.embedded] == [badge(n)["id"] for n in numbers]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"credentials": []}, "record_size"),
        ({"credentials": ["{}"] * (MOST_EMBEDDED + 1)}, "record_size"),
        ({"credentials": [badge()]}, "proof_missing"),
        ({"credentials": [signed(), signed()]}, "credential_twice"),
        ({"credentials": ["eyJhbGciOiJFZERTQSJ9.e30.c2ln"]}, "jwt_unread"),
        ({"credentials": [{"proof": {"type": "X"}}], "associations": []}, "model"),
        ({"achievements": []}, "association_unknown"),
        ({"valid_until": NOW}, "dates_reversed"),
        ({"name": ""}, "model"),
        ({"subject_id": "student 7"}, "model"),
    ],
)
def test_a_record_that_would_be_wrong_is_not_built(changes: dict[str, Any], code: str) -> None:
    with pytest.raises(CredentialError) as raised:
        record(**changes)
    assert raised.value.code == code


def test_the_older_official_schema_takes_our_records_and_names_what_it_refuses() -> None:
    validate_record(record())
    document = record()
    document["credentialSubject"]["association"][0]["associationType"] = "marriedTo"
    with pytest.raises(CredentialError) as raised:
        validate_record(document)
    assert (raised.value.code, raised.value.path) == (
        "schema_older",
        "/credentialSubject/association/0/associationType",
    )


def test_what_only_the_older_schema_refuses_is_unknown_and_what_the_model_refuses_fails() -> None:
    document = record()
    document["credentialSubject"]["association"][0]["https://school.example/terms#since"] = "2026"
    check = verify(json.dumps(document), material(), NOW).check("schema")
    assert (check.outcome, check.code) == ("unknown", "schema_older")
    del document["name"]
    check = verify(json.dumps(document), material(), NOW).check("schema")
    assert (check.outcome, check.code) == ("fail", "model")


def sri(url: str, name: str = "sha384") -> str:
    return f"{name}-{base64.b64encode(hashlib.new(name, BUNDLED[url].text).digest()).decode()}"


def multihash(url: str) -> str:
    return "z" + encode(b"\x12\x20" + hashlib.sha256(BUNDLED[url].text).digest())


def base64url(url: str) -> str:
    raw = b"\x13\x40" + hashlib.sha512(BUNDLED[url].text).digest()
    return "u" + base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@pytest.mark.parametrize(
    ("related", "code"),
    [
        ({"id": CREDENTIALS_V2, "digestSRI": sri(CREDENTIALS_V2)}, "contexts_known"),
        ([{"id": CREDENTIALS_V2, "digestMultibase": multihash(CREDENTIALS_V2)}], "contexts_known"),
        ([{"id": OPEN_BADGES_V3, "digestMultibase": base64url(OPEN_BADGES_V3)}], "contexts_known"),
        ([{"id": "https://school.example/a.pdf", "digestSRI": sri(CREDENTIALS_V2, "sha256")}], "contexts_known"),
        ([{"id": OPEN_BADGES_V3, "digestSRI": sri(CREDENTIALS_V2)}], "digest_mismatch"),
        ([{"id": OPEN_BADGES_V3, "digestMultibase": multihash(CREDENTIALS_V2)}], "digest_mismatch"),
        ([{"id": CREDENTIALS_V2, "digestSRI": sri(CREDENTIALS_V2)}] * 2, "resource_twice"),
        ([{"id": CREDENTIALS_V2}], "resource_form"),
        ([{"id": CREDENTIALS_V2, "digestSRI": "sha384-####"}], "resource_form"),
        ([{"id": CREDENTIALS_V2, "digestSRI": "md5-AAAA"}], "resource_form"),
        ([{"id": CREDENTIALS_V2, "digestMultibase": "zzz"}], "resource_form"),
        ([{"id": CREDENTIALS_V2, "digestMultibase": "fabcdef"}], "resource_form"),
    ],
)
def test_a_related_resource_that_is_carried_must_be_the_one_that_was_meant(related: Any, code: str) -> None:
    document = {**json.loads(signed()), "relatedResource": related}
    assert verify(document, material(), NOW).check("context").code == code


@pytest.mark.parametrize("related", ["x", 5, [None], [[]], [{"id": 5}], {"id": "urn:x:1", "digestSRI": 5}])
def test_nonsense_for_a_related_resource_is_no_pass_and_raises_nothing(related: Any) -> None:
    document = {**json.loads(signed()), "relatedResource": related}
    assert verify(document, material(), NOW).check("context").outcome != "pass"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda s: s.update(verifiableCredential=5),
        lambda s: s.clear(),
        lambda s: s.update(verifiableCredential=[None, 5, []]),
    ],
)
def test_a_record_whose_subject_is_nonsense_is_no_pass_and_raises_nothing(
    spoil: Callable[[dict[str, Any]], None],
) -> None:
    document = record()
    spoil(document["credentialSubject"])
    assert verify(json.dumps(document), material(), NOW).verdict != "pass"


@pytest.mark.parametrize("term", ["ClrCredential", "ClrSubject"])
def test_a_record_that_writes_a_type_as_its_address_hides_nothing(term: str) -> None:
    # RDF reads both alike, so the proof stays good; a reader of the JSON would not see a record.
    text = issued(record()).replace(f'"{term}"', f'"https://purl.imsglobal.org/spec/vc/clr/vocab.html#{term}"')
    report = verify(text, material(1), NOW)
    assert report.check("context").code == "name_not_compact"
    assert report.verdict == "fail"


@pytest.mark.parametrize("kind", ["urn:example:Kind", "https://kinds.example/Kind"])
def test_a_type_by_an_address_for_which_no_context_has_a_term_is_a_type(kind: str) -> None:
    document = badge()
    document["type"] = [*document["type"], kind]
    assert f"<{kind}> ." in canonicalize(document)
