"""Awarding against a store in memory: wherever the stream is cut and whatever step dies, the result is the same."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.mongo import Document
from libs.contracts.cloudevents import Outgoing
from libs.contracts.events import CredentialDocument, CredentialIssued, EvidenceDecided, EvidenceSubmitted, Outcome
from libs.contracts.results import SoloLevel
from services.issuer.credentials.announcements import Announcer
from services.issuer.decisions.rules import Reason
from services.issuer.decisions.worker import Awarding, DecidingStuckError
from services.issuer.urls import Urls
from tests.issuer_doubles import (
    NOW,
    MemoryAwards,
    MemoryCatalogue,
    MemoryStatusEntries,
    PlainSigner,
    achievement,
    event_ids,
    evidence,
    issuer,
    received,
)


class KilledError(BaseException):
    """Stands for SIGKILL: nothing catches it."""


class DyingAwards(MemoryAwards):
    """Dies at the next call of this kind, before or after its effect; then lives on."""

    dies: str = ""

    async def record(self, decisions: Sequence[Document], credentials: Sequence[Document]) -> bool:
        self._die("before recording")
        done = await super().record(decisions, credentials)
        self._die("after recording")
        return done

    async def holdings(self, holding_ids: Iterable[UUID]) -> dict[UUID, list[object]]:  # type: ignore[override]  # list is invariant
        self._die("before deciding")
        return await super().holdings(holding_ids)  # type: ignore[return-value]  # as above

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


def awarding(store: MemoryAwards, published: list[Outgoing] | None = None) -> Awarding:
    async def publish(outgoing: Sequence[Outgoing]) -> None:
        if published is not None:
            published.extend(outgoing)

    offers = MemoryCatalogue([issuer()], [achievement(), achievement("care", repeatable=True)])
    return Awarding(
        store=store,
        catalogue=offers,
        signer=PlainSigner(),
        entries=MemoryStatusEntries(),
        announcer=Announcer(Urls("https://badges.example")),
        publish=publish,
        clock=Clock(),
    )


def outcomes(store: MemoryAwards) -> dict[UUID, tuple[object, object, object]]:
    return {key: (each["outcome"], each["reason"], each["credential_id"]) for key, each in store.recorded.items()}


pieces = st.builds(
    lambda level, learner, source, offered: (level, learner, source, offered),
    st.sampled_from(SoloLevel),
    st.sampled_from(["s1", "s2"]),
    st.integers(1, 6),
    st.sampled_from(["resilience", "resilience", "care", "unknown"]),
)


def stream(drawn: Sequence[tuple[SoloLevel, str, int, str]]) -> list[EvidenceSubmitted]:
    return [
        # A source id may come again with the same or with another digest.
        evidence(row, level, learner=learner, source_id=f"x{source}", digest=f"{source % 3} {level}", achievement=what)
        for row, (level, learner, source, what) in enumerate(drawn, 1)
    ]


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
    calm = MemoryAwards()
    for piece in everything:
        await awarding(calm).handle(received([piece]))

    store, announced, position, turn = DyingAwards(), list[Outgoing](), 0, 0
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
    assert store.issued.keys() == calm.issued.keys()
    distinct = {(each.event.event_id, each.event.model_dump_json()) for each in announced}
    assert len(distinct) == len({event_id for event_id, _ in distinct}), "one event id, two contents"
    told = {each.event.submission_id for each in announced if isinstance(each.event, EvidenceDecided)}
    assert told == {piece.submission_id for piece in everything}
    issued = {each.event.credential_id for each in announced if isinstance(each.event, CredentialIssued)}
    assert issued == store.issued.keys()


async def test_redelivery_makes_the_same_events_with_the_same_ids_and_documents() -> None:
    store = MemoryAwards()
    batch = received([evidence(1), evidence(2, SoloLevel.UNISTRUCTURAL), evidence(3, learner="s2")])
    first, second = list[Outgoing](), list[Outgoing]()
    first += await awarding(store, first).handle(batch)
    second += await awarding(store, second).handle(batch)
    assert len(first) == 7
    assert event_ids(first) == event_ids(second)
    assert [each.event for each in first] == [each.event for each in second]


async def test_another_worker_that_recorded_first_wins_and_its_credential_is_announced() -> None:
    class Overtaken(MemoryAwards):
        async def record(self, decisions: Sequence[Document], credentials: Sequence[Document]) -> bool:
            if not self.recorded:
                theirs = [{**each, "document": "the other worker's"} for each in credentials]
                assert await super().record(decisions, theirs)
            return await super().record(decisions, credentials)

    published: list[Outgoing] = []
    rest = await awarding(Overtaken(), published).handle(received([evidence(1)]))
    documents = [each.event.document for each in [*published, *rest] if isinstance(each.event, CredentialDocument)]
    assert documents == ["the other worker's"]


async def test_a_store_that_refuses_for_no_reason_is_a_defect_and_loses_nothing() -> None:
    class Refusing(MemoryAwards):
        async def record(self, decisions: Sequence[Document], credentials: Sequence[Document]) -> bool:
            return False

    with pytest.raises(DecidingStuckError):
        await awarding(Refusing()).handle(received([evidence(1)]))


async def test_a_submission_that_stands_twice_in_a_batch_is_decided_once() -> None:
    store, out = MemoryAwards(), list[Outgoing]()
    out += await awarding(store, out).handle(received([evidence(1), evidence(1)]))
    assert [type(each.event) for each in out] == [CredentialIssued, CredentialDocument, EvidenceDecided]


async def test_a_credential_revoked_before_its_first_announcement_is_announced_as_revoked_last() -> None:
    class Revoked(MemoryAwards):
        async def record(self, decisions: Sequence[Document], credentials: Sequence[Document]) -> bool:
            done = await super().record(decisions, credentials)
            for each in self.issued.values():
                each.update(state="revoked", revoked_at=NOW, revocation_reason="a slip")
            return done

    out = list[Outgoing]()
    out += await awarding(Revoked(), out).handle(received([evidence(1)]))
    documents = [each.event.state for each in out if isinstance(each.event, CredentialDocument)]
    assert documents[-1] == "revoked"


async def test_a_credential_revoked_before_redelivery_is_announced_as_revoked() -> None:
    store, published = MemoryAwards(), list[Outgoing]()
    batch = received([evidence(1)])
    await awarding(store).handle(batch)
    store.revoke(next(iter(store.issued)))
    published += await awarding(store, published).handle(batch)
    assert [each.event.state for each in published if isinstance(each.event, CredentialDocument)] == ["revoked"]


async def test_a_credential_revoked_while_it_is_announced_again_ends_as_revoked_on_its_topic() -> None:
    store, published = MemoryAwards(), list[Outgoing]()
    batch = received([evidence(1)])
    await awarding(store).handle(batch)

    async def publish(outgoing: Sequence[Outgoing]) -> None:
        published.extend(outgoing)
        store.revoke(next(iter(store.issued)))

    again = awarding(store)
    again._publish = publish
    published += await again.handle(batch)
    states = [each.event.state for each in published if isinstance(each.event, CredentialDocument)]
    assert states == ["active", "revoked"]


async def test_evidence_that_cannot_be_written_is_refused_and_the_rest_of_the_batch_goes_on() -> None:
    store = MemoryAwards()
    await awarding(store).handle(received([evidence(1, link="https://a b"), evidence(2)]))
    assert [(each["outcome"], each["reason"]) for each in store.recorded.values()] == [
        (Outcome.REFUSED, Reason.CANNOT_BE_WRITTEN),
        (Outcome.ISSUED, None),
    ]
