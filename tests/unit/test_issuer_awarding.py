"""Awarding against a store in memory: wherever the stream is cut and whatever step dies, the result is the same."""

import asyncio
import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymongo.errors import ServerSelectionTimeoutError

from libs.audit.entry import Action
from libs.contracts.cloudevents import Outgoing
from libs.contracts.events import (
    CredentialDocument,
    CredentialIssued,
    EvidenceDecided,
    EvidenceSubmitted,
    Outcome,
    Suspension,
)
from libs.contracts.reasons import SuspensionReason
from libs.contracts.results import SoloLevel
from services.issuer.credentials.announcements import Announcer
from services.issuer.credentials.credential import Credential
from services.issuer.credentials.hindrance import Hindrance
from services.issuer.credentials.worker import ChangedLists, StackedUpon
from services.issuer.decision_ids import DecisionId, PieceId
from services.issuer.decisions.context import Owner
from services.issuer.decisions.decision import NO_CHANGES, Changes, Decision, Reason, Waiting
from services.issuer.decisions.kept import Kept
from services.issuer.decisions.ports import Reconsidered
from services.issuer.decisions.waiting import WaitingEvidence
from services.issuer.decisions.worker import Awarding, DecidingStuckError
from services.issuer.urls import Urls
from tests.ids import IDS, SEALING, event_id
from tests.issuer_doubles import (
    NOW,
    MemoryAudit,
    MemoryCatalogue,
    MemoryDecisions,
    MemoryPublished,
    MemoryStatusEntries,
    PlainSigner,
    achievement,
    counted_together,
    event_ids,
    evidence,
    history,
    issuer,
    received,
    superseding_of,
)


class KilledError(BaseException):
    """Stands for SIGKILL: nothing catches it."""


class DyingDecisions(MemoryDecisions):
    """Dies at the next call of this kind, before or after its effect; then lives on."""

    dies: str = ""

    async def record(
        self,
        decisions: Sequence[Decision],
        credentials: Sequence[Credential],
        waiting: Sequence[Waiting],
        kept: Sequence[Kept] = (),
        changes: Changes = NO_CHANGES,
    ) -> bool:
        self._die("before recording")
        done = await super().record(decisions, credentials, waiting, kept, changes)
        self._die("after recording")
        return done

    async def owners(self, evidence_ids: Iterable[UUID]) -> dict[UUID, Owner]:
        self._die("before deciding")
        return await super().owners(evidence_ids)

    async def end_waiting(self, pieces: Iterable[PieceId]) -> None:
        self._die("before the end of waiting")
        await super().end_waiting(pieces)

    def _die(self, where: str) -> None:
        if self.dies == where:
            self.dies = ""
            raise KilledError(where)


class Clock:
    """Each look is a second later, so that nothing is the same by accident."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


LONGEST_WAIT = timedelta(hours=1)
LONGEST_SUSPENDED = timedelta(days=30)


def published_in() -> MemoryCatalogue:
    return MemoryCatalogue([issuer()], [achievement(), achievement("care", repeatable=True), *counted_together()])


def awarding(  # what a test leaves out is as usual
    store: MemoryDecisions,
    published: list[Outgoing] | None = None,
    catalogue: MemoryCatalogue | None = None,
    longest_wait: timedelta = LONGEST_WAIT,
    *,
    audit: MemoryAudit | None = None,
    told: MemoryPublished | None = None,
    signer: PlainSigner | None = None,
    lists: ChangedLists | None = None,
    stacked: StackedUpon | None = None,
) -> Awarding:
    async def publish(outgoing: Sequence[Outgoing]) -> None:
        if published is not None:
            published.extend(outgoing)

    announcer = Announcer(Urls("https://badges.example"), SEALING)
    return Awarding(
        ids=IDS,
        decisions=store,
        history=history(store, told),
        credentials=store.credentials,
        catalogue=catalogue or published_in(),
        signer=signer or PlainSigner(),
        entries=MemoryStatusEntries(),
        announcer=announcer,
        superseding=superseding_of(store, announcer, lists, stacked),
        audit=audit or MemoryAudit(),
        publish=publish,
        clock=Clock(),
        longest_wait=longest_wait,
        longest_suspended=LONGEST_SUSPENDED,
    )


def outcomes(store: MemoryDecisions) -> dict[DecisionId, tuple[object, object, object]]:
    return {key: (each.outcome, each.reason, each.credential_id) for key, each in store.stored.items()}


def pieces_kept(store: MemoryDecisions) -> dict[UUID, Kept]:
    return {key: replace(each, version=0) for key, each in store.kept_evidence.items()}


pieces = st.builds(
    lambda level, learner, source, offered: (level, learner, source, offered),
    st.sampled_from(SoloLevel),
    st.sampled_from(["s1", "s2"]),
    st.integers(1, 6),
    st.sampled_from(["resilience", "resilience", "wit", "wit", "care", "unknown"]),
)


def stream(drawn: Sequence[tuple[SoloLevel, str, int, str]]) -> list[EvidenceSubmitted]:
    return [
        # A source id may come again with the same or with another digest.
        evidence(row, level, learner=learner, source_id=f"x{source}", digest=f"{source % 3} {level}", achievement=what)
        for row, (level, learner, source, what) in enumerate(drawn, 1)
    ]


async def test_decisions_are_read_only_where_some_of_a_batch_are_recorded_already() -> None:
    class Counting(MemoryDecisions):
        reads = 0

        async def newest(self, pieces: Iterable[PieceId]) -> dict[UUID, Decision]:
            self.reads += 1
            return await super().newest(pieces)

    store, published = Counting(), list[Outgoing]()
    more = stream([(SoloLevel.RELATIONAL, "s1", 1, "resilience"), (SoloLevel.RELATIONAL, "s2", 2, "care")])
    await awarding(store, published).handle(received(more[:1]))
    assert store.reads == 0
    announced = [event_id(each.event) for each in published]
    await awarding(store, published).handle(received(more))
    assert store.reads == 1
    again = [event_id(each.event) for each in published[len(announced) :]]
    assert set(announced) < set(again)
    assert len(store.stored) == 2


@settings(deadline=None)
@given(
    drawn=st.lists(pieces, min_size=1, max_size=14),
    cuts=st.lists(st.integers(1, 5), min_size=1, max_size=14),
    deaths=st.lists(
        st.sampled_from(["", "before deciding", "before recording", "after recording", "before committing"]),
        max_size=14,
    ),
)
async def test_cutting_the_stream_anywhere_and_dying_at_any_step_decides_the_same(
    drawn: list[tuple[SoloLevel, str, int, str]], cuts: list[int], deaths: list[str]
) -> None:
    everything = stream(drawn)
    calm = MemoryDecisions()
    for piece in everything:
        await awarding(calm).handle(received([piece]))

    store, announced, position, turn = DyingDecisions(), list[Outgoing](), 0, 0
    while position < len(everything):
        end = min(len(everything), position + cuts[turn % len(cuts)])
        death = deaths[turn] if turn < len(deaths) else ""
        turn += 1
        store.dies = death
        try:
            announced += await awarding(store, announced).handle(received(everything[position:end]))
        except KilledError:
            continue  # nothing was committed: the same position again, cut in another way
        store.dies = ""
        if death != "before committing":
            position = end

    assert outcomes(store) == outcomes(calm)
    assert store.credentials.stored.keys() == calm.credentials.stored.keys()
    assert pieces_kept(store) == pieces_kept(calm)
    distinct = {(event_id(each.event), each.event.model_dump_json()) for each in announced}
    assert len(distinct) == len({event_id for event_id, _ in distinct}), "one event id, two contents"
    told = {each.event.submission_id for each in announced if isinstance(each.event, EvidenceDecided)}
    assert told == {piece.submission_id for piece in everything}
    issued = {each.event.credential_id for each in announced if isinstance(each.event, CredentialIssued)}
    assert issued == store.credentials.stored.keys()


async def test_redelivery_makes_the_same_events_with_the_same_ids_and_documents() -> None:
    store = MemoryDecisions()
    batch = received([evidence(1), evidence(2, SoloLevel.UNISTRUCTURAL), evidence(3, learner="s2")])
    first, second = list[Outgoing](), list[Outgoing]()
    first += await awarding(store, first).handle(batch)
    second += await awarding(store, second).handle(batch)
    assert len(first) == 7
    assert event_ids(first) == event_ids(second)
    assert [each.event for each in first] == [each.event for each in second]


async def test_what_a_batch_signs_is_in_the_audit_log_before_it_is_recorded_and_redelivery_adds_nothing() -> None:
    audit = MemoryAudit()

    class Watching(MemoryDecisions):
        async def record(
            self,
            decisions: Sequence[Decision],
            credentials: Sequence[Credential],
            waiting: Sequence[Waiting],
            kept: Sequence[Kept] = (),
            changes: Changes = NO_CHANGES,
        ) -> bool:
            assert len(audit.entries) == 1
            return await super().record(decisions, credentials, waiting, kept, changes)

    store, batch = Watching(), received([evidence(1), evidence(2, SoloLevel.UNISTRUCTURAL), evidence(3, learner="s2")])
    for _ in range(2):
        await awarding(store, audit=audit).handle(batch)
    (entry,) = audit.entries
    assert (entry.action, entry.cause.principal) == (Action.CREDENTIALS_SIGNED, "service:issuer")
    ids = " ".join(str(each) for each in store.credentials.stored)
    assert entry.details == {"credentials": {issuer().issuer_id: 2}, "credential_ids": {issuer().issuer_id: ids}}


async def test_another_worker_that_recorded_first_wins_and_its_credential_is_announced() -> None:
    class Overtaken(MemoryDecisions):
        async def record(
            self,
            decisions: Sequence[Decision],
            credentials: Sequence[Credential],
            waiting: Sequence[Waiting],
            kept: Sequence[Kept] = (),
            changes: Changes = NO_CHANGES,
        ) -> bool:
            if not self.stored:
                theirs = [replace(each, document="the other worker's") for each in credentials]
                assert await super().record(decisions, theirs, waiting, kept, changes)
            return await super().record(decisions, credentials, waiting, kept, changes)

    published: list[Outgoing] = []
    rest = await awarding(Overtaken(), published).handle(received([evidence(1)]))
    documents = [each.event.document for each in [*published, *rest] if isinstance(each.event, CredentialDocument)]
    assert documents == ["the other worker's"]


async def test_a_store_that_refuses_for_no_reason_is_a_defect_and_loses_nothing() -> None:
    class Refusing(MemoryDecisions):
        async def record(
            self,
            decisions: Sequence[Decision],
            credentials: Sequence[Credential],
            waiting: Sequence[Waiting],
            kept: Sequence[Kept] = (),
            changes: Changes = NO_CHANGES,
        ) -> bool:
            return False

    with pytest.raises(DecidingStuckError):
        await awarding(Refusing()).handle(received([evidence(1)]))


async def test_a_submission_that_stands_twice_in_a_batch_is_decided_once() -> None:
    store, out = MemoryDecisions(), list[Outgoing]()
    out += await awarding(store, out).handle(received([evidence(1), evidence(1)]))
    assert [type(each.event) for each in out] == [CredentialIssued, CredentialDocument, EvidenceDecided]


async def test_a_credential_revoked_before_its_first_announcement_is_announced_as_revoked_last() -> None:
    class Revoked(MemoryDecisions):
        async def record(
            self,
            decisions: Sequence[Decision],
            credentials: Sequence[Credential],
            waiting: Sequence[Waiting],
            kept: Sequence[Kept] = (),
            changes: Changes = NO_CHANGES,
        ) -> bool:
            done = await super().record(decisions, credentials, waiting, kept, changes)
            for each in list(self.credentials.stored):
                self.credentials.revoke(each)
            return done

    out = list[Outgoing]()
    out += await awarding(Revoked(), out).handle(received([evidence(1)]))
    documents = [each.event.state for each in out if isinstance(each.event, CredentialDocument)]
    assert documents[-1] == "revoked"


async def test_a_credential_taken_down_before_redelivery_is_announced_without_its_text() -> None:
    store, published = MemoryDecisions(), list[Outgoing]()
    batch = received([evidence(1)])
    await awarding(store).handle(batch)
    store.credentials.take_down(next(iter(store.credentials.stored)))
    published += await awarding(store, published).handle(batch)
    documents = [each.event for each in published if isinstance(each.event, CredentialDocument)]
    assert [(each.state, each.document) for each in documents] == [("taken_down", None)]


@pytest.mark.parametrize("before", ["active", "revoked"])
async def test_a_credential_taken_down_while_it_is_announced_again_ends_without_its_text(before: str) -> None:
    store, published = MemoryDecisions(), list[Outgoing]()
    batch = received([evidence(1)])
    await awarding(store).handle(batch)
    credential_id = next(iter(store.credentials.stored))
    if before == "revoked":
        store.credentials.revoke(credential_id)

    async def publish(outgoing: Sequence[Outgoing]) -> None:
        published.extend(outgoing)
        store.credentials.take_down(credential_id)

    again = awarding(store)
    again._publish = publish
    published += await again.handle(batch)
    documents = [each.event for each in published if isinstance(each.event, CredentialDocument)]
    assert [each.state for each in documents] == [before, "taken_down"]
    assert documents[-1].document is None


async def test_a_credential_revoked_before_redelivery_is_announced_as_revoked() -> None:
    store, published = MemoryDecisions(), list[Outgoing]()
    batch = received([evidence(1)])
    await awarding(store).handle(batch)
    store.credentials.revoke(next(iter(store.credentials.stored)))
    published += await awarding(store, published).handle(batch)
    assert [each.event.state for each in published if isinstance(each.event, CredentialDocument)] == ["revoked"]


async def test_a_credential_revoked_while_it_is_announced_again_ends_as_revoked_on_its_topic() -> None:
    store, published = MemoryDecisions(), list[Outgoing]()
    batch = received([evidence(1)])
    await awarding(store).handle(batch)

    async def publish(outgoing: Sequence[Outgoing]) -> None:
        published.extend(outgoing)
        store.credentials.revoke(next(iter(store.credentials.stored)))

    again = awarding(store)
    again._publish = publish
    published += await again.handle(batch)
    states = [each.event.state for each in published if isinstance(each.event, CredentialDocument)]
    assert states == ["active", "revoked"]


async def test_evidence_that_cannot_be_written_is_refused_and_the_rest_of_the_batch_goes_on() -> None:
    store = MemoryDecisions()
    await awarding(store).handle(received([evidence(1, link="https://a b"), evidence(2)]))
    assert [(each.outcome, each.reason) for each in store.stored.values()] == [
        (Outcome.REFUSED, Reason.CANNOT_BE_WRITTEN),
        (Outcome.ISSUED, None),
    ]


async def test_a_piece_is_kept_whole_beside_its_decision() -> None:
    store = MemoryDecisions()
    piece = evidence(1, link="https://wattle.example/1", class_id="7B", term="2026-T1", assessor_id=UUID(int=3))
    await awarding(store).handle(received([piece]))
    (kept,) = store.stored.values()
    assert kept.evidence == piece
    assert (kept.sequence, kept.achievement, kept.rule_version) == (
        1,
        "wattle/resilience/1",
        "wattle/resilience/1, rules 5",
    )


class WaitingRoom:
    """Evidence for what is not published, and the process that looks after it; `moment` is its clock."""

    def __init__(self, *, store: MemoryDecisions | None = None, longest_wait: timedelta = LONGEST_WAIT) -> None:
        self.store = store or MemoryDecisions()
        self.catalogue = MemoryCatalogue([issuer()], [])
        self.signer = PlainSigner()
        self.published: list[Outgoing] = []
        self.moment = NOW
        self.longest_wait = longest_wait

    async def send(self, *pieces: EvidenceSubmitted) -> None:
        self.published += await self.worker.handle(received(pieces))

    @property
    def worker(self) -> Awarding:
        return awarding(self.store, self.published, self.catalogue, self.longest_wait, signer=self.signer)

    async def tick(self) -> float:
        waiting = WaitingEvidence(self.store, awarding=self.worker, catalogue=self.catalogue, clock=lambda: self.moment)
        return await waiting.tick()

    def told(self) -> list[tuple[int, Outcome, str | None]]:
        decided = [each.event for each in self.published if isinstance(each.event, EvidenceDecided)]
        return [(each.sequence, each.outcome, each.reason) for each in decided]


WAITS = (1, Outcome.WAITING, "unknown_achievement")


async def test_evidence_that_waits_is_decided_when_its_achievement_is_published() -> None:
    room = WaitingRoom()
    await room.send(evidence(1), evidence(2, SoloLevel.UNISTRUCTURAL), evidence(3, achievement="never"))
    await room.tick()
    assert room.told() == [WAITS] * 3, "nothing that goes on waiting is announced again"
    room.catalogue.versions.append(achievement())
    await room.tick()
    assert room.told()[3:] == [(2, Outcome.ISSUED, None), (2, Outcome.NOT_YET, "below_required_level")]
    assert [each.achievement for each in room.store.waiting.values()] == ["never"]
    assert len(room.store.stored) == 5, "the first decisions are kept"
    (credential,) = room.store.credentials.stored.values()
    assert credential.decision_id == DecisionId(evidence(1).batch_id, 1, 2)


async def test_evidence_that_waits_for_its_issuer_is_decided_when_the_issuer_is_published() -> None:
    room = WaitingRoom()
    room.catalogue.versions.append(achievement(owner="banksia"))
    await room.send(evidence(1, issuer_id="banksia"))
    assert room.told() == [(1, Outcome.WAITING, "unknown_issuer")]
    room.catalogue.published.append(issuer("banksia"))
    await room.tick()
    assert room.told()[1:] == [(2, Outcome.ISSUED, None)]


async def test_waiting_ends_with_a_refusal_for_the_same_reason() -> None:
    room = WaitingRoom()
    await room.send(evidence(1))
    (waiting,) = room.store.waiting.values()
    assert waiting.until is not None
    room.moment = waiting.until - timedelta(seconds=1)
    assert await room.tick() > 0
    assert room.told() == [WAITS]
    room.moment = waiting.until
    await room.tick()
    assert room.told()[1:] == [(2, Outcome.REFUSED, "unknown_achievement")]
    assert not room.store.waiting


async def test_where_nothing_may_wait_what_is_unknown_is_refused_at_once() -> None:
    room = WaitingRoom(longest_wait=timedelta())
    await room.send(evidence(1))
    assert room.told() == [(1, Outcome.REFUSED, "unknown_achievement")]
    assert not room.store.waiting


SUSPENDED = issuer().model_copy(update={"suspension": Suspension(reason=SuspensionReason.SECURITY, since=NOW)})


async def test_nothing_is_signed_for_a_suspended_issuer_its_evidence_waits_and_is_decided_when_it_is_resumed() -> None:
    room = WaitingRoom()
    room.catalogue = MemoryCatalogue([SUSPENDED, issuer("banksia")], [achievement(), achievement(owner="banksia")])
    await room.send(evidence(1), evidence(2, SoloLevel.UNISTRUCTURAL), evidence(3, issuer_id="banksia"))
    waits = (1, Outcome.WAITING, "issuer_suspended")
    assert room.told() == [waits, waits, (1, Outcome.ISSUED, None)]
    assert await room.tick() > 0, "what nobody can decide is not looked at in a circle"
    assert room.told()[3:] == []
    room.catalogue.published[0] = issuer()
    await room.tick()
    assert room.told()[3:] == [(2, Outcome.ISSUED, None), (2, Outcome.NOT_YET, "below_required_level")]


async def test_what_waits_for_a_suspended_issuer_is_refused_in_the_end_and_can_be_sent_again() -> None:
    room = WaitingRoom(longest_wait=timedelta())
    room.catalogue = MemoryCatalogue([SUSPENDED], [achievement()])
    await room.send(evidence(1))
    (waiting,) = room.store.waiting.values()
    assert waiting.until is not None
    assert LONGEST_SUSPENDED <= waiting.until - NOW < LONGEST_SUSPENDED + LONGEST_WAIT
    room.moment = waiting.until
    await room.tick()
    assert room.told()[1:] == [(2, Outcome.REFUSED, "issuer_suspended")]
    room.catalogue.published[0] = issuer()
    await room.send(evidence(2, source_id="e1"))
    assert room.told()[2:] == [(1, Outcome.ISSUED, None)]


async def test_evidence_for_what_a_suspended_issuer_has_not_published_waits_for_that_first() -> None:
    room = WaitingRoom()
    room.catalogue.published[0] = SUSPENDED
    await room.send(evidence(1))
    assert room.told() == [WAITS]
    room.catalogue.versions.append(achievement())
    await room.tick()
    assert room.told() == [WAITS], "there is nothing to tell until it is resumed"
    room.catalogue.published[0] = issuer()
    await room.tick()
    assert room.told()[1:] == [(2, Outcome.ISSUED, None)]


class Hindered(WaitingRoom):
    """Two schools; for the one, wattle, nothing can be signed."""

    def __init__(self, store: MemoryDecisions | None = None) -> None:
        super().__init__(store=store)
        self.catalogue = MemoryCatalogue([issuer(), issuer("banksia")], [achievement(), achievement(owner="banksia")])
        self.signer.hindered["wattle"] = Hindrance.KEY_MISSING


PARKS = (1, Outcome.WAITING, "signing_key_missing")


async def test_what_cannot_be_signed_for_one_issuer_is_parked_and_all_others_pass() -> None:
    room = Hindered()
    pieces = [evidence(row, learner=f"s{row}", issuer_id=("wattle", "banksia")[row % 2]) for row in range(1, 7)]
    await room.send(*pieces)
    assert room.told() == [(1, Outcome.ISSUED, None), PARKS] * 3
    assert [await room.tick() > 0 for _ in range(3)] == [True] * 3, "what is parked is not looked at in a circle"
    assert room.told()[6:] == []
    room.signer.hindered.clear()
    await room.tick()
    assert room.told()[6:] == [(2, Outcome.ISSUED, None)] * 3
    assert not room.store.waiting


async def test_what_is_parked_is_never_refused_since_it_is_not_its_senders_fault() -> None:
    room = Hindered()
    await room.send(evidence(1))
    (waiting,) = room.store.waiting.values()
    (told,) = (each.event for each in room.published if isinstance(each.event, EvidenceDecided))
    assert (waiting.until, told.waits_until) == (None, None)
    room.moment += timedelta(days=3650)
    await room.tick()
    assert room.told() == [PARKS]


async def test_its_reason_is_told_anew_when_what_waits_is_parked_and_when_it_is_parked_for_something_else() -> None:
    room = Hindered()
    room.catalogue.versions.clear()
    await room.send(evidence(1))
    room.catalogue.versions.append(achievement())
    await room.tick()
    assert room.told() == [WAITS, (2, Outcome.WAITING, "signing_key_missing")]
    room.signer.hindered["wattle"] = Hindrance.KEY_CLOSED
    await room.tick()
    assert room.told()[2:] == [(3, Outcome.WAITING, "signing_key_closed")]
    room.catalogue.published[0] = SUSPENDED
    await room.tick()
    assert room.told()[3:] == [(4, Outcome.WAITING, "issuer_suspended")]
    room.catalogue.published[0] = issuer()
    await room.tick()
    room.signer.hindered.clear()
    await room.tick()
    assert room.told()[4:] == [(5, Outcome.WAITING, "signing_key_closed"), (6, Outcome.ISSUED, None)]


async def test_evidence_whose_time_is_over_while_it_is_parked_is_parked_and_not_refused() -> None:
    room = Hindered()
    room.catalogue.versions.clear()
    await room.send(evidence(1))
    room.catalogue.versions.append(achievement())
    room.moment += timedelta(days=400)
    await room.tick()
    assert room.told() == [WAITS, (2, Outcome.WAITING, "signing_key_missing")]
    assert [each.until for each in room.store.waiting.values()] == [None]


async def test_an_achievement_of_which_no_credential_can_be_written_is_parked_when_that_shows_at_signing() -> None:
    room = Hindered()
    room.signer.hindered.clear()
    room.signer.faulty.add("wattle")
    await room.send(evidence(1), evidence(2, issuer_id="banksia"), evidence(3, learner="s3"))
    parks = (1, Outcome.WAITING, "achievement_unusable")
    assert room.told() == [parks, (1, Outcome.ISSUED, None), parks]


@pytest.mark.parametrize(
    "death", ["before deciding", "before recording", "after recording", "before the end of waiting"]
)
@pytest.mark.parametrize("parked_later", [False, True])
async def test_killed_at_any_step_what_was_parked_is_decided_once_and_announced(death: str, parked_later: bool) -> None:
    store = DyingDecisions()
    room = Hindered(store)
    if parked_later:
        room.catalogue.versions.clear()
    await room.send(evidence(1), evidence(2, learner="s2"))
    room.catalogue.versions = [achievement()]
    store.dies = death if parked_later else ""
    with contextlib.suppress(KilledError):
        await room.tick()
    for _ in range(3):
        await room.tick()
    assert {each.reason for each in store.waiting.values()} == {Reason.SIGNING_KEY_MISSING}
    room.signer.hindered.clear()
    store.dies = death
    with pytest.raises(KilledError):
        await room.tick()
    while room.store.waiting:
        await room.tick()
    last = 3 if parked_later else 2
    assert sorted(each.sequence for each in store.stored.values()) == sorted([*range(1, last + 1)] * 2)
    contents = {(event_id(each.event), each.event.model_dump_json()) for each in room.published}
    assert len(contents) == len({event_id for event_id, _ in contents}), "one event id, two contents"
    assert {each.sequence for each in (e.event for e in room.published) if isinstance(each, EvidenceDecided)} == set(
        range(1, last + 1)
    )
    assert len(store.credentials.stored) == 2


async def test_redelivery_of_evidence_that_waited_announces_its_newest_decision() -> None:
    room = WaitingRoom()
    await room.send(evidence(1))
    room.catalogue.versions.append(achievement())
    await room.tick()
    await room.send(evidence(1))
    assert room.told() == [WAITS, (2, Outcome.ISSUED, None), (2, Outcome.ISSUED, None)]
    assert len({event_id(each.event) for each in room.published if isinstance(each.event, EvidenceDecided)}) == 2


@pytest.mark.parametrize(
    "death", ["before deciding", "before recording", "after recording", "before the end of waiting"]
)
@pytest.mark.parametrize("suspended", [False, True])
async def test_killed_at_any_step_what_waited_is_decided_once_and_announced(death: str, suspended: bool) -> None:
    store = DyingDecisions()
    room = WaitingRoom(store=store)
    if suspended:
        room.catalogue = MemoryCatalogue([SUSPENDED], [achievement()])
    await room.send(evidence(1), evidence(2, learner="s2"))
    room.catalogue.published[0] = issuer()
    room.catalogue.versions = [achievement()]
    store.dies = death
    with pytest.raises(KilledError):
        await room.tick()
    while room.store.waiting:
        await room.tick()
    assert sorted(each.sequence for each in store.stored.values()) == [1, 1, 2, 2]
    contents = {(event_id(each.event), each.event.model_dump_json()) for each in room.published}
    assert len(contents) == len({event_id for event_id, _ in contents}), "one event id, two contents"
    issued = [each.event.credential_id for each in room.published if isinstance(each.event, CredentialIssued)]
    assert set(issued) == store.credentials.stored.keys()
    assert len(store.credentials.stored) == 2


async def test_two_processes_that_end_the_waiting_of_one_piece_award_it_once() -> None:
    room = WaitingRoom()
    await room.send(evidence(1))
    room.catalogue.versions.append(achievement())
    waiting = list(room.store.waiting.values())
    await asyncio.gather(*(room.worker.reconsider(waiting, NOW) for _ in range(3)))
    assert len(room.store.credentials.stored) == 1
    assert {told for told in room.told() if told[0] == 2} == {(2, Outcome.ISSUED, None)}


async def test_every_name_that_evidence_waits_for_gets_its_turn_however_many_there_are() -> None:
    room = WaitingRoom()
    await room.send(*(evidence(row, achievement=f"a{row:05}") for row in range(1, 502)))
    room.catalogue.versions.append(achievement("a00501"))
    waiting = WaitingEvidence(room.store, awarding=room.worker, catalogue=room.catalogue, clock=lambda: NOW)
    delays = [await waiting.tick() for _ in range(4)]
    assert delays[:3] == [0, 0, 0]
    assert [told for told in room.told() if told[0] == 2] == [(2, Outcome.ISSUED, None)]


async def test_a_piece_that_cannot_be_decided_ends_neither_the_loop_nor_the_waiting_of_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    room, stumbling = WaitingRoom(), {1, 6}
    await room.send(*(evidence(row, learner=f"s{row}") for row in range(1, 10)))
    room.catalogue.versions.append(achievement())
    worker = room.worker
    decide = worker.reconsider

    async def reconsider(waiting: Sequence[Waiting], now: datetime) -> Reconsidered:
        assert stumbling.isdisjoint(each.piece.row for each in waiting)
        return await decide(waiting, now)

    monkeypatch.setattr(worker, "reconsider", reconsider)
    waiting = WaitingEvidence(room.store, awarding=worker, catalogue=room.catalogue, clock=lambda: room.moment)
    await waiting.tick()
    assert sorted(each.row for each in room.store.waiting) == [1, 6]
    assert await waiting.tick() > 0, "what is put off is not tried again at once"
    stumbling.clear()
    room.moment += timedelta(minutes=40)
    await waiting.tick()
    assert room.store.waiting == {}


async def test_nothing_is_put_off_while_the_database_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    room = WaitingRoom()
    await room.send(evidence(1))
    room.catalogue.versions.append(achievement())
    worker, before = room.worker, dict(room.store.waiting)

    async def reconsider(waiting: Sequence[Waiting], now: datetime) -> Reconsidered:
        raise ServerSelectionTimeoutError

    monkeypatch.setattr(worker, "reconsider", reconsider)
    waiting = WaitingEvidence(room.store, awarding=worker, catalogue=room.catalogue, clock=lambda: room.moment)
    with pytest.raises(ServerSelectionTimeoutError):
        await waiting.tick()
    assert room.store.waiting == before
