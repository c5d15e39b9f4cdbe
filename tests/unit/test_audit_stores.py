"""What an audit makes of stores against each other."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, Self, cast
from uuid import UUID

import orjson
import pytest

from bowerbird.auditing import lists
from bowerbird.auditing.stores import StoreChecks
from libs.common.damage import Damage
from libs.common.mongo import Client
from libs.contracts.events import CredentialRevoked, CredentialTakenDown, Event
from libs.contracts.reasons import RevocationReason, TakeDownReason
from libs.openbadges.status.bitstring import StatusList
from services.issuer.credentials.announcements import Announcer
from services.issuer.credentials.credential import Credential, Revocation, TakeDown
from services.issuer.decision_ids import DecisionId
from services.issuer.status.entry import StatusEntry
from services.issuer.urls import Urls
from services.notifier.deliveries.delivery import StoredDelivery
from services.notifier.deliveries.schedule import State
from services.notifier.occasion import Occasion
from tests.ids import IDS, SEALING

AT = datetime(2026, 11, 28, 10, tzinfo=UTC)
SETTLED = AT - timedelta(hours=1)
NORTH = "1795000000-1"


class Found:
    """Stands for a cursor."""

    def __init__(self, documents: list[dict[str, Any]]) -> None:
        self._documents = documents

    def batch_size(self, _: int) -> Self:
        return self

    async def to_list(self, _: int) -> list[dict[str, Any]]:
        found, self._documents = self._documents, []
        return found


class Collection:
    """Stands for a collection: equality, `$lt` and `$exists` alone."""

    def __init__(self, *documents: dict[str, Any]) -> None:
        self._documents = documents

    def find(self, query: Mapping[str, Any], _: object = None) -> Found:
        return Found([each for each in self._documents if all(_holds(each.get(key), query[key]) for key in query)])

    async def find_one(self, query: Mapping[str, Any], fields: object) -> dict[str, Any] | None:
        return next(iter(await self.find(query, fields).to_list(1)), None)

    async def distinct(self, key: str) -> list[Any]:
        return list({each[key] for each in self._documents})


def _holds(value: Any, wanted: Any) -> bool:
    if not isinstance(wanted, dict):
        return bool(value == wanted)
    return (value is not None) == wanted["$exists"] if "$exists" in wanted else bool(value < wanted["$lt"])


def credential(name: str, index: int, *, issued_at: datetime | None = None, **revoked_at: datetime) -> dict[str, Any]:
    state = "revoked" if revoked_at else "active"
    issued = {"issued_at": issued_at or AT - timedelta(days=3)}
    return {"_id": name, "status_list": NORTH, "status_index": index, "state": state, **issued, **revoked_at}


PUBLISHED: dict[str, Any] = {
    "_id": NORTH,
    "signed_at": AT,
    "purpose": "revocation",
    "epoch": 17,
    "version": 4,
    "bits": StatusList().encode(),
}


async def of_lists(
    credentials: Sequence[dict[str, Any]],
    shown: Sequence[dict[str, Any]],
    published: Sequence[dict[str, Any]] = (PUBLISHED,),
) -> set[tuple[str, str]]:
    """Return what differs, and what cannot be read."""
    client = {
        "issuer": {"credentials": Collection(*credentials), "status_lists": Collection(*published)},
        "verifier": {"status_lists": Collection(*shown)},
    }
    damage = Damage()
    found = {(each.check, each.what) async for each in lists.differences(cast("Client", client), SETTLED, damage)}
    return found | {("documents_unreadable", each) for each in damage.found}


def shown(*indexes: int) -> dict[str, Any]:
    bits = StatusList()
    for index in indexes:
        bits.set(index)
    credential = orjson.dumps({"credentialSubject": {"encodedList": bits.encode()}}).decode()
    return {"_id": NORTH, "epoch": 17, "version": 4, "credential": credential}


CREDENTIALS = (
    credential("active", 1),
    credential("revoked", 2, revoked_at=AT - timedelta(days=2)),
    credential("on-its-way", 3, revoked_at=AT),
)
NOT_SHOWN = ("lists_missing", f"{NORTH}, not at the verifier")


async def test_a_revoked_credential_whose_list_is_not_shown_at_all_is_a_difference_beside_the_list() -> None:
    assert await of_lists(CREDENTIALS, []) == {NOT_SHOWN, ("revocations_not_shown", "revoked")}


async def test_a_list_without_a_revocation_and_with_one_of_nobody_revoked_differs_twice() -> None:
    assert await of_lists(CREDENTIALS, [shown(2)]) == set()
    found = {("revocations_not_shown", "revoked"), ("revocations_without_cause", "active")}
    assert await of_lists(CREDENTIALS, [shown(1)]) == found


async def test_an_entry_that_is_set_and_is_no_credentials_is_a_difference() -> None:
    found = {
        ("revocations_without_cause", f"entry {index} of {NORTH}, which is no credential's")
        for index in (0, 9, 131_071)
    }
    assert await of_lists(CREDENTIALS, [shown(0, 2, 3, 9, 131_071)]) == found


async def test_a_credential_that_does_not_say_which_entry_is_its_own_is_named_and_the_others_are_compared() -> None:
    damaged = {"_id": "damaged", "issuer_id": "north", "status_list": NORTH, "state": "active"}
    unreadable = ("documents_unreadable", "issuer.credentials damaged, of north: ValidationError: status_index")
    assert await of_lists([damaged, *CREDENTIALS], [shown()]) == {unreadable, ("revocations_not_shown", "revoked")}
    stateless = {**CREDENTIALS[0], "_id": "stateless", "state": None}
    del stateless["state"]
    assert await of_lists([stateless], [shown()]) == {
        ("documents_unreadable", "issuer.credentials stateless: ValidationError: state")
    }


async def test_a_list_that_cannot_be_read_is_named_and_ends_nothing() -> None:
    damaged = {**shown(), "credential": "{"}
    assert await of_lists(CREDENTIALS, [damaged]) == {
        ("documents_unreadable", f"verifier.status_lists {NORTH}: JSONDecodeError")
    }


async def test_a_list_that_is_not_shown_is_a_difference_also_where_it_revokes_nobody() -> None:
    assert await of_lists(CREDENTIALS[:1], []) == {NOT_SHOWN}


async def test_a_list_that_was_never_published_is_a_difference_also_where_the_verifier_has_it() -> None:
    never = ("lists_missing", f"{NORTH}, not published")
    assert await of_lists(CREDENTIALS[:1], [shown()], []) == {never}
    assert await of_lists(CREDENTIALS[:1], [shown()], [{**PUBLISHED, "signed_at": None}]) == {never}


@pytest.mark.parametrize("behind", [{"version": 3}, {"epoch": 16, "version": 9}])
async def test_a_list_whose_document_is_older_than_what_is_shown_differs(behind: dict[str, Any]) -> None:
    found = {("lists_behind", NORTH)}
    assert await of_lists(CREDENTIALS, [shown(2)], [{**PUBLISHED, **behind}]) == found
    assert await of_lists(CREDENTIALS, [shown(2)], [{**PUBLISHED, "version": 5}]) == set()


@pytest.mark.parametrize("field", ["purpose", "epoch", "bits"])
async def test_a_list_whose_document_cannot_be_read_differs_and_is_named(field: str) -> None:
    told = f"issuer.status_lists {NORTH}: DamagedFieldError: {field}"
    found = {("lists_behind", NORTH), ("documents_unreadable", told)}
    assert await of_lists(CREDENTIALS, [shown(2)], [{**PUBLISHED, field: "damaged"}]) == found


async def test_a_list_that_has_lost_its_bits_is_not_taken_for_one_of_which_nothing_is_set() -> None:
    lost = {name: value for name, value in PUBLISHED.items() if name != "bits"}
    found = {("lists_behind", NORTH), ("documents_unreadable", f"issuer.status_lists {NORTH}: DamagedFieldError: bits")}
    assert await of_lists(CREDENTIALS, [shown(2)], [lost]) == found


async def test_a_list_of_which_entries_are_given_away_just_now_is_on_its_way_to_the_verifier() -> None:
    assert await of_lists([credential("new", 1, issued_at=AT)], []) == set()


ANNOUNCER = Announcer(Urls("https://badges.example"), SEALING)
LONG_AGO = AT - timedelta(days=2)
BADGE = Credential(
    credential_id=UUID(int=1),
    issuer_id="wattle",
    learner_id=UUID(int=2),
    holding_id=UUID(int=3),
    achievement="wattle/resilience/1",
    level=None,
    evidence_id=None,
    decision_id=DecisionId(UUID(int=4), 1, 1),
    status=StatusEntry(NORTH, 1),
    issued_at=AT - timedelta(days=3),
    document="{}",
)
TAKE_DOWN = TakeDown(LONG_AGO, TakeDownReason.SAFETY)
REVOKED = replace(BADGE, revocation=Revocation(LONG_AGO, RevocationReason.WRONG_LEARNER))
TAKEN_DOWN = replace(BADGE, document=None, revocation=TAKE_DOWN.revocation, take_down=TAKE_DOWN)


def delivery(occasion: Occasion, state: State = State.SENT, **changes: Any) -> StoredDelivery:
    return StoredDelivery(
        id=IDS.delivery_id(BADGE.credential_id, occasion),
        issuer_id=BADGE.issuer_id,
        credential_id=BADGE.credential_id,
        occasion=occasion,
        learner_id=BADGE.learner_id,
        achievement=BADGE.achievement,
        level=None,
        state=state,
        created_at=BADGE.issued_at,
        changed_at=BADGE.issued_at,
        trace="",
        **{"sent_at": BADGE.issued_at if state is State.SENT else None, **changes},
    )


async def untold(badge: Credential, *deliveries: StoredDelivery) -> list[Event] | None:
    """Return what tells of the end of a badge that the notifier missed; None where it missed none."""

    async def everything(_: object) -> AsyncIterator[list[Credential]]:
        yield [badge]

    async def decided(ids: object) -> list[SimpleNamespace]:
        return [SimpleNamespace(decision_id=badge.decision_id, issued_ids=[badge.credential_id])]

    async def find(ids: Sequence[UUID], _damage: Damage) -> dict[UUID, StoredDelivery]:
        wanted = set(ids)
        return {each.id: each for each in deliveries if each.id in wanted}

    async def documents(_: object) -> list[dict[str, Any]]:
        return [{"_id": badge.credential_id, "state": badge.state.value, "document": badge.document}]

    checks: Any = StoreChecks.__new__(StoreChecks)
    checks._ids, checks._announcer, checks._damage = IDS, ANNOUNCER, Damage()
    checks._settled, checks._lately = SETTLED, AT - timedelta(days=25)
    checks._credentials, checks._decisions = SimpleNamespace(everything=everything), SimpleNamespace(of=decided)
    checks._deliveries, checks._documents = SimpleNamespace(find=find), documents
    found = [each async for each in checks._issued()]
    assert {(each.check, each.what) for each in found} <= {("closings_untold", str(badge.credential_id))}
    return [event for each in found for _, event in each.repair] if found else None


async def test_a_badge_whose_learner_was_told_of_it_and_not_of_its_end_is_a_difference_and_is_announced_again() -> None:
    issued = delivery(Occasion.ISSUED)
    told = await untold(REVOKED, issued)
    assert told is not None and any(isinstance(each, CredentialRevoked) for each in told)
    told = await untold(TAKEN_DOWN, issued)
    assert told is not None and any(isinstance(each, CredentialTakenDown) for each in told)
    assert await untold(REVOKED, delivery(Occasion.ISSUED, State.MAY_HAVE_BEEN_SENT)) is not None
    again = delivery(Occasion.ISSUED, State.GAVE_UP, sent_at=BADGE.issued_at)
    assert await untold(REVOKED, again) is not None
    assert await untold(replace(REVOKED, issued_at=AT - timedelta(days=200)), issued) is not None
    # A revocation and a take-down that came later are told each.
    both = replace(TAKEN_DOWN, revocation=REVOKED.revocation)
    assert await untold(both, issued, delivery(Occasion.TAKEN_DOWN)) is not None


async def test_a_badge_whose_learner_is_told_of_its_end_or_was_never_told_of_it_is_no_difference() -> None:
    issued = delivery(Occasion.ISSUED)
    assert await untold(BADGE, issued) is None
    for state in (State.SENT, State.NO_ADDRESS, State.CANCELLED, State.GAVE_UP):
        assert await untold(REVOKED, issued, delivery(Occasion.REVOKED, state)) is None
    assert await untold(TAKEN_DOWN, issued, delivery(Occasion.TAKEN_DOWN)) is None
    assert await untold(REVOKED, delivery(Occasion.ISSUED, State.CANCELLED, cancel_reason="revoked")) is None
    just_now = replace(REVOKED, revocation=Revocation(AT, RevocationReason.WRONG_LEARNER))
    assert await untold(just_now, issued) is None
    # The notifier has forgotten by then.
    long_ago = replace(
        REVOKED,
        issued_at=AT - timedelta(days=200),
        revocation=Revocation(AT - timedelta(days=150), RevocationReason.OTHER),
    )
    assert await untold(long_ago, issued) is None
