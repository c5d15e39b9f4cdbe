"""Every query on the evidence database: batches and their rows."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from pymongo import ReturnDocument, UpdateOne
from pymongo.errors import BulkWriteError, DuplicateKeyError
from pymongo.read_concern import ReadConcern

from libs.common import mongo
from libs.common.errors import ConflictError, NotFoundError, UnavailableError
from libs.common.mongo import Index
from libs.contracts.events import EvidenceDecided
from services.evidence.batches.batch import Batch, BatchState, Claim, NewRow, Progress, Row, Tally, Upload

INDEXES = (
    # Counts by state and reason without touching a document, and the pages of one state.
    Index("rows", ("issuer_id", "batch_id", "state", "reason", "row")),
    Index("rows", ("issuer_id", "batch_id", "row")),
    # Uploads that died.
    Index("batches", ("state", "alive_at")),
)
_DUPLICATE_KEY = 11000


class Batches:
    """Batches and rows. A row has the id of its submission, so storing it again changes nothing."""

    def __init__(self, database: mongo.Database) -> None:
        self._batches = database["batches"]
        self._rows = database["rows"]
        # One moment for all rows: a plain scan could meet a row that moves between states twice, or not at all.
        self._rows_at_once = self._rows.with_options(read_concern=ReadConcern("snapshot"))

    async def claim(self, batch_id: UUID, upload: Upload, token: UUID, now: datetime, stale_before: datetime) -> Claim:
        """Begin a batch, or go on with one whose earlier upload has ended.

        Raises:
            ConflictError: it was begun as something else.
            UnavailableError: an upload of it is under way.
        """
        new = {
            "_id": batch_id,
            "schema": 1,
            "issuer_id": upload.issuer_id,
            "source": upload.source,
            "format": upload.format,
            "state": BatchState.RECEIVING,
            "upload": token,
            "created_at": now,
            "alive_at": now,
            **_progress(Progress()),
        }
        try:
            await self._batches.insert_one(new)
        except DuplicateKeyError:
            return await self._claim_again(batch_id, upload, token, now, stale_before)
        return Claim(batch_id, token, Progress(), accepted=False)

    async def _claim_again(
        self, batch_id: UUID, upload: Upload, token: UUID, now: datetime, stale_before: datetime
    ) -> Claim:
        same = {"_id": batch_id, "issuer_id": upload.issuer_id, "source": upload.source, "format": upload.format}
        ended = [{"state": BatchState.INTERRUPTED}, {"state": BatchState.RECEIVING, "alive_at": {"$lt": stale_before}}]
        taken = await self._batches.find_one_and_update(
            {**same, "$or": ended},
            {"$set": {"state": BatchState.RECEIVING, "upload": token, "alive_at": now}, "$unset": {"problem": ""}},
            return_document=ReturnDocument.AFTER,
        ) or await self._batches.find_one(same)
        if taken is None:
            raise ConflictError("This Idempotency-Key already stands for an upload of another source or format.")
        if taken["state"] == BatchState.RECEIVING and taken["upload"] != token:
            raise UnavailableError(f"The same upload is being received just now, as batch {batch_id}.")
        progress = Progress(taken["row"], taken["received"], taken["fingerprint"])
        return Claim(batch_id, token, progress, accepted=taken["state"] == BatchState.ACCEPTED)

    async def keep(self, claim: Claim, progress: Progress, now: datetime) -> bool:
        """Show that the upload lives, and how far; False where the batch is another upload's by now, or accepted."""
        # Never back from accepted: this may be on its way to the database when the upload ends.
        return await self._set(
            {**_held(claim), "state": {"$ne": BatchState.ACCEPTED}},
            progress,
            {"state": BatchState.RECEIVING, "alive_at": now},
        )

    async def accept(self, claim: Claim, progress: Progress, now: datetime) -> bool:
        """Everything is on Kafka and stored; False where the batch is another upload's by now."""
        accepted = {"state": BatchState.ACCEPTED, "alive_at": now, "accepted_at": now}
        return await self._set(_held(claim), progress, accepted)

    async def _set(self, query: dict[str, Any], progress: Progress, fields: dict[str, Any]) -> bool:
        values = {"$set": {**_progress(progress), **fields}, "$unset": {"problem": ""}}
        done = await self._batches.update_one(query, values)
        return done.matched_count == 1

    async def interrupt(self, claim: Claim, progress: Progress, problem: str) -> None:
        """The upload ended early, this far, and this is why."""
        # Nobody's from here on, so that no late renewal of its lease brings it back.
        ended = {"state": BatchState.INTERRUPTED, "problem": problem, "upload": None}
        await self._batches.update_one(
            {**_held(claim), "state": BatchState.RECEIVING}, {"$set": {**_progress(progress), **ended}}
        )

    async def interrupt_stale(self, alive_before: datetime, problem: str) -> int:
        """Mark the uploads of every tenant whose process died; returns how many there were."""
        done = await self._batches.update_many(
            {"state": BatchState.RECEIVING, "alive_at": {"$lt": alive_before}},
            {"$set": {"state": BatchState.INTERRUPTED, "problem": problem}},
        )
        return done.modified_count

    async def store(self, batch_id: UUID, issuer_id: str, rows: Sequence[NewRow]) -> None:
        """Store rows whose submissions Kafka has confirmed. One that is already there keeps its state."""
        documents = [_document(batch_id, issuer_id, row) for row in rows]
        known = await mongo.insert_new(self._rows, documents)
        # Its decision was faster than we: what only the sender could tell is added to it.
        kept = [
            UpdateOne({"_id": row["_id"]}, {"$set": texts})
            for row in documents
            if row["_id"] in known and (texts := {name: row[name] for name in ("assessor", "comment") if name in row})
        ]
        if kept:
            await self._rows.bulk_write(kept, ordered=False)

    async def decide(self, decisions: Sequence[EvidenceDecided]) -> None:
        """Give rows the state of their newest decision, in whatever order these arrive; a missing row is made."""
        if not decisions:
            return
        try:
            await self._rows.bulk_write([_decision(each, upsert=True) for each in decisions], ordered=False)
        except BulkWriteError as error:
            refused = error.details["writeErrors"]
            if error.details["writeConcernErrors"] or any(e["code"] != _DUPLICATE_KEY for e in refused):
                raise
            # Each of these rows exists: decided as newly before, or inserted as pending while we looked for it.
            again = [_decision(decisions[e["index"]], upsert=False) for e in refused]
            await self._rows.bulk_write(again, ordered=False)
        # After the rows: whoever counted before them finds another revision, and keeps no numbers that are past.
        reviewed = {each.batch_id for each in decisions if each.sequence > 1}
        if reviewed:
            # A worker's query, by deterministic ids.
            await self._batches.update_many(
                {"_id": {"$in": list(reviewed)}}, {"$inc": {"revision": 1}, "$unset": {"tally": ""}}
            )

    async def batch(self, batch_id: UUID, issuer_id: str) -> Batch:
        """A batch of this tenant, with its numbers at one moment.

        Raises:
            NotFoundError: there is none, or it is another tenant's.
        """
        # The batch first: where it is accepted, every row of it is stored before the rows are counted.
        found = await self._batches.find_one({"_id": batch_id, "issuer_id": issuer_id})
        if found is None:
            raise NotFoundError("there is no batch under this id that your key may see")
        frozen = found.get("tally")
        tally = await self._count(batch_id, issuer_id) if frozen is None else Tally.of(map(tuple, frozen))
        batch = Batch(
            batch_id=batch_id,
            state=BatchState(found["state"]),
            source=found["source"],
            format=found["format"],
            created_at=found["created_at"],
            accepted_at=found.get("accepted_at"),
            problem=found.get("problem"),
            tally=tally,
        )
        if batch.complete and frozen is None:
            # No row can be added to an accepted batch: these numbers hold until a decision on it is reviewed.
            counts = [[state, reason, count] for (state, reason), count in tally.counts.items()]
            same = {"_id": batch_id, "issuer_id": issuer_id, "revision": found.get("revision")}
            await self._batches.update_one(same, {"$set": {"tally": counts}})
        return batch

    async def exists(self, batch_id: UUID, issuer_id: str) -> None:
        """Raises NotFoundError where there is no such batch, or it is another tenant's."""
        if await self._batches.find_one({"_id": batch_id, "issuer_id": issuer_id}, {"_id": 1}) is None:
            raise NotFoundError("there is no batch under this id that your key may see")

    async def _count(self, batch_id: UUID, issuer_id: str) -> Tally:
        pipeline = [
            {"$match": {"issuer_id": issuer_id, "batch_id": batch_id}},
            {"$group": {"_id": {"state": "$state", "reason": "$reason"}, "count": {"$sum": 1}}},
        ]
        counted = [
            (group["_id"]["state"], group["_id"]["reason"], group["count"])
            async for group in mongo.aggregate(self._rows_at_once, pipeline)
        ]
        return Tally.of(counted)

    async def rows(
        self, batch_id: UUID, issuer_id: str, *, state: str | None, after: tuple[str, int], limit: int
    ) -> list[Row]:
        """A page of rows: in their order, or, of one state, by reason and then in their order.

        `after` is the reason ("" for none, or where all states are asked for) and number of the last row seen.
        """
        of_batch = {"issuer_id": issuer_id, "batch_id": batch_id}
        reason, number = after
        if state is None:
            return await self._page({**of_batch, "row": {"$gt": number}}, ["row"], limit)
        of_state = {**of_batch, "state": state}
        page = await self._page({**of_state, "reason": reason, "row": {"$gt": number}}, ["row"], limit)
        if len(page) < limit:
            page += await self._page({**of_state, "reason": {"$gt": reason}}, ["reason", "row"], limit - len(page))
        return page

    async def _page(self, query: dict[str, Any], order: Sequence[str], limit: int) -> list[Row]:
        found = await self._rows.find(query).sort([(name, 1) for name in order]).limit(limit).to_list(None)
        return [
            Row(
                row=each["row"],
                source_id=each.get("source_id"),
                state=each["state"],
                column=each.get("column"),
                reason=each["reason"] or None,
                detail=each.get("detail"),
                credential_id=each.get("credential_id"),
            )
            for each in found
        ]


def _held(claim: Claim) -> dict[str, Any]:
    # By deterministic id and the claim's own token: no other tenant's upload can hold it.
    return {"_id": claim.batch_id, "upload": claim.upload}


def _progress(progress: Progress) -> dict[str, Any]:
    return {"row": progress.row, "received": progress.received, "fingerprint": progress.fingerprint}


def _document(batch_id: UUID, issuer_id: str, row: NewRow) -> mongo.Document:
    document: mongo.Document = {
        "_id": row.submission_id,
        "schema": 1,
        "issuer_id": issuer_id,
        "batch_id": batch_id,
        "row": row.row,
        # Of its newest decision; 0 before the first.
        "sequence": 0,
        "state": row.state,
        # "" for none, so that rows without a reason stand in the index's order like the others.
        "reason": row.reason or "",
    }
    for name in ("source_id", "column", "detail", "assessor", "comment"):
        value = getattr(row, name)
        if value is not None:
            document[name] = value
    return document


def _decision(event: EvidenceDecided, *, upsert: bool) -> UpdateOne:
    state: dict[str, Any] = {
        "sequence": event.sequence,
        "state": event.outcome.value,
        "reason": event.reason or "",
        "rule_version": event.rule_version,
        "decided_at": event.decided_at,
    }
    optional = {"detail": event.detail, "credential_id": event.credential_id}
    state |= {name: value for name, value in optional.items() if value is not None}
    update: dict[str, Any] = {
        "$set": state,
        "$setOnInsert": {
            "schema": 1,
            "issuer_id": event.issuer_id,
            "batch_id": event.batch_id,
            "row": event.row,
            "source_id": event.source_id,
        },
    }
    if event.sequence > 1:
        update["$unset"] = {name: "" for name, value in optional.items() if value is None}
    # A worker's query, by deterministic id.
    return UpdateOne({"_id": event.submission_id, "sequence": {"$lt": event.sequence}}, update, upsert=upsert)
