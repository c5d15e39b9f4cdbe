"""Every query on decisions and on the evidence that waits, and their form in MongoDB.

A decision is one document with the whole piece of evidence in it, inserted and never changed, but that the evidence's
texts go when its credential is taken down; a review is another document. Its `_id` is batch, row and sequence, so that
the documents of a batch are appended beside each other instead of scattered, and found again by batch. Decisions and
the credentials they issue are stored in one transaction, so that whoever sees a credential can see its decision, and
nothing is ever stored of a decision that lost against another worker's.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from pymongo import ReplaceOne, UpdateOne
from pymongo.read_concern import ReadConcern

from libs.common import mongo
from libs.common.fence import Fence
from libs.common.mongo import Client, Database, Document, Index, find_by_ids, full_name, insert_together
from libs.common.stored import Count, Text, all_readable, read_all, require_readable, typed
from libs.contracts import ids
from libs.contracts.events import EvidenceSubmitted, Outcome, StackedAward
from services.issuer.credentials.credential import Credential
from services.issuer.credentials.repository import MongoCredentials
from services.issuer.decision_ids import DecisionId, PieceId
from services.issuer.decisions.context import Owner
from services.issuer.decisions.decision import NO_CHANGES, PARKED, Changes, Decision, Lack, Parked, Reason, Waiting
from services.issuer.decisions.kept import Kept
from services.issuer.decisions.kept_documents import counted_document, counted_of, kept_of, replacement
from services.issuer.decisions.keys import LAST, SEQUENCE_BYTES, decision_key, piece_key, piece_of

INDEXES: Sequence[Index] = (
    # A piece of evidence belongs to one submission, whatever any code believes.
    Index("decisions", ["evidence_id"], unique=True, partial={"owns_evidence": True}),
    # Decisions after the first, which are few.
    Index("decisions", ["piece"], partial={"sequence": {"$gt": 1}}),
    # What was held against other evidence: decided again should it be closed as its own evidence was withdrawn.
    Index("decisions", ["credential_id"], partial={"outcome": Outcome.DUPLICATE.value}),
    Index("waiting", ["lacks", "since", "_id"]),
    Index("waiting", ["until"]),
    Index("waiting", ["reason", "issuer_id"], partial={"reason": {"$in": sorted(PARKED)}}),
)


class DecisionStore(Protocol):
    """What deciding needs to read and record; the test suite runs against the real store and a fake."""

    async def newest(self, pieces: Iterable[PieceId]) -> dict[UUID, Decision]:
        """Return the newest decision on each of these pieces that has one, by submission id."""
        ...

    async def owners(self, evidence_ids: Iterable[UUID]) -> dict[UUID, Owner]:
        """Return which submission each piece of evidence was first taken from."""
        ...

    async def held_against(self, credential_ids: Collection[UUID], limit: int) -> list[PieceId]:
        """Return pieces that earned nothing since one of these credentials was held, in the order of their batches."""
        ...

    async def kept(self, holding_ids: Collection[UUID]) -> dict[UUID, Kept]:
        """Return the evidence that is kept under these holdings; of none, nothing is asked of the database."""
        ...

    async def record(
        self,
        decisions: Sequence[Decision],
        credentials: Sequence[Credential],
        waiting: Sequence[Waiting],
        kept: Sequence[Kept] = (),
        changes: Changes = NO_CHANGES,
    ) -> bool:
        """Store all of these or none; False where something stored forbids one of them (another worker was first)."""
        ...

    async def remove_texts(self, decision_ids: Iterable[DecisionId]) -> None:
        """Remove what was written of the evidence of these decisions, whose credentials were taken down."""
        ...


class WaitingStore(Protocol):
    """What the loop over waiting evidence needs; the test suite runs against the real store and a fake."""

    async def lacking(self, after: str, limit: int) -> list[Lack]:
        """Return what evidence waits for, in the order of its text, each once, beginning after `after`."""
        ...

    async def waiting_for(self, lacking: Iterable[Lack], before: datetime, limit: int) -> list[Waiting]:
        """Return the evidence that waits for one of these, at most 200, since then or earlier, first come first."""
        ...

    async def overdue(self, now: datetime, limit: int) -> list[Waiting]:
        """Return evidence that may wait no longer, the longest overdue first."""
        ...

    async def put_off(self, waiting: Waiting, until: datetime) -> None:
        """Let a piece wait at least until then, and stand behind what came before then."""
        ...

    async def wait_on(self, waiting: Iterable[Waiting]) -> None:
        """Note what these pieces, which wait already, wait for now."""
        ...

    async def end_waiting(self, pieces: Iterable[PieceId]) -> None:
        """Forget that these wait: they are decided, and their decisions announced."""
        ...

    async def count_waiting(self) -> int:
        """Return about how many pieces wait."""
        ...


class MongoDecisions:
    """Decisions in MongoDB. Reads are of majority-committed data: what is announced cannot be rolled back."""

    def __init__(
        self, client: Client, database: Database, credentials: MongoCredentials, fence: Fence | None = None
    ) -> None:
        """Take the stores, and what proves, where it is given, that they did not go back."""
        self._client = client
        self._prove = None if fence is None else fence.prove
        concern = ReadConcern("majority")
        self._decisions = database.get_collection("decisions", read_concern=concern)
        self._waiting = database.get_collection("waiting", read_concern=concern)
        self._kept = database.get_collection("kept_evidence", read_concern=concern)
        self._credentials = credentials

    async def newest(self, pieces: Iterable[PieceId]) -> dict[UUID, Decision]:
        """See `DecisionStore`."""
        first = await find_by_ids(self._decisions, "_id", (decision_key(DecisionId(*piece, 1)) for piece in pieces))
        newest = {each.evidence.submission_id: each for each in self._said(first)}
        for reviewed in self._said(await self._reviewed([each.decision_id.piece for each in newest.values()])):
            if reviewed.sequence > newest[reviewed.evidence.submission_id].sequence:
                newest[reviewed.evidence.submission_id] = reviewed
        return newest

    async def of(self, decision_ids: Iterable[DecisionId]) -> list[Decision]:
        """Return those of these decisions that there are."""
        return self._said(await find_by_ids(self._decisions, "_id", map(decision_key, decision_ids)))

    def _said(self, found: Iterable[Document]) -> list[Decision]:
        return read_all(_decision, found, full_name(self._decisions))

    async def _reviewed(self, pieces: Sequence[PieceId]) -> list[Document]:
        if not pieces:
            return []
        # A worker's query, by deterministic ids. The partial index is used only where the query says so.
        query = {"piece": {"$in": [piece_key(piece) for piece in pieces]}, "sequence": {"$gt": 1}}
        return await self._decisions.find(query).to_list(None)

    async def owners(self, evidence_ids: Iterable[UUID]) -> dict[UUID, Owner]:
        """See `DecisionStore`."""
        wanted = list(dict.fromkeys(evidence_ids))
        # The index holds owners alone, and is used only where the query says so.
        query = {"evidence_id": {"$in": wanted}, "owns_evidence": True}
        found = self._decisions.find(query, {"evidence_id": 1, "digest": 1, "sequence": 1, "outcome": 1})
        return dict(read_all(_owner, await found.to_list(None), full_name(self._decisions)))

    async def held_against(self, credential_ids: Collection[UUID], limit: int) -> list[PieceId]:
        """See `DecisionStore`."""
        # A worker's query, by deterministic ids; the index holds these alone.
        query = {"credential_id": {"$in": list(credential_ids)}, "outcome": Outcome.DUPLICATE.value}
        found = await self._decisions.find(query, {"_id": 1}).sort("_id", 1).limit(limit).to_list(None)
        return list(dict.fromkeys(piece_of(each["_id"]) for each in found))

    async def kept(self, holding_ids: Collection[UUID]) -> dict[UUID, Kept]:
        """See `DecisionStore`."""
        # A worker's query, by deterministic ids.
        found = await find_by_ids(self._kept, "_id", holding_ids) if holding_ids else []
        return {each.holding_id: each for each in read_all(kept_of, found, full_name(self._kept))}

    async def kept_by(self, issuer_id: str, holding_id: UUID) -> Kept | None:
        """Return the evidence that this issuer's learner has under a holding, None where there is none.

        Raises:
            UnreadableError: it was damaged.
        """
        found = await self._kept.find_one({"_id": holding_id, "issuer_id": issuer_id})
        return None if found is None else require_readable(kept_of, found, f"what is kept under {holding_id}")

    async def record(
        self,
        decisions: Sequence[Decision],
        credentials: Sequence[Credential],
        waiting: Sequence[Waiting],
        kept: Sequence[Kept] = (),
        changes: Changes = NO_CHANGES,
    ) -> bool:
        """See `DecisionStore`."""
        # Before what is inserted: the index lets a piece of evidence belong to one submission at a time.
        disowned = [
            UpdateOne({"_id": decision_key(each), "owns_evidence": True}, {"$unset": {"owns_evidence": ""}})
            for each in changes.disowned
        ]
        return await insert_together(
            self._client,
            [
                (self._decisions, [_decision_document(each) for each in decisions]),
                self._credentials.insertion(credentials),
                (self._waiting, [_waiting_document(each) for each in waiting]),
            ],
            first=self._prove,
            updating=[(self._decisions, disowned), self._credentials.revoking(changes.revocations)],
            replacing=(self._kept, [replacement(each) for each in kept]),
        )

    async def recorded(self, decision_ids: Iterable[DecisionId]) -> set[DecisionId]:
        """Return those of these decisions that are recorded."""
        by_key = {decision_key(each): each for each in decision_ids}
        return {
            by_key[each["_id"]] for each in await find_by_ids(self._decisions, "_id", by_key, projection={"_id": 1})
        }

    async def remove_texts(self, decision_ids: Iterable[DecisionId]) -> None:
        """Remove activity and link from the evidence of these decisions, whose credentials were taken down.

        What explains the award stays: where the evidence came from, what it showed and when, and which rule decided.
        """
        # A worker's query, by deterministic ids: the evidence stands in each decision on its piece.
        every = [
            {"_id": {"$gte": decision_key(DecisionId(*piece, 0)), "$lte": decision_key(DecisionId(*piece, LAST))}}
            for piece in {each.piece for each in decision_ids}
        ]
        await self._decisions.update_many({"$or": every}, {"$set": {"activity": ""}, "$unset": {"link": ""}})

    async def lacking(self, after: str, limit: int) -> list[Lack]:
        """See `WaitingStore`."""
        # All tenants: the loop serves each in its turn. The index gives each value once, without reading the others.
        pipeline: list[Mapping[str, Any]] = [
            {"$match": {"lacks": {"$gt": after}}},
            {"$sort": {"lacks": 1}},
            {"$group": {"_id": "$lacks"}},
            {"$sort": {"_id": 1}},
            {"$limit": limit},
        ]
        return [Lack.read(each["_id"]) async for each in mongo.aggregate(self._waiting, pipeline)]

    async def waiting_for(self, lacking: Iterable[Lack], before: datetime, limit: int) -> list[Waiting]:
        """See `WaitingStore`."""
        query = {"lacks": {"$in": [each.text for each in lacking]}, "since": {"$lte": before}}
        found = self._waiting.find(query).sort([("since", 1), ("_id", 1)]).limit(limit)
        return all_readable(waiting_of, await found.to_list(None), self._waiting)

    async def overdue(self, now: datetime, limit: int) -> list[Waiting]:
        """See `WaitingStore`."""
        # All tenants: the loop serves each in its turn.
        found = self._waiting.find({"until": {"$lte": now}}).sort("until", 1).limit(limit)
        return all_readable(waiting_of, await found.to_list(None), self._waiting)

    async def put_off(self, waiting: Waiting, until: datetime) -> None:
        """See `WaitingStore`."""
        # A worker's query, by deterministic id.
        later: Document = {"$set": {"since": until}}
        if waiting.until is not None:
            later["$max"] = {"until": until}
        await self._waiting.update_one({"_id": piece_key(waiting.piece)}, later)

    async def wait_on(self, waiting: Iterable[Waiting]) -> None:
        """See `WaitingStore`."""
        # A worker's query, by deterministic ids; what was decided meanwhile is there no more.
        updates = [ReplaceOne({"_id": piece_key(each.piece)}, _waiting_document(each)) for each in waiting]
        if updates:
            await self._waiting.bulk_write(updates, ordered=False)

    async def parked(self) -> list[Parked]:
        """Return what is parked, by issuer and reason, those with most pieces first."""
        # An operator's query, over all tenants; the index has what is parked alone.
        since = {"$cond": [{"$eq": [{"$type": "$since"}, "date"]}, "$since", None]}
        pipeline: list[Mapping[str, Any]] = [
            {"$match": {"reason": {"$in": sorted(PARKED)}}},
            {"$group": {"_id": ["$issuer_id", "$reason"], "pieces": {"$sum": 1}, "since": {"$min": since}}},
            {"$sort": {"pieces": -1, "_id": 1}},
        ]
        return all_readable(_parked, [each async for each in mongo.aggregate(self._waiting, pipeline)], self._waiting)

    async def release(self, issuer_id: str, now: datetime) -> int:
        """Let what was put off of this issuer be tried now; return how many pieces."""
        query = {"issuer_id": issuer_id, "since": {"$gt": now}}
        return (await self._waiting.update_many(query, {"$set": {"since": now}})).modified_count

    async def end_waiting(self, pieces: Iterable[PieceId]) -> None:
        """See `WaitingStore`."""
        # A worker's query, by deterministic ids.
        await self._waiting.delete_many({"_id": {"$in": [piece_key(piece) for piece in pieces]}})

    async def count_waiting(self) -> int:
        """See `WaitingStore`."""
        return await self._waiting.estimated_document_count()


def _parked(group: Document) -> Parked:
    issuer_id, reason = group["_id"]
    if not isinstance(issuer_id, str) or group["since"] is None:
        raise TypeError("what is parked does not say whose it is, or since when")
    return Parked(issuer_id, Reason(reason), group["pieces"], group["since"])


class _StoredOwner(NamedTuple):
    """Of a decision, what says whose its piece is."""

    id: bytes
    evidence_id: UUID
    digest: str
    sequence: Count
    outcome: Outcome


_read_owner = typed(_StoredOwner, id="_id")


def _owner(found: Document) -> tuple[UUID, Owner]:
    stored = _read_owner(found)
    decision_id = DecisionId(*piece_of(stored.id), stored.sequence)
    withdrawn = stored.outcome is Outcome.WITHDRAWN
    owner = Owner(ids.submission_id(*decision_id.piece), stored.digest, decision_id, withdrawn=withdrawn)
    return stored.evidence_id, owner


def _decision_document(decision: Decision) -> Document:
    evidence, key = decision.evidence, decision_key(decision.decision_id)
    document = {
        "_id": key,
        "schema": 1,
        "sequence": decision.sequence,
        # The key of the index over decisions after the first.
        "piece": key[:-SEQUENCE_BYTES] if decision.sequence > 1 else None,
        "issuer_id": evidence.issuer_id,
        "learner_id": evidence.learner_id,
        "evidence_id": evidence.evidence_id,
        "source": evidence.source,
        "source_id": evidence.source_id,
        "digest": evidence.digest,
        "mapping_version": evidence.mapping_version,
        "achievement": evidence.achievement,
        "level": None if evidence.result.level is None else evidence.result.level.value,
        "score": evidence.result.score,
        "observed_on": evidence.observed_on.isoformat(),
        "activity": evidence.activity,
        "link": evidence.link,
        "class_id": evidence.class_id,
        "term": evidence.term,
        "assessor_id": evidence.assessor_id,
        "received_at": evidence.received_at,
        "by_hand": None if evidence.by_hand is None else evidence.by_hand.model_dump(mode="json"),
        "outcome": decision.outcome.value,
        "reason": None if decision.reason is None else decision.reason.value,
        "decided_by": decision.achievement,
        "rule_version": decision.rule_version,
        "credential_id": decision.credential_id,
        "owns_evidence": decision.owns_evidence or None,
        "waits_until": decision.waits_until,
        "decided_at": decision.decided_at,
        "counted": None if decision.counted is None else counted_document(decision.counted),
        "missing": decision.missing,
        "stacked": [_stacked_document(each) for each in decision.stacked] or None,
        "revoked": list(decision.revoked) or None,
    }
    return {name: value for name, value in document.items() if value is not None}


class _Stored(NamedTuple):
    """A decision as it is stored, beside the piece of evidence."""

    id: bytes
    sequence: Count
    outcome: Outcome
    reason: Reason | None
    decided_by: str | None
    rule_version: str
    credential_id: UUID | None
    waits_until: datetime | None
    decided_at: datetime
    counted: dict[str, Any] | None
    missing: str | None
    owns_evidence: bool = False
    stacked: Sequence[dict[str, Any]] = ()
    revoked: Sequence[UUID] = ()


_read = typed(_Stored, id="_id")


def _decision(stored: Document) -> Decision:
    decided = _read(stored)
    piece = piece_of(decided.id)
    evidence = EvidenceSubmitted.model_validate(
        {
            **{name: stored[name] for name in _EVIDENCE_FIELDS if name in stored},
            "submission_id": ids.submission_id(*piece),
            "batch_id": piece.batch_id,
            "row": piece.row,
            "result": {"level": stored.get("level"), "score": stored.get("score")},
            "observed_on": date.fromisoformat(stored["observed_on"]),
        }
    )
    return Decision(
        evidence=evidence,
        sequence=decided.sequence,
        outcome=decided.outcome,
        reason=decided.reason,
        achievement=decided.decided_by,
        rule_version=decided.rule_version,
        credential_id=decided.credential_id,
        owns_evidence=decided.owns_evidence,
        waits_until=decided.waits_until,
        decided_at=decided.decided_at,
        counted=None if decided.counted is None else counted_of(decided.counted),
        missing=decided.missing,
        stacked=tuple(map(_stacked, decided.stacked)),
        revoked=tuple(decided.revoked),
    )


def _stacked_document(award: StackedAward) -> Document:
    return {"achievement": award.achievement, "credential_id": award.credential_id, **counted_document(award)}


def _stacked(stored: Document) -> StackedAward:
    counted = dict(counted_of(stored))
    return StackedAward(achievement=stored["achievement"], credential_id=stored["credential_id"], **counted)


_EVIDENCE_FIELDS = EvidenceSubmitted.model_fields.keys() - {"submission_id", "batch_id", "row", "result", "observed_on"}


def _waiting_document(waiting: Waiting) -> Document:
    ends = {} if waiting.until is None else {"until": waiting.until}
    return {
        "_id": piece_key(waiting.piece),
        "schema": 2,
        "issuer_id": waiting.issuer_id,
        "reason": waiting.reason,
        "lacks": waiting.lack.text,
        "since": waiting.since,
        **ends,
        "trace": waiting.trace,
    }


class _StoredWaiting(NamedTuple):
    """A piece of evidence that waits, as it is stored."""

    id: bytes
    lacks: Text
    since: datetime
    until: datetime | None
    trace: str


_read_waiting = typed(_StoredWaiting, id="_id")


def waiting_of(found: Document) -> Waiting:
    stored = _read_waiting(found)
    lack = Lack.read(stored.lacks)
    return Waiting(
        piece=piece_of(stored.id),
        issuer_id=lack.issuer_id,
        achievement=lack.achievement,
        reason=lack.reason,
        since=stored.since,
        until=stored.until,
        trace=stored.trace,
    )
