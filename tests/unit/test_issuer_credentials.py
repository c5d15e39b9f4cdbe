"""The credential of an award: valid, verifiable, and free of names."""

import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError

from libs.contracts.events import AchievementPublished, EvidenceSubmitted, IssuerPublished
from libs.contracts.results import SoloLevel
from libs.openbadges.crypto import did
from libs.openbadges.crypto.keys import Ed25519Key
from libs.openbadges.issue.signing import Prepared, prepare, sign
from libs.openbadges.model import times
from libs.openbadges.model.errors import CredentialError
from libs.openbadges.status.bitstring import StatusList, list_document
from libs.openbadges.verify import ResolvedInputs, verify
from services.issuer.credentials import signer as signer_module
from services.issuer.credentials.award import NewAward
from services.issuer.credentials.hindrance import Hindrance
from services.issuer.credentials.signer import CredentialSigner
from services.issuer.decisions.context import DecisionContext
from services.issuer.decisions.rules import decide
from services.issuer.keys.encryption import KeyMissingError, KeyUnavailableError
from services.issuer.status.entry import StatusEntry
from services.issuer.status.signer import StatusListSigner
from services.issuer.urls import Urls
from tests.ids import IDS
from tests.issuer_doubles import NOW, achievement, evidence, issuer

BASE = "https://badges.example"
KEY = Ed25519Key.from_seed(bytes(32))
DEPARTMENT = issuer("department")
SCHOOL = issuer("wattle", parent="department", did=did.did_web(BASE, "issuers", "wattle")).model_copy(
    update={"public_evidence": True}
)
ENTRY = StatusEntry("1790000000-1", 4711)
AUTHORITY = Urls(BASE).authority()
AUTHORITY_KEY = Ed25519Key.from_seed(b"a" * 32)


class OneKey:
    async def key(self, issuer_id: str) -> Ed25519Key:
        return KEY

    async def refresh(self, issuer_ids: Iterable[str]) -> None:
        """Its key never changes."""


class OneAuthority:
    async def signing_key(self) -> tuple[str, Ed25519Key]:
        return AUTHORITY, AUTHORITY_KEY


def signer() -> CredentialSigner:
    return CredentialSigner(OneKey(), Urls(BASE), IDS)


async def status_list(bits: StatusList) -> str:
    signs = StatusListSigner(OneAuthority(), Urls(BASE))
    return await signs.status_list(ENTRY.list_id, "revocation", bits, NOW, **FRESH)


def material_with(url: str, listed: str) -> ResolvedInputs:
    keys = {
        SCHOOL.did: did.did_document(SCHOOL.did, KEY.public_multibase),
        AUTHORITY: did.did_document(AUTHORITY, AUTHORITY_KEY.public_multibase),
    }
    return ResolvedInputs(keys, {url: listed})


def award(piece: EvidenceSubmitted, offered: AchievementPublished) -> NewAward:
    known = DecisionContext(IDS, {"wattle"}, {("wattle", offered.achievement_id): offered}, {}, {})
    earned = decide([piece], known)[0].award
    assert earned is not None
    return earned


async def issued(
    piece: EvidenceSubmitted, offered: AchievementPublished, school: IssuerPublished = SCHOOL, at: datetime = NOW
) -> tuple[str, dict[str, Any]]:
    issuers = {"wattle": school, "department": DEPARTMENT}
    (text,) = await signer().credentials([(award(piece, offered), ENTRY)], issuers, at)
    assert isinstance(text, str), text
    return text, json.loads(text)


SHARED = achievement(owner="department", shared=True)
FRESH: Any = {"valid_until": NOW + timedelta(days=7), "ttl": timedelta(seconds=60)}


@pytest.mark.parametrize("level", [SoloLevel.MULTISTRUCTURAL, SoloLevel.EXTENDED_ABSTRACT])
@pytest.mark.parametrize("link", [None, "https://wattle.example/work/1?a=b#c"])
async def test_every_check_of_the_verifier_passes(level: SoloLevel, link: str | None) -> None:
    text, document = await issued(evidence(level=level, link=link), SHARED)
    listed = await status_list(StatusList())
    material = material_with(document["credentialStatus"]["statusListCredential"], listed)
    report = verify(text, material, NOW + timedelta(minutes=1))
    assert [(each.name, each.outcome) for each in report.checks if each.outcome != "pass"] == []


async def test_a_set_bit_in_the_list_is_a_failed_status() -> None:
    text, document = await issued(evidence(), SHARED)
    bits = StatusList()
    bits.set(ENTRY.index)
    listed = await status_list(bits)
    url = document["credentialStatus"]["statusListCredential"]
    material = material_with(url, listed)
    assert verify(text, material, NOW).check("status").outcome == "fail"


async def test_a_list_says_how_long_it_is_valid_and_how_long_a_copy_may_be_kept() -> None:
    listed = json.loads(await status_list(StatusList()))
    assert times.read(listed["validUntil"]) == FRESH["valid_until"]
    assert listed["credentialSubject"]["ttl"] == 60_000


async def test_a_list_signed_just_now_counts_for_verifiers_whose_clock_is_behind() -> None:
    text, document = await issued(evidence(), SHARED, at=NOW - timedelta(days=1))
    listed = await status_list(StatusList())
    material = material_with(document["credentialStatus"]["statusListCredential"], listed)
    assert verify(text, material, NOW - timedelta(seconds=30)).check("status").outcome == "pass"
    # Others allow no difference at all, and run in browsers, on clocks that nobody keeps.
    written = json.loads(listed)
    assert times.read(written["validFrom"]) == NOW - timedelta(minutes=5)
    assert times.read(written["proof"]["created"]) == NOW


@pytest.mark.parametrize("revoked", [False, True])
async def test_a_list_past_its_end_makes_the_status_unknown_whatever_it_says(revoked: bool) -> None:
    text, document = await issued(evidence(), SHARED)
    bits = StatusList()
    bits.set(ENTRY.index, revoked)
    listed = await status_list(bits)
    url = document["credentialStatus"]["statusListCredential"]
    material = material_with(url, listed)
    in_time, too_late = FRESH["valid_until"] - timedelta(seconds=1), FRESH["valid_until"]
    assert verify(text, material, in_time).check("status").outcome == ("fail" if revoked else "pass")
    assert verify(text, material, too_late).check("status").outcome == "unknown"


async def test_a_list_without_an_id_serves_at_no_url() -> None:
    text, document = await issued(evidence(), SHARED)
    url = document["credentialStatus"]["statusListCredential"]
    nameless = list_document(url, SCHOOL.did, StatusList(), valid_from=NOW)
    del nameless["id"]
    listed = sign(prepare(nameless), KEY, did.verification_method(SCHOOL.did, KEY.public_multibase), NOW)
    material = material_with(url, listed)
    assert verify(text, material, NOW).check("status").outcome == "unknown"


async def test_the_level_shown_points_at_one_of_five_described_levels() -> None:
    _, document = await issued(evidence(level=SoloLevel.RELATIONAL), SHARED)
    subject = document["credentialSubject"]
    (described,) = subject["achievement"]["resultDescription"]
    levels = {each["id"]: each for each in described["rubricCriterionLevel"]}
    (result,) = subject["result"]
    assert [each["points"] for each in levels.values()] == ["0", "1", "2", "3", "4"]
    assert levels[result["achievedLevel"]]["description"] == "Is seen at Relational."
    assert levels[described["requiredLevel"]]["level"] == "Multistructural"


async def test_the_day_of_the_observation_ends_the_activity() -> None:
    piece = evidence()
    _, document = await issued(piece, SHARED)
    assert document["credentialSubject"]["activityEndDate"] == f"{piece.observed_on.isoformat()}T00:00:00Z"


@pytest.mark.parametrize("public", [False, True])
async def test_what_the_learner_did_and_its_link_stand_in_a_credential_only_where_the_issuer_says_so(
    public: bool,
) -> None:
    school = SCHOOL.model_copy(update={"public_evidence": public})
    piece = evidence(activity="Camp with L K", link="https://wattle.example/work/1")
    text, document = await issued(piece, SHARED, school)
    shown = [{"type": ["Evidence"], "name": "Camp with L K", "id": "https://wattle.example/work/1"}]
    assert document.get("evidence", []) == (shown if public else [])
    assert public == ("Camp" in text) == ("wattle.example/work" in text)


async def test_a_credential_holds_the_number_of_its_issuers_page_on_linkedin() -> None:
    text, document = await issued(evidence(), SHARED, SCHOOL.model_copy(update={"linkedin_id": "1337"}))
    (named,) = document["issuer"]["otherIdentifier"]
    assert (named["identifierType"], named["identifier"]) == ("ext:LinkedIn:organizationId", "1337")
    material = ResolvedInputs({SCHOOL.did: did.did_document(SCHOOL.did, KEY.public_multibase)}, {})
    checks = {each.name: each.outcome for each in verify(text, material, NOW).checks}
    assert (checks["format"], checks["context"], checks["schema"], checks["proof"]) == ("pass", "pass", "pass", "pass")


async def test_no_private_key_is_remembered_by_the_signer() -> None:
    used = signer()
    await used.credentials([(award(evidence(), SHARED), ENTRY)], {"wattle": SCHOOL, "department": DEPARTMENT}, NOW)
    remembered = [each for key in used._methods for each in key]
    assert remembered == [SCHOOL.did, KEY.public_bytes]


async def test_a_score_stands_as_people_write_it() -> None:
    offered = achievement(required_level=None, required_score=50.0)
    _, document = await issued(evidence(level=None, score=87.0), offered)
    subject = document["credentialSubject"]
    assert subject["result"][0]["value"] == "87"
    assert subject["achievement"]["resultDescription"][0]["requiredValue"] == "50"


async def test_creator_and_issuer_are_told_apart_for_a_shared_achievement() -> None:
    _, document = await issued(evidence(), SHARED)
    assert document["issuer"]["id"] == SCHOOL.did
    assert document["credentialSubject"]["achievement"]["creator"]["id"] == DEPARTMENT.did


async def test_nothing_of_the_learner_but_the_opaque_id_and_no_source_id_is_written() -> None:
    text, document = await issued(evidence(source_id="jo-smith-essay", learner="jo.smith"), SHARED)
    assert "smith" not in text.lower()
    assert document["credentialSubject"]["id"].startswith("urn:uuid:")
    assert "identifier" not in document["credentialSubject"]


async def test_a_link_that_is_no_iri_is_told_as_an_error_of_that_document_alone() -> None:
    good, bad = award(evidence(), SHARED), award(evidence(link="https://wattle.example/a b"), SHARED)
    issuers = {"wattle": SCHOOL, "department": DEPARTMENT}
    answers = await signer().credentials([(bad, ENTRY), (good, ENTRY), (bad, ENTRY)], issuers, NOW)
    assert [isinstance(each, CredentialError) for each in answers] == [True, False, True]


async def test_two_issuers_of_one_achievement_never_share_a_template() -> None:
    both = signer()
    other = issuer("banksia", parent="department")
    issuers = {"wattle": SCHOOL, "banksia": other, "department": DEPARTMENT}
    decision = award(evidence(), SHARED)
    piece = decision.evidence.model_copy(update={"issuer_id": "banksia"})
    of_wattle, of_banksia = (decision, ENTRY), (decision._replace(evidence=piece), ENTRY)
    written = await both.credentials([of_wattle, of_banksia, of_wattle], issuers, NOW)
    found = [json.loads(str(text))["issuer"]["id"] for text in written]
    assert found == [SCHOOL.did, other.did, SCHOOL.did]


UNLUCKY = SCHOOL.model_copy(update={"url": "https://bad.example/?id=3|home", "version": 9})


async def test_an_issuer_that_no_credential_can_name_is_hindered_and_its_evidence_not_refused() -> None:
    issuers = {"wattle": UNLUCKY, "department": DEPARTMENT}
    (answer,) = await signer().credentials([(award(evidence(), achievement()), ENTRY)], issuers, NOW)
    assert answer is Hindrance.ISSUER_UNUSABLE


class KeysOfSome(OneKey):
    """Of these issuers there is no key, or one that does not open."""

    def __init__(self, **errors: Exception) -> None:
        self.errors = errors

    async def key(self, issuer_id: str) -> Ed25519Key:
        if issuer_id in self.errors:
            raise self.errors[issuer_id]
        return KEY


async def test_a_key_or_an_achievement_at_fault_hinders_its_issuer_alone_until_it_is_put_right() -> None:
    names = ("wattle", "missing", "closed", "unlucky", "poison", "nameless")
    issuers = {each: SCHOOL.model_copy(update={"issuer_id": each, "parent": None}) for each in names}
    issuers["unlucky"] = UNLUCKY.model_copy(update={"issuer_id": "unlucky", "parent": None})
    issuers["nameless"] = issuers["nameless"].model_copy(update={"did": "did:web:\ud800"})
    versions = {(each, "resilience"): achievement(owner=each) for each in names}
    versions["poison", "resilience"] = achievement(owner="poison", name="\ud800")
    versions["poison", "care"] = achievement("care", owner="poison")
    keys = KeysOfSome(missing=KeyMissingError("there is none"), closed=KeyUnavailableError("it does not open"))
    here = CredentialSigner(keys, Urls(BASE), IDS)
    assert await here.hindrances(versions, issuers) == {
        ("missing", "resilience"): Hindrance.KEY_MISSING,
        ("closed", "resilience"): Hindrance.KEY_CLOSED,
        ("unlucky", "resilience"): Hindrance.ISSUER_UNUSABLE,
        ("nameless", "resilience"): Hindrance.ISSUER_UNUSABLE,
        ("poison", "resilience"): Hindrance.ACHIEVEMENT_UNUSABLE,
    }
    keys.errors.clear()
    versions["poison", "resilience"] = achievement(owner="poison", version=2)
    issuers |= {"unlucky": issuers["wattle"], "nameless": issuers["wattle"]}
    assert await here.hindrances(versions, issuers) == {}


async def test_a_store_that_is_away_is_no_fault_of_an_issuers_key() -> None:
    here = CredentialSigner(KeysOfSome(wattle=KafkaConnectionError("away")), Urls(BASE), IDS)
    with pytest.raises(KafkaConnectionError):
        await here.hindrances({("wattle", "resilience"): achievement()}, {"wattle": SCHOOL})


async def test_an_achievement_one_of_whose_results_cannot_be_written_is_hindered_from_then_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(document: dict[str, Any]) -> Prepared:
        if "result" in document["credentialSubject"]:
            raise CredentialError("result_invalid", "No such level.")
        return prepare(document)

    here, issuers = signer(), {"wattle": SCHOOL, "department": DEPARTMENT}
    versions = {("wattle", "resilience"): achievement()}
    monkeypatch.setattr(signer_module, "prepare", refuse)
    assert await here.hindrances(versions, issuers) == {}
    (answer,) = await here.credentials([(award(evidence(), achievement()), ENTRY)], issuers, NOW)
    assert answer is Hindrance.ACHIEVEMENT_UNUSABLE
    assert await here.hindrances(versions, issuers) == {("wattle", "resilience"): Hindrance.ACHIEVEMENT_UNUSABLE}
    versions["wattle", "resilience"] = achievement(version=2)
    assert await here.hindrances(versions, issuers) == {}
