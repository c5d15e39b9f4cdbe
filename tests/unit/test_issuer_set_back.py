"""A store that is set back at any moment ends as the one that was not: what was published holds."""

from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from libs.contracts.cloudevents import Outgoing, body_of
from libs.contracts.events import ByHand, CredentialDocument, EvidenceDecided, EvidenceSubmitted
from libs.contracts.reasons import AwardReason
from libs.contracts.results import SoloLevel
from services.issuer.credentials.announcements import Announcer
from services.issuer.credentials.credential import Credential
from services.issuer.decisions.kept import Kept
from services.issuer.decisions.worker import Awarding
from services.issuer.status.entry import StatusEntry
from services.issuer.urls import Urls
from tests.ids import IDS, SEALING
from tests.issuer_doubles import (
    NOW,
    TRACE,
    MemoryAudit,
    MemoryCatalogue,
    MemoryDecisions,
    MemoryPublished,
    PlainSigner,
    achievement,
    counted_together,
    evidence,
    history,
    issuer,
    received,
    superseding_of,
)

ANNOUNCER = Announcer(Urls("https://badges.example"), SEALING)


class Entries:
    """Entries of one epoch: each once within it."""

    def __init__(self, epoch: int) -> None:
        self._epoch, self._next = epoch, 0

    async def allocate(self, count: int) -> list[StatusEntry]:
        first, self._next = self._next, self._next + count
        return [StatusEntry(f"{self._epoch}-1", first + each) for each in range(count)]


class Authority:
    """A store, what was published of it, and a clock that never stands still."""

    def __init__(self) -> None:
        self.store = MemoryDecisions()
        offered = [achievement(), achievement("care", repeatable=True), *counted_together()]
        self.catalogue = MemoryCatalogue([issuer()], offered)
        self.documents: dict[UUID, CredentialDocument] = {}
        self.decided: list[EvidenceDecided] = []
        self.entries = Entries(1)
        self.told = MemoryPublished()
        self._moment = NOW

    def _now(self) -> datetime:
        self._moment += timedelta(seconds=1)
        return self._moment

    async def publish(self, outgoing: Sequence[Outgoing]) -> None:
        for each in outgoing:
            if isinstance(each.event, CredentialDocument):
                self.documents[each.event.credential_id] = CredentialDocument.model_validate_json(body_of(each.event))
            elif isinstance(each.event, EvidenceDecided):
                self.decided.append(EvidenceDecided.model_validate_json(body_of(each.event)))

    async def handle(self, pieces: Sequence[EvidenceSubmitted]) -> None:
        worker = Awarding(
            ids=IDS,
            decisions=self.store,
            history=history(self.store, self.told),
            credentials=self.store.credentials,
            catalogue=self.catalogue,
            signer=PlainSigner(),
            entries=self.entries,
            announcer=ANNOUNCER,
            superseding=superseding_of(self.store, ANNOUNCER),
            audit=MemoryAudit(),
            publish=self.publish,
            clock=self._now,
            longest_wait=timedelta(hours=1),
            longest_suspended=timedelta(days=30),
        )
        await self.publish(await worker.handle(received(pieces)))

    def active(self, number: int) -> UUID | None:
        """Return one of the active credentials, None where there is none."""
        active = sorted(key for key, each in self.store.credentials.stored.items() if each.revocation is None)
        return active[number % len(active)] if active else None

    async def revoke(self, number: int) -> None:
        chosen = self.active(number)
        if chosen is not None:
            self.store.credentials.revoke(chosen)
            await self.publish([ANNOUNCER.document(self.store.credentials.stored[chosen], TRACE)])

    def copied(self) -> MemoryDecisions:
        held = copy(self.store.credentials)
        held.stored = dict(held.stored)
        store = MemoryDecisions(held)
        store.stored, store.waiting = dict(self.store.stored), dict(self.store.waiting)
        store.kept_evidence = dict(self.store.kept_evidence)
        return store

    def kept(self) -> dict[UUID, Kept]:
        """Return what is kept to count together, however often it was stored; where it is nothing, nothing."""
        kept = {key: replace(each, version=0) for key, each in self.store.kept_evidence.items()}
        return {key: each for key, each in kept.items() if each.says_something}

    def set_back(self, store: MemoryDecisions, published_decisions: int) -> None:
        """Put this store in the place of the present one, and take up what was published."""
        self.store, self.entries = store, Entries(2)
        store.credentials.stored |= {each: SEALING.open(event) for each, event in self.documents.items()}
        self.decided = self.decided[:published_decisions]
        self.told = MemoryPublished(each for each in self.decided if _decision_id(each) not in store.stored)


def _decision_id(event: EvidenceDecided) -> tuple[UUID, int, int]:
    return event.batch_id, event.row, event.sequence


BY_HAND = ByHand(reason=AwardReason.APPEAL, awarded_by="key:wattle/registry")
steps = st.lists(
    st.one_of(
        st.tuples(
            st.sampled_from(SoloLevel),
            st.sampled_from(["s1", "s2"]),
            st.integers(1, 8),
            st.sampled_from(["resilience", "resilience", "wit", "wit", "care", "unknown"]),
            # By hand, and in the place of one of the active credentials of then.
            st.sampled_from([None, None, BY_HAND, 0, 1]),
        ),
        st.integers(0, 20),
        st.just("new version"),
    ),
    min_size=1,
    max_size=16,
)


@settings(deadline=None)
@given(drawn=steps, copied_at=st.integers(0, 16), replayed=st.integers(0, 16), unpublished=st.integers(0, 2))
async def test_what_was_published_holds_whenever_the_store_is_set_back(
    drawn: list[tuple[SoloLevel, str, int, str, ByHand | int | None] | int | str],
    copied_at: int,
    replayed: int,
    unpublished: int,
) -> None:
    authority, pieces = Authority(), list[EvidenceSubmitted]()
    copied, read_until = authority.copied(), 0
    for number, step in enumerate(drawn):
        if number == copied_at:
            copied, read_until = authority.copied(), len(pieces)
        if isinstance(step, int):
            await authority.revoke(step)
        elif isinstance(step, str):
            newest = achievement(version=len(authority.catalogue.versions), required_level=SoloLevel.EXTENDED_ABSTRACT)
            authority.catalogue.versions.append(newest)
        else:
            level, learner, source, what, hand = step
            row, digest = len(pieces) + 1, f"{level} {hand}"
            piece = evidence(row, level, learner=learner, source_id=f"x{source}", digest=digest, achievement=what)
            if isinstance(hand, int):
                hand = BY_HAND.model_copy(update={"supersedes": authority.active(hand)})
            piece = piece.model_copy(update={"by_hand": hand})
            pieces.append(piece)
            await authority.handle([piece])
    truth: dict[UUID, Credential] = dict(authority.store.credentials.stored)
    decisions = dict(authority.store.stored)
    kept = authority.kept()

    # The last decisions may never have been published, although their credentials were.
    authority.set_back(copied, len(authority.decided) - unpublished)
    for piece in pieces[max(0, read_until - replayed) :]:
        await authority.handle([piece])

    after = authority.store.credentials.stored
    assert {key: after[key] for key in truth} == truth, "a published credential has changed"
    assert len({each.status for each in after.values()}) == len(after), "an entry was given twice"
    assert {key for key, each in after.items() if each.revocation is None} >= {
        key for key, each in truth.items() if each.revocation is None
    }
    if not unpublished:
        assert after == truth
        assert authority.store.stored == decisions
        assert authority.kept() == kept
    issued = {(key, given_id) for key, each in authority.store.stored.items() for given_id in each.issued_ids}
    assert issued >= {(key, given_id) for key, each in decisions.items() for given_id in each.issued_ids}
