"""Decisions that were published and that this database lacks: they hold once their evidence is read again.

A database that was set back has neither the decision nor, often, the evidence, which comes again on its own topic.
Until then what was decided stands here. Deciding anew could come to something else: the achievement may have a new
version, and what was held then may have been revoked since.
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Protocol
from uuid import UUID

from libs.common.mongo import Database, Document, Index, find_by_ids, full_name, insert_new
from libs.common.stored import read_all
from libs.common.telemetry import new_trace
from libs.contracts.events import Counted, Event, EvidenceDecided, EvidenceSubmitted, Outcome
from libs.contracts.ids import Ids
from services.issuer.credentials.repository import CredentialStore
from services.issuer.decision_ids import DecisionId, PieceId
from services.issuer.decisions.decision import Changes, Decision, Reason, Waiting
from services.issuer.decisions.kept import Kept, KeptPiece
from services.issuer.decisions.keys import decision_key, piece_key
from services.issuer.decisions.messages import MISSING
from services.issuer.decisions.repository import DecisionStore

# Losing against another worker means that what it kept is there to be read.
_ATTEMPTS = 10

INDEXES: Sequence[Index] = (Index("published_decisions", ["piece"]), Index("published_decisions", ["decided_at"]))


class PublishedDecisions(Protocol):
    """What deciding needs of decisions that were published; the test suite runs against a fake."""

    async def of(self, pieces: Iterable[PieceId]) -> dict[PieceId, list[EvidenceDecided]]:
        """Return what was published of these pieces and is not recorded, in the order of the sequence."""
        ...

    async def forget(self, decision_ids: Iterable[DecisionId]) -> None:
        """Forget these: they are recorded."""
        ...


class MongoPublishedDecisions:
    """The collection `published_decisions`, which is empty but after the database was set back."""

    def __init__(
        self, database: Database, recorded: Callable[[Iterable[DecisionId]], Awaitable[set[DecisionId]]]
    ) -> None:
        """Take the database, and what tells which decisions are recorded in it."""
        self._published = database["published_decisions"]
        self._recorded = recorded
        self._some = True

    async def lacking(self, events: Sequence[Event]) -> list[EvidenceDecided]:
        """Return those of these decisions that are not recorded here."""
        decided = {decision_id_of(each): each for each in events if isinstance(each, EvidenceDecided)}
        recorded = await self._recorded(decided)
        return [each for decision_id, each in decided.items() if decision_id not in recorded]

    async def adopt(self, lacking: Sequence[EvidenceDecided]) -> None:
        """Keep these until their evidence is read again."""
        documents = [
            {
                "_id": decision_key(decision_id_of(each)),
                "schema": 1,
                "piece": piece_key(decision_id_of(each).piece),
                "issuer_id": each.issuer_id,
                "decided_at": each.decided_at,
                "event": each.model_dump_json(),
            }
            for each in lacking
        ]
        await insert_new(self._published, documents)

    async def of(self, pieces: Iterable[PieceId]) -> dict[PieceId, list[EvidenceDecided]]:
        """See `PublishedDecisions`. Once there are none any more, nothing is asked of the database."""
        if not self._some:
            return {}
        published: dict[PieceId, list[EvidenceDecided]] = {}
        # A worker's query, by deterministic ids.
        found = await find_by_ids(self._published, "piece", map(piece_key, pieces))
        for event in read_all(_event, found, full_name(self._published)):
            published.setdefault(PieceId(event.batch_id, event.row), []).append(event)
        if not published:
            # Of all tenants. Only a process that starts finds some to adopt.
            self._some = await self._published.find_one({}, {"_id": 1}) is not None
        return {piece: sorted(events, key=_sequence) for piece, events in published.items()}

    async def forget(self, decision_ids: Iterable[DecisionId]) -> None:
        """See `PublishedDecisions`."""
        await self._published.delete_many({"_id": {"$in": list(map(decision_key, decision_ids))}})

    async def remove_ended(self, before: datetime) -> None:
        """Remove those whose evidence is on its topic no longer, as they were decided before then."""
        await self._published.delete_many({"decided_at": {"$lt": before}})


def _event(stored: Document) -> EvidenceDecided:
    return EvidenceDecided.model_validate_json(stored["event"])


def decision_id_of(event: EvidenceDecided) -> DecisionId:
    """Return what names the decision that was published."""
    return DecisionId(event.batch_id, event.row, event.sequence)


def issued_ids(event: EvidenceDecided) -> list[UUID]:
    """Return the credentials that a decision that was published issued."""
    stacked = [each.credential_id for each in event.stacked or ()]
    if event.outcome is Outcome.ISSUED and event.credential_id is not None:
        return [event.credential_id, *stacked]
    return stacked


def as_published(
    evidence: EvidenceSubmitted, published: Iterable[EvidenceDecided], after: int, issued: Mapping[UUID, object]
) -> list[Decision]:
    """Return the decisions on a piece as they were published, those that follow on the sequence `after`.

    Args:
        evidence: the piece.
        published: what was published of it, in the order of the sequence.
        after: the sequence of the newest decision that is recorded; 0 where none is.
        issued: the credentials that are here, by their ids. Of one that was never published nobody has a document, so
            the piece is decided anew from there on.
    """
    decisions: list[Decision] = []
    for each in published:
        if each.sequence != after + len(decisions) + 1:
            continue
        if any(credential_id not in issued for credential_id in issued_ids(each)):
            break
        decisions.append(_decision(evidence, each))
    return decisions


class PublishedHistory:
    """Records decisions as they were published, when their evidence is read again."""

    def __init__(
        self, published: PublishedDecisions, decisions: DecisionStore, credentials: CredentialStore, ids: Ids
    ) -> None:
        self._ids = ids
        self._published = published
        self._decisions = decisions
        self._credentials = credentials

    async def record(
        self, evidence: Mapping[UUID, EvidenceSubmitted], newest: Mapping[UUID, Decision]
    ) -> Mapping[UUID, Decision]:
        """Record what was published of these pieces and is not recorded; return the newest decisions.

        Killed before: all of it comes again. Killed after, before it is forgotten: it is found recorded. Where it is
        refused, some of it is recorded already; then nothing changes, and the caller is refused too and reads what is.
        """
        pieces = {PieceId(each.batch_id, each.row): submission_id for submission_id, each in evidence.items()}
        published = await self._published.of(pieces)
        if not published:
            return newest
        ids = {each for events in published.values() for event in events for each in issued_ids(event)}
        issued = await self._credentials.by_ids(ids)
        after = {piece: _after(newest.get(submission_id)) for piece, submission_id in pieces.items()}
        taken = {
            pieces[piece]: as_published(evidence[pieces[piece]], events, after[piece], issued)
            for piece, events in published.items()
        }
        last = {submission_id: decisions[-1] for submission_id, decisions in taken.items() if decisions}
        every = [each for decisions in taken.values() for each in decisions]
        # One that waits already has its entry, which the loop over what waits brings up to date.
        waiting = [
            entry
            for submission_id, each in last.items()
            if submission_id not in newest and (entry := each.waiting(new_trace())) is not None
        ]
        if every and not await self._recorded(every, waiting):
            return newest
        old = [
            decision_id_of(each)
            for piece, events in published.items()
            for each in events
            if each.sequence <= after[piece]
        ]
        await self._published.forget([*old, *(each.decision_id for each in every)])
        return {**newest, **last}

    async def _recorded(self, decisions: Sequence[Decision], waiting: Sequence[Waiting]) -> bool:
        """Record these; where nothing stands against them but evidence that was kept meanwhile, again with that."""
        for _ in range(_ATTEMPTS):
            owned, changes = await self._owned(decisions)
            if await self._decisions.record(owned, [], waiting, await self._kept(decisions), changes):
                return True
            there = await self._decisions.newest({each.decision_id.piece for each in decisions})
            sequences = {submission_id: each.sequence for submission_id, each in there.items()}
            if any(sequences.get(each.evidence.submission_id, 0) >= each.sequence for each in decisions):
                break
        return False

    async def _owned(self, decisions: Sequence[Decision]) -> tuple[list[Decision], Changes]:
        """Return these, of which one owns each piece of evidence, and those recorded before that own theirs no more.

        The first decision that measured a piece owns it, then that of its withdrawal, then what was sent instead.
        """
        owning = [each for each in decisions if each.owns_evidence]
        before = await self._decisions.owners({each.evidence.evidence_id for each in owning}) if owning else {}
        owners = {key: (each.submission_id, each.decision_id) for key, each in before.items()}
        for each in owning:
            key, submission_id = each.evidence.evidence_id, each.evidence.submission_id
            if each.outcome is Outcome.WITHDRAWN or owners.get(key, (None, None))[0] != submission_id:
                owners[key] = submission_id, each.decision_id
        owned = [
            replace(each, owns_evidence=each.owns_evidence and owners[each.evidence.evidence_id][1] == each.decision_id)
            for each in decisions
        ]
        gone = {each.decision_id for key, each in before.items() if owners[key][1] != each.decision_id}
        return owned, Changes(disowned=frozenset(each for each in gone if each is not None))

    async def _kept(self, decisions: Sequence[Decision]) -> list[Kept]:
        """Return the evidence that is kept with these decisions, as they left it."""
        changes: dict[UUID, list[Callable[[Kept], Kept]]] = {}
        new: dict[UUID, Kept] = {}
        for decision in decisions:
            for achievement, change in _changes(decision, self._ids):
                learner_id, key = decision.evidence.learner_id, achievement.rpartition("/")[0]
                holding_id = self._ids.holding_id(learner_id, key)
                new[holding_id] = Kept(holding_id, decision.evidence.issuer_id, learner_id, key)
                changes.setdefault(holding_id, []).append(change)
        kept = {**new, **await self._decisions.kept(changes.keys())}
        for holding_id, some in changes.items():
            for change in some:
                kept[holding_id] = change(kept[holding_id])
        return list(kept.values())


def _changes(decision: Decision, ids: Ids) -> Iterator[tuple[str, Callable[[Kept], Kept]]]:
    """Yield what a decision changes in kept evidence, by the version of the achievement that it belongs to."""
    piece = KeptPiece.of(decision.evidence, ids)
    if decision.evidence.by_hand is not None:
        pass  # it counts with no other
    elif decision.counted is not None and decision.achievement is not None and decision.outcome is Outcome.WITHDRAWN:
        yield decision.achievement, lambda kept: kept.without_piece(piece.evidence_id)
    elif decision.counted is not None and decision.achievement is not None:
        yield decision.achievement, lambda kept: kept.with_piece(piece)
        if decision.issued_id is not None:
            yield decision.achievement, partial(_noted, decision.issued_id, decision.counted)
    for each in decision.stacked:
        counted = Counted(level=each.level, evidence=each.evidence, credentials=each.credentials)
        yield each.achievement, partial(_noted, each.credential_id, counted)


def _noted(credential_id: UUID, counted: Counted, kept: Kept) -> Kept:
    return kept.with_award(credential_id, counted)


def _after(newest: Decision | None) -> int:
    return 0 if newest is None else newest.sequence


def _decision(evidence: EvidenceSubmitted, event: EvidenceDecided) -> Decision:
    reason = None if event.reason is None else Reason(event.reason)
    measured = event.outcome in {Outcome.ISSUED, Outcome.NOT_YET, Outcome.DUPLICATE, Outcome.WITHDRAWN}
    return Decision(
        evidence=evidence,
        sequence=event.sequence,
        outcome=event.outcome,
        reason=reason,
        achievement=event.achievement,
        rule_version=event.rule_version,
        credential_id=event.credential_id,
        owns_evidence=measured and reason is not Reason.SENT_BEFORE,
        waits_until=event.waits_until,
        decided_at=event.decided_at,
        counted=event.counted,
        missing=_missing(event),
        stacked=event.stacked or (),
        revoked=event.revoked or (),
    )


def _missing(event: EvidenceDecided) -> str | None:
    """Return what its rule lacked, in words, as the message ends with it."""
    if event.reason != Reason.MORE_EVIDENCE_NEEDED or event.detail is None:
        return None
    return event.detail.partition(MISSING)[2].removesuffix(".") or None


def _sequence(event: EvidenceDecided) -> int:
    return event.sequence
