"""Endorsements are verified each in turn, must speak of what they stand on, and never make the credential bad."""

import hashlib
import json
import time
from datetime import timedelta
from typing import Any

import orjson
import pytest

from libs.openbadges.crypto.did import did_key, verification_method
from libs.openbadges.crypto.keys import Ed25519Key, verify_ed25519
from libs.openbadges.crypto.multibase import decode_multibase
from libs.openbadges.issue.jwt import sign_vc_jwt
from libs.openbadges.issue.signing import prepare, sign
from libs.openbadges.jsonld.canonical import canonicalize
from libs.openbadges.model.context_urls import CREDENTIALS_V2, OPEN_BADGES_V3
from libs.openbadges.model.endorsements import MOST_ENDORSEMENTS, endorsements_of
from libs.openbadges.status.bitstring import StatusList, entry, list_document
from libs.openbadges.verify import CHECKS, Report, ResolvedInputs, dependencies_of, verify
from tests.unit.openbadges_samples import DID, KEY, LIST, METHOD, NOW, RESILIENCE, badge, material, signed
from tests.unit.openbadges_tokens import badge_jwt, resigned
from tests.unit.openbadges_tokens import given as looked_up
from tests.unit.test_openbadges_records import issued, record

ENDORSER = Ed25519Key.from_seed(b"e" * 32)
ENDORSER_DID = did_key(ENDORSER.public_multibase)
ENDORSER_METHOD = verification_method(ENDORSER_DID, ENDORSER.public_multibase)
CREDENTIAL = badge()["id"]
Where = dict[str, Any]


def unsigned(about: str, **changes: Any) -> dict[str, Any]:
    return {
        "@context": [CREDENTIALS_V2, OPEN_BADGES_V3],
        "id": "urn:uuid:c5b1f0b5-0000-4000-8000-000000000001",
        "type": ["VerifiableCredential", "EndorsementCredential"],
        "name": "A word for it",
        "issuer": {"id": ENDORSER_DID, "type": ["Profile"], "name": "Department of Education"},
        "validFrom": "2026-03-01T00:00:00Z",
        "credentialSubject": {"id": about, "type": ["EndorsementSubject"], "endorsementComment": "Well taught."},
        **changes,
    }


def endorsement(about: str = CREDENTIAL, **changes: Any) -> dict[str, Any]:
    text = sign(prepare(unsigned(about, **changes)), ENDORSER, ENDORSER_METHOD, NOW)
    read: dict[str, Any] = json.loads(text)
    return read


def several(about: str, number: int) -> dict[str, Any]:
    return endorsement(about, id=f"urn:x:{number}", name=f"Word {number}")


def endorsement_jwt(about: str = CREDENTIAL) -> str:
    return sign_vc_jwt(prepare(unsigned(about)), ENDORSER, algorithm="Ed25519", kid=ENDORSER_METHOD)


def endorsed(*held: Any, place: str = "credential", number: int = 1, **changes: Any) -> str:
    """A signed badge with endorsements on the credential, its issuer or its achievement."""
    document = orjson.loads(orjson.dumps(badge(number, **changes)))
    on = {
        "credential": document,
        "issuer": document["issuer"],
        "achievement": document["credentialSubject"]["achievement"],
    }[place]
    on["endorsement"] = list(held)
    return sign(prepare(document), KEY, METHOD, NOW)


def found(report: Report) -> tuple[str, str, str]:
    check = report.check("endorsement")
    return report.verdict, check.outcome, check.code


def test_a_credential_that_nobody_endorses_says_so_and_lists_nothing() -> None:
    report = verify(signed(), material(), NOW)
    assert found(report) == ("pass", "pass", "endorsement_none")
    assert "endorsements" not in report.to_dict()


@pytest.mark.parametrize(
    ("place", "about"),
    [
        ("credential", CREDENTIAL),
        ("credential", RESILIENCE),
        ("credential", DID),
        ("issuer", DID),
        ("achievement", RESILIENCE),
    ],
)
def test_a_good_endorsement_passes_wherever_it_may_stand_and_is_listed(place: str, about: str) -> None:
    report = verify(endorsed(endorsement(about), place=place), material(), NOW)
    assert found(report) == ("pass", "pass", "endorsed"), report.to_dict()
    (listed,) = report.to_dict()["endorsements"]
    where = {"credential": "", "issuer": "/issuer", "achievement": "/credentialSubject/achievement"}[place]
    assert listed["pointer"] == f"{where}/endorsement/0"
    assert listed["id"] == unsigned(about)["id"]
    assert listed["verdict"] == "pass"
    assert [check["name"] for check in listed["checks"]] == [*CHECKS, "subject"]


@pytest.mark.parametrize(
    ("place", "about"),
    [
        ("credential", badge(2)["id"]),
        ("issuer", CREDENTIAL),
        ("issuer", RESILIENCE),
        ("achievement", DID),
        ("achievement", f"{RESILIENCE}/"),
    ],
)
def test_an_endorsement_of_something_else_does_not_hold_up(place: str, about: str) -> None:
    report = verify(endorsed(endorsement(about), place=place), material(), NOW)
    assert found(report) == ("unknown", "fail", "endorsement_invalid")
    assert report.endorsements[0].report.check("subject").code == "endorsement_subject"
    assert report.endorsements[0].report.check("proof").outcome == "pass"


def test_a_bad_endorsement_keeps_a_pass_away_and_does_not_make_the_credential_bad() -> None:
    forged = endorsement()
    forged["credentialSubject"]["endorsementComment"] = "The best in the world."
    report = verify(endorsed(forged, endorsement()), material(), NOW)
    assert found(report) == ("unknown", "fail", "endorsement_invalid")
    assert report.check("endorsement").message == "Of 2 endorsements on it, 1 do not hold up."
    assert {check.name for check in report.checks if check.outcome != "pass"} == {"endorsement"}
    assert [one.report.verdict for one in report.endorsements] == ["fail", "pass"]
    assert report.endorsements[0].report.check("proof").code == "proof_invalid"


def test_a_good_endorsement_does_not_save_a_revoked_credential() -> None:
    report = verify(endorsed(endorsement()), material(1), NOW)
    assert found(report) == ("fail", "pass", "endorsed")


def test_a_strangers_key_under_an_endorsers_name_does_not_hold_up() -> None:
    forged = json.loads(sign(prepare(unsigned(CREDENTIAL)), KEY, METHOD, NOW))
    report = verify(endorsed(forged), material(), NOW)
    assert found(report) == ("unknown", "fail", "endorsement_invalid")
    assert report.endorsements[0].report.check("issuer").code == "issuer_mismatch"


def test_an_endorsement_that_ended_does_not_end_what_others_issued() -> None:
    text = endorsed(endorsement(DID, validUntil="2026-04-01T00:00:00Z"), place="issuer")
    assert found(verify(text, material(), NOW)) == ("pass", "pass", "endorsed")
    late = verify(text, material(), NOW + timedelta(days=60))
    assert found(late) == ("unknown", "fail", "endorsement_invalid")
    assert late.endorsements[0].report.check("dates").code == "expired"


def test_what_an_endorsement_needs_is_asked_for_and_without_it_is_unknown() -> None:
    other_list = "https://state.example/status/1"
    text = endorsed(endorsement(credentialStatus=entry(other_list, 3)))
    assert dependencies_of(text).status_lists == {LIST, other_list}
    assert found(verify(text, material(), NOW)) == ("unknown", "unknown", "endorsement_unknown")
    statuses = StatusList()
    for revoked, expected in (
        (False, ("pass", "pass", "endorsed")),
        (True, ("unknown", "fail", "endorsement_invalid")),
    ):
        statuses.set(3, revoked)
        listing = list_document(other_list, ENDORSER_DID, statuses, valid_from=NOW)
        given = material()
        lists = {**given.status_lists, other_list: sign(prepare(listing), ENDORSER, ENDORSER_METHOD, NOW)}
        assert found(verify(text, ResolvedInputs(given.did_documents, lists), NOW)) == expected


def test_an_endorser_whose_key_is_not_had_is_asked_for_and_unknown() -> None:
    away = "did:web:state.example"
    held = unsigned(CREDENTIAL, issuer={"id": away, "type": ["Profile"]})
    text = endorsed(json.loads(sign(prepare(held), ENDORSER, f"{away}#{ENDORSER.public_multibase}", NOW)))
    assert dependencies_of(text).dids == {DID, away}
    report = verify(text, material(), NOW)
    assert found(report) == ("unknown", "unknown", "endorsement_unknown")
    assert report.check("proof").outcome == "pass"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"type": ["VerifiableCredential"]}, "endorsement_type"),
        ({"type": ["VerifiableCredential", "OpenBadgeCredential"]}, "endorsement_type"),
        ({"name": None}, "model"),
        ({"credentialSubject": []}, "model"),
    ],
)
def test_what_is_no_endorsement_does_not_hold_up_as_one(change: dict[str, Any], code: str) -> None:
    document = {**json.loads(signed()), "endorsement": [{**endorsement(), **change}]}
    report = verify(json.dumps(document), material(), NOW)
    assert report.check("endorsement").code == "endorsement_invalid"
    assert report.endorsements[0].report.check("subject").code == code


@pytest.mark.parametrize("held", [None, 5, "x", {}, [[]], [None, 5], {"a": {"b": []}}, [{"type": "ClrCredential"}]])
@pytest.mark.parametrize("name", ["endorsement", "endorsementJwt"])
def test_nonsense_for_endorsements_neither_passes_nor_raises(held: Any, name: str) -> None:
    for place in ("", "issuer"):
        document = json.loads(signed())
        (document[place] if place else document)[name] = held
        dependencies_of(json.dumps(document))
        assert verify(json.dumps(document), material(), NOW).verdict != "pass"


def test_no_endorsement_hides_in_a_list_or_on_a_profile_that_is_named_within() -> None:
    profile = {"id": "urn:x:p", "endorsement": [1]}
    achievement = {"id": "urn:x:a", "endorsement": [2], "creator": profile}
    subject = {"source": profile, "achievement": [achievement, 5, achievement], "endorsement": [3]}
    document = {"id": "urn:x:c", "endorsementJwt": "4", "credentialSubject": [None, subject]}
    found = {placed.pointer: (placed.given, set(placed.subjects)) for placed in endorsements_of(document)}
    held = "/credentialSubject/1/achievement"
    assert found == {
        "/endorsementJwt/0": ("4", {"urn:x:c", "urn:x:a", "urn:x:p"}),
        "/credentialSubject/1/source/endorsement/0": (1, {"urn:x:p"}),
        f"{held}/0/endorsement/0": (2, {"urn:x:a"}),
        f"{held}/0/creator/endorsement/0": (1, {"urn:x:p"}),
        f"{held}/2/endorsement/0": (2, {"urn:x:a"}),
        f"{held}/2/creator/endorsement/0": (1, {"urn:x:p"}),
    }


def test_endorsements_of_an_endorsement_are_not_opened_and_nothing_rests_on_them() -> None:
    # Each endorses the author of the next, and the outermost the credential.
    inner = endorsement(ENDORSER_DID, id="urn:x:0")
    for depth in range(1, 5):
        issuer = {"id": ENDORSER_DID, "type": ["Profile"], "endorsement": [inner]}
        inner = endorsement(ENDORSER_DID if depth < 4 else CREDENTIAL, issuer=issuer, id=f"urn:x:{depth}")
    report = verify(endorsed(inner), material(), NOW)
    assert found(report) == ("pass", "pass", "endorsed"), report.to_dict()
    (one,) = report.endorsements
    assert one.report.check("endorsement").code == "endorsement_nested"
    assert one.report.endorsements == ()


@pytest.mark.parametrize("wrong", [7, {"a": 1}, ["urn:x:1"], True])
def test_a_report_lists_what_has_an_id_that_is_no_text_without_an_id(wrong: Any) -> None:
    held = {**record(), "id": "urn:x:record"}
    held["credentialSubject"]["verifiableCredential"][0]["id"] = wrong
    (embedded, *_) = verify(json.dumps(held), material(), NOW).to_dict()["embedded"]
    document = {**json.loads(signed()), "endorsement": [{**endorsement(), "id": wrong}]}
    (listed,) = verify(json.dumps(document), material(), NOW).to_dict()["endorsements"]
    assert embedded["id"] is listed["id"] is None


def test_a_learner_record_as_an_endorsement_is_not_opened() -> None:
    document = {**json.loads(signed()), "endorsement": [record()]}
    report = verify(json.dumps(document), material(), NOW)
    assert report.endorsements[0].report.embedded == ()
    assert report.endorsements[0].report.check("subject").code == "endorsement_type"


def test_of_a_thousand_endorsements_only_some_are_verified_and_that_is_no_pass() -> None:
    one = endorsement()
    document = {**json.loads(signed()), "endorsement": [several(CREDENTIAL, number) for number in range(40)]}
    alike = {**json.loads(signed()), "endorsement": [one] * 140}
    small = {"type": "EndorsementCredential"}
    thousand = {**json.loads(signed()), "endorsement": [small] * 1_000}
    began = time.process_time()
    report = verify(json.dumps(document), material(), NOW)
    assert len(report.endorsements) == MOST_ENDORSEMENTS
    assert report.check("endorsement").code == "too_many_endorsements"
    assert verify(json.dumps(alike), material(), NOW).check("endorsement").code == "endorsement_not_opened"
    report = verify(json.dumps(thousand), material(), NOW)
    assert len(report.endorsements) == MOST_ENDORSEMENTS
    assert report.verdict != "pass"
    assert len(endorsements_of(thousand)) == MOST_ENDORSEMENTS + 1
    assert len(dependencies_of(json.dumps(document)).dids) == 1
    assert time.process_time() - began < 10


def test_a_record_shares_one_allowance_among_all_that_it_holds() -> None:
    held = [endorsed(*(several(badge(number)["id"], one) for one in range(12)), number=number) for number in (1, 2, 3)]
    report = verify(issued(record(credentials=held)), material(), NOW)
    assert [len(one.endorsements) for one in report.embedded] == [12, 12, 8]
    assert [one.check("endorsement").code for one in report.embedded] == [
        "endorsed",
        "endorsed",
        "too_many_endorsements",
    ]
    assert report.verdict == "unknown"


def test_an_endorsement_as_a_token_is_verified_where_the_credential_is_a_token_too() -> None:
    for place in ("credential", "issuer"):
        claims: dict[str, Any] = {"endorsementJwt": [endorsement_jwt(CREDENTIAL if place == "credential" else DID)]}
        if place == "issuer":
            claims = {"issuer": {**badge()["issuer"], **claims}}
        report = verify(resigned(badge_jwt(KEY), KEY, claims=claims), looked_up(KEY), NOW)
        assert found(report) == ("pass", "pass", "endorsed"), report.to_dict()
        assert report.endorsements[0].pointer.endswith("/endorsementJwt/0")


@pytest.mark.parametrize("place", ["credential", "issuer", "achievement"])
def test_what_is_signed_is_what_the_library_canonicalizes_also_where_an_endorsement_repeats_an_id(place: str) -> None:
    about = {"issuer": DID, "achievement": RESILIENCE}
    for number in range(1, 6):
        held = [several(about.get(place) or badge(number)["id"], one) for one in (number, number + 1)]
        document = json.loads(endorsed(*held, number=number, place=place))
        proof = document.pop("proof")
        value = decode_multibase(proof.pop("proofValue"))
        options = {"@context": document["@context"], **proof}
        hashed = b"".join(hashlib.sha256(canonicalize(one).encode()).digest() for one in (options, document))
        assert verify_ed25519(KEY.public_bytes, hashed, value), number


@pytest.mark.parametrize(
    "stowed",
    [
        {"credentialStatus": entry(LIST, 1)},
        {"type": ["EndorsementSubject", "OpenBadgeCredential"]},
        {"type": "OpenBadgeCredential"},
        {"validUntil": "2026-03-01T00:00:00Z"},
        {"@context": OPEN_BADGES_V3},
    ],
)
def test_an_endorsements_subject_is_no_place_to_hide_what_the_credential_says_of_itself(stowed: dict[str, Any]) -> None:
    document = json.loads(endorsed(endorsement()))
    document["endorsement"][0]["credentialSubject"].update(stowed)
    assert verify(json.dumps(document), material(), NOW).check("context").outcome == "fail"


def test_a_token_that_was_changed_or_is_none_does_not_hold_up() -> None:
    good = endorsement_jwt()
    for bad in (good[:-4] + "AAAA", "a.b.c", good.replace(".", "!", 1)):
        report = verify(resigned(badge_jwt(KEY), KEY, claims={"endorsementJwt": [bad]}), looked_up(KEY), NOW)
        assert report.verdict != "pass"
        assert report.check("endorsement").outcome != "pass"


def test_a_token_in_a_credential_with_a_proof_of_its_own_is_not_signed_and_fails_the_context() -> None:
    # The context of Open Badges 3.0 has no such term, so whoever signs by it leaves the token out.
    document = {**json.loads(signed()), "endorsementJwt": [endorsement_jwt()]}
    report = verify(json.dumps(document), material(), NOW)
    assert report.check("context").code == "term_undefined"
    assert found(report) == ("fail", "pass", "endorsed")
