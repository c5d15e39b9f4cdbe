"""Evidence that is withdrawn counts no more: what rested on it is revoked, and what is still earned is awarded."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.contracts.cloudevents import Outgoing, Received
from libs.contracts.events import (
    AchievementPublished,
    ByHand,
    CredentialDocument,
    CredentialIssued,
    CredentialRevoked,
    EvidenceDecided,
    EvidenceSubmitted,
    EvidenceWithdrawn,
    Outcome,
    ReconsiderHolding,
)
from libs.contracts.proofs import ForgedEventError
from libs.contracts.reasons import AwardReason, RevocationReason, WithdrawalReason
from libs.contracts.results import SoloLevel
from services.issuer.credentials.announcements import Announcer
from services.issuer.decisions.decision import Decision, Reason
from services.issuer.decisions.holdings import ClosedHoldings
from services.issuer.decisions.learner_events import LearnerEvent, LearnerEvents
from services.issuer.decisions.made_again import MadeAgain
from services.issuer.decisions.reconsidering import Reconsidering
from services.issuer.decisions.withdrawing import Withdrawing
from services.issuer.decisions.worker import Awarding
from services.issuer.urls import Urls
from tests.ids import PROOFS, SEALING, SUPERSEDING_PROOFS, event_id
from tests.issuer_doubles import (
    NOW,
    TRACE,
    MemoryAudit,
    MemoryCatalogue,
    MemoryDecisions,
    MemoryPublished,
    achievement,
    counted_together,
    evidence,
    history,
    issuer,
)
from tests.unit.test_issuer_awarding import DyingDecisions, KilledError, awarding, outcomes, pieces_kept

U, M, R, E = SoloLevel.UNISTRUCTURAL, SoloLevel.MULTISTRUCTURAL, SoloLevel.RELATIONAL, SoloLevel.EXTENDED_ABSTRACT


class Lists:
    """Counts the changes of status lists."""

    def __init__(self) -> None:
        self.changes: list[str] = []

    async def changed(self, list_ids: Sequence[str], since: datetime) -> None:
        assert since <= NOW + timedelta(days=1)
        self.changes += list_ids


def offered(revoked_with_holdings: bool = True) -> list[AchievementPublished]:
    wit, *above = counted_together()
    above = [each.model_copy(update={"revoked_with_holdings": revoked_with_holdings}) for each in above]
    return [achievement(), achievement("care", repeatable=True), wit, *above]


class School:
    """A process of the issuer, and all that it published."""

    def __init__(self, store: MemoryDecisions | None = None, revoked_with_holdings: bool = True) -> None:
        self.store = store or MemoryDecisions()
        self.catalogue = MemoryCatalogue([issuer()], offered(revoked_with_holdings))
        self.published: list[Outgoing] = []
        self.audit, self.lists = MemoryAudit(), Lists()
        self.told = MemoryPublished()

    async def handle(self, *events: LearnerEvent) -> list[Outgoing]:
        """Apply these in one batch; return what is published for them."""
        published: list[Outgoing] = []
        worker = self.awarding(published)
        again = MadeAgain(
            worker,
            decisions=self.store,
            history=history(self.store, self.told),
            credentials=self.store.credentials,
            lists=self.lists,
            announcer=Announcer(Urls("https://badges.example"), SEALING),
            audit=self.audit,
        )
        reconsidering = Reconsidering(worker, again, self.store.credentials, lambda: NOW)
        handler = LearnerEvents(
            worker,
            Withdrawing(worker, again, lambda: NOW),
            reconsidering,
            proofs=PROOFS,
            superseding_proofs=SUPERSEDING_PROOFS,
        )
        rest = await handler.handle([Received(each, each.key, TRACE) for each in events])
        self.published += [*published, *rest]
        return [*published, *rest]

    def awarding(self, published: list[Outgoing]) -> Awarding:
        """Return what decides evidence, and publishes into this list."""
        return awarding(
            self.store,
            published,
            self.catalogue,
            audit=self.audit,
            told=self.told,
            lists=self.lists,
            stacked=ClosedHoldings(self.catalogue, PROOFS),
        )

    @property
    def active(self) -> set[tuple[str, str | None]]:
        stored = self.store.credentials.stored.values()
        return {(each.achievement, each.level) for each in stored if each.revocation is None}

    def row(self, row: int) -> Decision:
        return max((each for key, each in self.store.stored.items() if key.row == row), key=lambda each: each.sequence)


def withdrawn(piece: EvidenceSubmitted, reason: WithdrawalReason = WithdrawalReason.CORRECTED) -> EvidenceWithdrawn:
    event = EvidenceWithdrawn(
        submission_id=piece.submission_id,
        batch_id=piece.batch_id,
        row=piece.row,
        issuer_id=piece.issuer_id,
        learner_id=piece.learner_id,
        reason=reason,
        withdrawn_by="key:wattle/office",
        withdrawn_at=NOW + timedelta(days=1),
    )
    return PROOFS.proven(event)


def wit(row: int, level: SoloLevel = R, **changes: Any) -> EvidenceSubmitted:
    return evidence(row, level, **({"achievement": "wit"} | changes))


def decided(outgoing: Iterable[Outgoing]) -> list[EvidenceDecided]:
    return [each.event for each in outgoing if isinstance(each.event, EvidenceDecided)]


async def test_what_one_piece_earned_is_revoked_with_it_and_everybody_is_told() -> None:
    school, piece = School(), evidence(1)
    await school.handle(piece)
    out = await school.handle(withdrawn(piece, WithdrawalReason.WRONG_LEARNER))
    (credential,) = school.store.credentials.stored.values()
    assert credential.revocation is not None
    assert (credential.revocation.reason, credential.revocation.request_id) == (
        RevocationReason.EVIDENCE_WITHDRAWN, None,
    )  # fmt: skip
    (told,) = decided(out)
    assert (told.outcome, told.reason, told.sequence) == (Outcome.WITHDRAWN, "wrong_learner", 2)
    assert told.revoked == (credential.credential_id,)
    assert [type(each.event) for each in out] == [EvidenceDecided, CredentialRevoked, CredentialDocument]
    assert school.lists.changes == [credential.status.list_id]
    assert [entry.subject for entry in school.audit.entries[1:]] == [f"credential {credential.credential_id}"]


async def test_what_was_held_against_other_evidence_is_earned_by_that_once_it_is_revoked() -> None:
    school = School()
    first, same, lower = evidence(1, E), evidence(2, E), evidence(3, R)
    await school.handle(first, same, lower)
    await school.handle(withdrawn(first))
    assert (school.row(2).outcome, school.row(3).outcome) == (Outcome.ISSUED, Outcome.DUPLICATE)
    await school.handle(withdrawn(same))
    assert (school.row(3).outcome, school.row(3).sequence) == (Outcome.ISSUED, 3)
    assert school.active == {("wattle/resilience/1", R)}
    issued = [each.event.credential_id for each in school.published if isinstance(each.event, CredentialIssued)]
    assert set(issued) == school.store.credentials.stored.keys()


async def test_an_award_that_counts_evidence_together_stands_while_what_is_left_comes_to_it() -> None:
    school = School()
    pieces = [wit(1), wit(2), wit(3)]
    await school.handle(*pieces)
    await school.handle(withdrawn(pieces[0]))
    assert school.active == {("wattle/wit/1", R)}
    await school.handle(withdrawn(pieces[1]))
    assert school.active == set()
    await school.handle(wit(4))
    assert school.active == {("wattle/wit/1", R)}, "what else a withdrawn award was made of counts again"


async def test_an_award_by_hand_goes_with_its_evidence_unless_what_is_kept_comes_to_it() -> None:
    school, hand = School(), ByHand(reason=AwardReason.APPEAL, awarded_by="key:wattle/registry")
    given_by_hand = wit(1, R, by_hand=hand)
    await school.handle(given_by_hand, wit(2, M), wit(3, M))
    assert school.active == {("wattle/wit/1", R)}
    await school.handle(withdrawn(given_by_hand))
    assert len(school.row(1).revoked) == 1
    assert school.active == {("wattle/wit/1", M)}, "what the rule comes to is awarded instead"
    another = wit(4, M, by_hand=hand)
    await school.handle(another)
    await school.handle(withdrawn(another))
    assert school.active == {("wattle/wit/1", M)}


async def test_what_is_still_earned_at_a_lower_level_is_awarded_with_the_withdrawal() -> None:
    school = School()
    pieces = [wit(1, R), wit(2, R), wit(3, M)]
    await school.handle(*pieces)
    out = await school.handle(withdrawn(pieces[0]))
    assert school.active == {("wattle/wit/1", M)}
    (told,) = decided(out)
    assert told.stacked is not None
    assert [(each.achievement, each.level) for each in told.stacked] == [("wattle/wit/1", M)]
    assert set(told.stacked[0].evidence) == {pieces[1].evidence_id, pieces[2].evidence_id}


@pytest.mark.parametrize(("policy", "left"), [(True, set()), (False, {"wattle/character/1", "wattle/diploma/1"})])
async def test_what_stacked_on_a_revoked_award_stays_or_goes_as_its_achievement_says(
    policy: bool, left: set[str]
) -> None:
    school = School(revoked_with_holdings=policy)
    await school.handle(wit(1), wit(2), evidence(3))
    await school.handle(withdrawn(evidence(3)))
    assert {name for name, _ in school.active} == {"wattle/wit/1", *left}
    reasons = {
        each.revocation.reason for each in school.store.credentials.stored.values() if each.revocation is not None
    }
    stacked = set() if left else {RevocationReason.STACKED_ON_REVOKED}
    assert reasons == {RevocationReason.EVIDENCE_WITHDRAWN, *stacked}
    await school.handle(evidence(4))
    assert {name for name, _ in school.active} == {
        "wattle/wit/1", "wattle/resilience/1", "wattle/character/1", "wattle/diploma/1",
    }  # fmt: skip


async def test_what_stacks_stays_where_another_award_takes_the_place_of_the_revoked_one() -> None:
    school = School()
    await school.handle(wit(1), wit(2), evidence(3), evidence(4))
    await school.handle(withdrawn(evidence(3)))
    revoked = [each for each in school.store.credentials.stored.values() if each.revocation is not None]
    assert {each.achievement for each in revoked} == {"wattle/resilience/1", "wattle/character/1", "wattle/diploma/1"}
    assert len(school.active) == 4


async def test_the_right_evidence_counts_under_the_source_id_of_what_was_withdrawn_and_the_same_does_not() -> None:
    school, wrong = School(), evidence(1, E, source_id="x")
    await school.handle(wrong)
    await school.handle(evidence(2, R, source_id="x", digest="right"))
    assert school.row(2).reason is Reason.SOURCE_ID_REUSED
    await school.handle(withdrawn(wrong), evidence(3, E, source_id="x"))
    assert (school.row(3).outcome, school.row(3).reason) == (Outcome.REFUSED, Reason.WITHDRAWN_BEFORE)
    await school.handle(evidence(4, R, source_id="x", digest="right"), evidence(5, R, source_id="x", digest="right"))
    assert (school.row(4).outcome, school.row(5).reason) == (Outcome.ISSUED, Reason.SENT_BEFORE)
    assert school.active == {("wattle/resilience/1", R)}


async def test_evidence_that_waits_or_was_refused_is_withdrawn_and_waits_no_longer() -> None:
    school, piece = School(), evidence(1, achievement="unknown")
    await school.handle(piece)
    out = await school.handle(withdrawn(piece))
    assert [each.outcome for each in decided(out)] == [Outcome.WITHDRAWN]
    done = await awarding(school.store, None, school.catalogue).reconsider(list(school.store.waiting.values()), NOW)
    assert [each.row for each in done.ended] == [1]


async def test_a_withdrawal_by_another_issuer_or_of_what_was_never_decided_does_nothing() -> None:
    school, piece = School(), evidence(1)
    await school.handle(piece)
    others = PROOFS.proven(withdrawn(piece).model_copy(update={"issuer_id": "banksia"}))
    assert await school.handle(others, withdrawn(evidence(7))) == []
    assert len(school.active) == 1


async def test_a_withdrawal_without_the_proof_of_what_it_says_is_not_applied() -> None:
    school, piece = School(), evidence(1)
    await school.handle(piece)
    for forged in ({"proof": None}, {"reason": WithdrawalReason.OTHER}, {"proof": "0" * 64}):
        with pytest.raises(ForgedEventError):
            await school.handle(withdrawn(piece).model_copy(update=forged))
    assert len(school.active) == 1


async def test_what_was_revoked_by_hand_stays_so_and_what_it_was_made_of_counts_for_no_other() -> None:
    school = School()
    pieces = [wit(1), wit(2), wit(3)]
    await school.handle(*pieces[:2])
    (held,) = school.store.credentials.stored
    school.store.credentials.revoke(held)
    await school.handle(withdrawn(pieces[0]), pieces[2])
    assert school.active == set()


async def test_a_withdrawal_that_comes_again_is_announced_alike_and_changes_nothing() -> None:
    school = School()
    await school.handle(evidence(1, E), evidence(2, E), wit(3), wit(4))
    first = await school.handle(withdrawn(evidence(1, E)))
    before = dict(school.store.stored), dict(school.store.credentials.stored)
    again = await School(school.store).handle(withdrawn(evidence(1, E)))
    assert (school.store.stored, school.store.credentials.stored) == before
    told = {event_id(each.event): each.event for each in again}
    assert {event_id(each.event): each.event for each in first} == told


def reconsider(school: School, achievement_key: str) -> ReconsiderHolding:
    """What is asked for once a credential of this achievement was closed, or swept for."""
    (held,) = (each for each in school.store.credentials.stored.values() if each.achievement == achievement_key)
    event = ReconsiderHolding(
        credential_id=held.credential_id, issuer_id=held.issuer_id, learner_id=held.learner_id, requested_at=NOW
    )
    return PROOFS.proven(event)


async def test_an_achievement_that_is_published_above_held_ones_is_awarded_with_all_that_follows() -> None:
    school = School()
    above = [each for each in school.catalogue.versions if each.achievement_id in {"character", "diploma"}]
    school.catalogue.versions = [each for each in school.catalogue.versions if each not in above]
    await school.handle(wit(1), wit(2), evidence(3))
    asking = [reconsider(school, each) for each in ("wattle/wit/1", "wattle/resilience/1")]
    assert await school.handle(*asking) == []
    school.catalogue.versions += above
    out = await school.handle(*asking)
    assert {name for name, _ in school.active} >= {"wattle/character/1", "wattle/diploma/1"}
    issued = [each.event.achievement for each in out if isinstance(each.event, CredentialIssued)]
    assert sorted(issued).count("wattle/character/1") == 1
    row = school.row(2)
    assert (row.outcome, row.sequence, [each.achievement for each in row.stacked]) == (
        Outcome.ISSUED, 2, ["wattle/character/1", "wattle/diploma/1"],
    )  # fmt: skip
    before = dict(school.store.stored), dict(school.store.credentials.stored)
    again = await school.handle(*asking)
    assert (school.store.stored, school.store.credentials.stored) == before
    assert {event_id(each.event) for each in again} == {event_id(each.event) for each in out}
    await school.handle(withdrawn(wit(1)))
    assert school.active == {("wattle/resilience/1", R)}


@pytest.mark.parametrize(("policy", "left"), [(True, 1), (False, 3)])
async def test_what_stacked_on_a_badge_that_somebody_revoked_stays_or_goes_as_its_achievement_says(
    policy: bool, left: int
) -> None:
    school = School(revoked_with_holdings=policy)
    await school.handle(wit(1), wit(2), evidence(3))
    asking = reconsider(school, "wattle/wit/1")
    school.store.credentials.revoke(asking.credential_id)
    out = await school.handle(asking)
    assert len(school.active) == left
    closed = [each.event.reason for each in out if isinstance(each.event, CredentialRevoked)]
    assert closed == ([RevocationReason.STACKED_ON_REVOKED] * 2 if policy else [])
    assert {event_id(each.event) for each in await school.handle(asking)} == {event_id(each.event) for each in out}


drawn = st.lists(
    st.tuples(
        st.sampled_from(["resilience", "wit", "wit", "care"]),
        st.sampled_from(SoloLevel),
        st.sampled_from(["s1", "s2"]),
        st.booleans(),
    ),
    min_size=1,
    max_size=10,
)


@settings(deadline=None, max_examples=60)
@given(content=drawn, random=st.randoms(use_true_random=False))
async def test_in_any_order_the_same_evidence_and_withdrawals_come_to_the_same_highest_awards(
    content: list[tuple[str, SoloLevel, str, bool]], random: Any
) -> None:
    pieces = [
        (evidence(row, level, achievement=name, learner=learner), taken)
        for row, (name, level, learner, taken) in enumerate(content, 1)
    ]
    never = School()
    await never.handle(*(each for each, taken in pieces if not taken))

    school = School()
    events: list[LearnerEvent] = [each for each, _ in pieces]
    random.shuffle(events)
    for piece in (each for each, taken in pieces if taken):
        # Behind its evidence, as on the topic.
        events.insert(random.randint(events.index(piece) + 1, len(events)), withdrawn(piece))
    position = 0
    while position < len(events):
        end = position + random.randint(1, 4)
        await school.handle(*events[max(0, position - random.randint(0, 2)) : end])
        position = end
    assert highest(school) == highest(never)


def highest(school: School) -> dict[tuple[UUID, str], int]:
    """Return by learner and achievement the rank of the highest award; of a repeatable one, how many there are."""
    best: dict[tuple[UUID, str], int] = {}
    for each in school.store.credentials.stored.values():
        if each.revocation is None:
            key, rank = (each.learner_id, each.achievement), 0 if each.level is None else each.level.rank
            best[key] = best.get(key, 0) + 1 if "care" in each.achievement else max(best.get(key, -1), rank)
    return best


@pytest.mark.parametrize("death", ["before recording", "after recording"])
@pytest.mark.parametrize("taken", range(1, 6))
async def test_killed_around_the_record_a_withdrawal_comes_to_the_same(death: str, taken: int) -> None:
    pieces = [evidence(1, E), evidence(2, E), wit(3), wit(4), wit(5, M)]
    calm = School()
    await calm.handle(*pieces)
    await calm.handle(withdrawn(pieces[taken - 1]))

    store = DyingDecisions()
    school = School(store)
    await school.handle(*pieces)
    store.dies = death
    with pytest.raises(KilledError):
        await school.handle(withdrawn(pieces[taken - 1]))
    await school.handle(withdrawn(pieces[taken - 1]))
    assert outcomes(store) == outcomes(calm.store)
    assert pieces_kept(store) == pieces_kept(calm.store)
    assert highest(school) == highest(calm)
    told = {event_id(each.event) for each in school.published}
    assert told == {event_id(each.event) for each in calm.published}


@pytest.mark.parametrize("cut", range(7))
async def test_a_store_that_is_set_back_comes_to_the_same_by_what_was_published(cut: int) -> None:
    pieces = [evidence(1, E), evidence(2, E), wit(3), wit(4), wit(5, M)]
    right = evidence(6, R, source_id="e1", digest="right")
    events: list[LearnerEvent] = [*pieces, withdrawn(pieces[0]), withdrawn(pieces[2]), right]
    truth = School()
    for each in events:
        await truth.handle(each)

    school = School()
    for each in events[:cut]:
        await school.handle(each)
    # What the documents on their topic bring back, and what was decided.
    school.store.credentials.stored |= truth.store.credentials.stored
    school.told = MemoryPublished(
        each for each in decided(truth.published) if (each.batch_id, each.row, each.sequence) not in school.store.stored
    )
    for each in events[cut:]:
        await school.handle(each)
    assert school.store.credentials.stored == truth.store.credentials.stored
    assert school.store.stored == truth.store.stored
    assert counting(school) == counting(truth)


def counting(school: School) -> dict[UUID, tuple[object, object]]:
    """Return what is kept to count together, in whatever order awards were noted."""
    kept = {key: each for key, each in pieces_kept(school.store).items() if each.says_something}
    return {key: (each.pieces, set(each.awards)) for key, each in kept.items()}
