"""Every query on the evidence database: batches and their rows."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from pymongo import ReplaceOne, ReturnDocument
from pymongo.errors import DuplicateKeyError
from pymongo.read_concern import ReadConcern

from libs.common import mongo
from libs.common.errors import ConflictError, UnavailableError
from libs.common.mongo import Index
from libs.contracts import ids
from libs.contracts.events import EvidenceDecided
from services.evidence.batches.adoption import BatchAdoption
from services.evidence.batches.batch import (
    PENDING,
    Batch,
    BatchState,
    NewRow,
    Progress,
    Row,
    Tally,
    Upload,
    UploadLease,
)
from services.evidence.batches.documents import (
    block_document,
    decided_document,
    progress_fields,
    refused_document,
    row_of,
)
from services.evidence.batches.failed_rows import FailedRows
from services.evidence.batches.listing import INDEXES as LIST_INDEXES
from services.evidence.batches.listing import BatchLists
from services.evidence.batches.originals import OriginalSealing
from services.evidence.batches.removal import INDEXES as REMOVAL_INDEXES
from services.evidence.batches.removal import BatchRemoval
from services.evidence.batches.row_warnings import RowWarnings, rows_between
from services.evidence.batches.submissions import INDEXES as SUBMISSION_INDEXES
from services.evidence.batches.submissions import SentSubmissions
from services.evidence.batches.texts import INDEXES as TEXT_INDEXES
from services.evidence.batches.texts import BatchTexts, comments_of, originals_of

INDEXES = (
    # Counts by state and reason without touching a document, and the pages of one state.
    Index("rows", ("issuer_id", "batch_id", "state", "reason", "row")),
    # Uploads that died.
    Index("batches", ("state", "alive_at")),
    *TEXT_INDEXES,
    *SUBMISSION_INDEXES,
    *REMOVAL_INDEXES,
    *LIST_INDEXES,
)
# At most some 4 MB: the longest comments of so many rows.
_BLOCK_ROWS = 250
_BLOCKS_AT_ONCE = 10
_ENDED = (
    "This Idempotency-Key stands for an upload of long ago, whose rows have been removed. Send this file under a new"
    " key, or without one; evidence that was sent before is recognised by its source id."
)


class Batches:
    """Batches and their rows.

    A row is written once in its life, or once more with each review: `rows` holds those that are refused at ingestion
    or decided. What was taken in is kept as it came, 250 rows to a document, in `row_blocks`; such a row is pending as
    long as `rows` does not have it. Both have the ids of submissions (`libs.contracts.ids`), which lie side by side in
    the order of the batch's rows, so that storing again changes nothing and needs no index to find.
    """

    def __init__(self, database: mongo.Database, sealing: OriginalSealing | None = None) -> None:
        """Take the database, and what seals rows as they were sent; without it none is kept or given back."""
        self._sealing = sealing
        self._batches = database["batches"]
        self._rows = database["rows"]
        self._blocks = database["row_blocks"]
        self._warnings = RowWarnings(database)
        self.sent = SentSubmissions(database, self._rows)
        self.texts: BatchTexts = comments_of(self._batches, self._blocks)
        self.originals: BatchTexts = originals_of(self._batches, self._blocks, self._rows)
        self.failed = FailedRows(self._rows, self._blocks, sealing)
        of_rows = (self._blocks, self._warnings.collection, self._rows)
        self.lists = BatchLists(self._batches)
        self.adoption = BatchAdoption(self._batches, self._store_rows)
        self.removal = BatchRemoval(self._batches, of_rows, self.batch)
        # One moment for all rows: a plain scan could meet a row that moves between states twice, or not at all.
        self._rows_at_once = self._rows.with_options(read_concern=ReadConcern("snapshot"))

    async def acquire(
        self, batch_id: UUID, upload: Upload, token: UUID, now: datetime, stale_before: datetime, *, first: Progress
    ) -> UploadLease:
        """Begin a batch, or go on with one whose earlier upload has ended.

        A batch that begins is announced up to `first`, as `announce` does.

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
            "has_texts": True,
            "has_originals": True,
            "announced": progress_fields(first),
            **progress_fields(Progress()),
        }
        try:
            await self._batches.insert_one(new)
        except DuplicateKeyError:
            return await self._acquire_again(batch_id, upload, token, now, stale_before)
        return UploadLease(batch_id, token, now, Progress(), first, accepted=False, begins=True)

    async def _acquire_again(
        self, batch_id: UUID, upload: Upload, token: UUID, now: datetime, stale_before: datetime
    ) -> UploadLease:
        same: dict[str, Any] = {
            **_readable(batch_id, upload.issuer_id),
            "source": upload.source,
            "format": upload.format,
        }
        ended = [{"state": BatchState.INTERRUPTED}, {"state": BatchState.RECEIVING, "alive_at": {"$lt": stale_before}}]
        taken = await self._batches.find_one_and_update(
            {**same, "$or": ended},
            {"$set": {"state": BatchState.RECEIVING, "upload": token, "alive_at": now}, "$unset": {"problem": ""}},
            return_document=ReturnDocument.AFTER,
        ) or await self._batches.find_one(same)
        if taken is None and await self._batches.find_one({"_id": batch_id, "ended": True}, {"_id": 1}):
            raise ConflictError(_ENDED)
        if taken is None:
            raise ConflictError("This Idempotency-Key already stands for an upload of another source or format.")
        if taken["state"] == BatchState.RECEIVING and taken["upload"] != token:
            raise UnavailableError(f"The same upload is being received just now, as batch {batch_id}.")
        progress = Progress(taken["row"], taken["received"], taken["fingerprint"])
        announced, accepted = Progress(**taken["announced"]), taken["state"] == BatchState.ACCEPTED
        return UploadLease(batch_id, token, taken["created_at"], progress, announced, accepted)

    async def renew(self, lease: UploadLease, now: datetime) -> bool:
        """Show that the upload lives; False where the batch is another upload's by now, or accepted."""
        # Never back from accepted: this may be on its way to the database when the upload ends.
        alive = {"state": BatchState.RECEIVING, "alive_at": now}
        return await self._set({**_held(lease), "state": {"$ne": BatchState.ACCEPTED}}, alive)

    async def announce(self, lease: UploadLease, progress: Progress) -> bool:
        """Record how far the rows go that are published next; False where the batch is another upload's by now.

        From here on the sender's key stands for these rows: decisions on them may come although they are not stored.
        """
        return await self._set(
            {**_held(lease), "state": BatchState.RECEIVING}, {"announced": progress_fields(progress)}
        )

    async def accept(self, lease: UploadLease, progress: Progress, now: datetime) -> bool:
        """Everything is on Kafka and stored; False where the batch is another upload's by now."""
        accepted = {"state": BatchState.ACCEPTED, "alive_at": now, "accepted_at": now}
        return await self._set(_held(lease), {**progress_fields(progress), **accepted})

    async def _set(self, query: dict[str, Any], fields: dict[str, Any]) -> bool:
        done = await self._batches.update_one(query, {"$set": fields, "$unset": {"problem": ""}})
        return done.matched_count == 1

    async def interrupt(self, lease: UploadLease, progress: Progress, problem: str) -> None:
        """The upload ended early, this far, and this is why."""
        # Nobody's from here on, so that no late renewal of its lease brings it back.
        ended = {"state": BatchState.INTERRUPTED, "problem": problem, "upload": None}
        await self._batches.update_one(
            {**_held(lease), "state": BatchState.RECEIVING}, {"$set": {**progress_fields(progress), **ended}}
        )

    async def interrupt_stale(self, alive_before: datetime, problem: str) -> int:
        """Mark the uploads of every tenant whose process died; returns how many there were."""
        done = await self._batches.update_many(
            {"state": BatchState.RECEIVING, "alive_at": {"$lt": alive_before}},
            {"$set": {"state": BatchState.INTERRUPTED, "problem": problem}},
        )
        return done.modified_count

    async def store(
        self,
        lease: UploadLease,
        issuer_id: str,
        rows: Sequence[NewRow],
        progress: Progress,
        accepted_at: datetime | None = None,
        *,
        beside: Callable[[], Awaitable[None]] | None = None,
    ) -> bool:
        """Store rows whose submissions Kafka has confirmed, then `progress`: how far the upload has come with them.

        Only rows up to there count as received, so that they count from the moment that all of them are stored, and
        what is done `beside` that is done. With `accepted_at` the batch is accepted by the same write. Return False
        where it is another upload's by now.
        """
        others = [] if beside is None else [beside()]
        await asyncio.gather(self._store_rows(lease.batch_id, issuer_id, rows), *others)
        if accepted_at is not None:
            return await self.accept(lease, progress, accepted_at)
        return await self._set({**_held(lease), "state": BatchState.RECEIVING}, progress_fields(progress))

    async def _store_rows(self, batch_id: UUID, issuer_id: str, rows: Sequence[NewRow]) -> None:
        await self._warnings.store(batch_id, issuer_id, rows)
        refused = [refused_document(batch_id, issuer_id, row, self._sealing) for row in rows if row.state != PENDING]
        await mongo.insert_new(self._rows, refused)
        taken = [row for row in rows if row.state == PENDING]
        blocks = [
            block_document(batch_id, issuer_id, taken[start : start + _BLOCK_ROWS], self._sealing)
            for start in range(0, len(taken), _BLOCK_ROWS)
        ]
        there = await mongo.insert_new(self._blocks, blocks)
        # Of an upload that died before its progress was written; if it cut its rows otherwise, ours go on from here.
        again = [ReplaceOne({"_id": block["_id"]}, block) for block in blocks if block["_id"] in there]
        if again:
            await self._blocks.bulk_write(again, ordered=False)

    async def decide(self, decisions: Sequence[EvidenceDecided]) -> None:
        """Give rows the state of their newest decision, in whatever order these arrive."""
        newest: dict[UUID, EvidenceDecided] = {}
        for each in decisions:
            held = newest.get(each.submission_id)
            if held is None or held.sequence < each.sequence:
                newest[each.submission_id] = each
        documents = [decided_document(each) for each in newest.values()]
        there = await mongo.insert_new(self._rows, documents)
        # Workers' queries, by deterministic ids.
        newer = [
            ReplaceOne({"_id": row["_id"], "sequence": {"$lt": row["sequence"]}}, row)
            for row in documents
            if row["_id"] in there
        ]
        if newer:
            await self._rows.bulk_write(newer, ordered=False)
        # After the rows: whoever counted before them finds another revision, and keeps no numbers that are past.
        reviewed = {each.batch_id for each in decisions if each.sequence > 1}
        if reviewed:
            # A worker's query, by deterministic ids.
            await self._batches.update_many(
                {"_id": {"$in": list(reviewed)}}, {"$inc": {"revision": 1}, "$unset": {"tally": "", "warnings": ""}}
            )

    async def batch(self, batch_id: UUID, issuer_id: str) -> Batch:
        """A batch of this tenant, with its numbers at one moment.

        Raises:
            NotFoundError: there is none, or it is another tenant's.
        """
        # The batch first: where it is accepted, every row of it is stored before the rows are counted.
        found = await self._batches.find_one(_readable(batch_id, issuer_id))
        if found is None:
            raise await mongo.not_found(self._batches, issuer_id, batch_id, "no batch")
        frozen = found.get("tally")
        tally = await self._count(found) if frozen is None else Tally.of(map(tuple, frozen))
        warnings = await self._warnings.count(batch_id, issuer_id) if frozen is None else found["warnings"]
        batch = Batch(
            batch_id=batch_id,
            state=BatchState(found["state"]),
            source=found["source"],
            format=found["format"],
            created_at=found["created_at"],
            accepted_at=found.get("accepted_at"),
            problem=found.get("problem"),
            tally=tally,
            warnings=warnings,
        )
        if batch.complete and frozen is None:
            # No row can be added to an accepted batch: these numbers hold until a decision on it is reviewed.
            counts = [[state, reason, count] for (state, reason), count in tally.counts.items()]
            same = {"_id": batch_id, "issuer_id": issuer_id, "revision": found.get("revision")}
            await self._batches.update_one(same, {"$set": {"tally": counts, "warnings": warnings}})
        return batch

    async def format(self, batch_id: UUID, issuer_id: str) -> str:
        """Return the form that a batch was sent in.

        Raises:
            NotFoundError: there is none, or it is another tenant's.
        """
        found = await self._batches.find_one(_readable(batch_id, issuer_id), {"format": 1})
        if found is None:
            raise await mongo.not_found(self._batches, issuer_id, batch_id, "no batch")
        return str(found["format"])

    async def _count(self, batch: mongo.Document) -> Tally:
        """Count the rows of a batch that was read before: what it has received up to its progress is there."""
        pipeline = [
            {"$match": {"issuer_id": batch["issuer_id"], "batch_id": batch["_id"]}},
            {
                "$group": {
                    "_id": {"state": "$state", "reason": "$reason"},
                    "count": {"$sum": 1},
                    "received": {"$sum": {"$cond": [{"$lte": ["$row", batch["row"]]}, 1, 0]}},
                }
            },
        ]
        groups = [group async for group in mongo.aggregate(self._rows_at_once, pipeline)]
        counted = [(group["_id"]["state"], group["_id"]["reason"], group["count"]) for group in groups]
        pending = batch["received"] - sum(group["received"] for group in groups)
        return Tally.of([*counted, (PENDING, "", pending)] if pending > 0 else counted)

    async def rows(
        self, batch_id: UUID, issuer_id: str, *, state: str | None, after: tuple[str, int], limit: int
    ) -> list[Row]:
        """A page of rows with their warnings: in their order, or, of one state, by reason and then in their order.

        `after` is the reason ("" for none, or where all states are asked for) and number of the last row seen.
        """
        reason, number = after
        if state is None or state == PENDING:
            page = await self._in_order(batch_id, issuer_id, number, limit, pending_only=state == PENDING)
            return await self._warnings.added(batch_id, issuer_id, page)
        of_state = {"issuer_id": issuer_id, "batch_id": batch_id, "state": state}
        page = await self._page({**of_state, "reason": reason, "row": {"$gt": number}}, ["row"], limit)
        if len(page) < limit:
            page += await self._page({**of_state, "reason": {"$gt": reason}}, ["reason", "row"], limit - len(page))
        return await self._warnings.added(batch_id, issuer_id, page)

    async def warned_rows(self, batch_id: UUID, issuer_id: str, *, after: int, limit: int) -> list[Row]:
        """Return rows that have warnings, behind the number `after`, in their order."""
        taken = await self._warnings.page(batch_id, issuer_id, after=after, limit=limit)
        numbers = {"$in": [ids.submission_id(batch_id, row.row) for row in taken]}
        found = await self._page({"_id": numbers, "issuer_id": issuer_id, "batch_id": batch_id}, ["_id"], limit)
        known = {row.row: row for row in found}
        return [replace(known.get(row.row, row), warnings=row.warnings) for row in taken]

    async def _in_order(
        self, batch_id: UUID, issuer_id: str, after: int, limit: int, *, pending_only: bool
    ) -> list[Row]:
        """Rows in their order, a stretch of some blocks at a time: those taken in, over them those with a state."""
        page: list[Row] = []
        while len(page) < limit and after < ids.LAST_ROW:
            # The blocks first: a row that is decided meanwhile is found decided, and none is missed.
            blocks = await self._blocks_after(batch_id, issuer_id, after)
            end = blocks[-1]["last"] if len(blocks) == _BLOCKS_AT_ONCE else ids.LAST_ROW
            taken = {
                row["row"]: Row(row["row"], row["source_id"], PENDING)
                for block in blocks
                for row in block["rows"]
                if after < row["row"] <= end
            }
            if pending_only:
                for number in await self._known(batch_id, issuer_id, taken.keys()):
                    taken.pop(number, None)
            else:
                known = await self._page(rows_between(batch_id, issuer_id, after, end), ["_id"], limit)
                # Behind a full page of them it is not known which rows are decided.
                end = known[-1].row if len(known) == limit else end
                taken = {number: row for number, row in taken.items() if number <= end}
                taken |= {row.row: row for row in known}
            page += [taken[number] for number in sorted(taken)]
            after = end
        return page[:limit]

    async def _known(self, batch_id: UUID, issuer_id: str, numbers: Collection[int]) -> list[int]:
        """Those of these rows, and others between them, that have a state."""
        if not numbers:
            return []
        between = rows_between(batch_id, issuer_id, min(numbers) - 1, max(numbers))
        return [each["row"] for each in await self._rows.find(between, {"row": 1}).to_list(None)]

    async def _blocks_after(self, batch_id: UUID, issuer_id: str, after: int) -> list[mongo.Document]:
        """The blocks that may hold rows behind this one, from the one that it lies in."""
        of_batch = {"issuer_id": issuer_id, "batch_id": batch_id}
        number = {"$gte": ids.submission_id(batch_id, 0), "$lte": ids.submission_id(batch_id, after)}
        first = await self._blocks.find({**of_batch, "_id": number}, {"_id": 1}).sort("_id", -1).limit(1).to_list(None)
        start = first[0]["_id"] if first else ids.submission_id(batch_id, 0)
        onward = {"$gte": start, "$lte": ids.submission_id(batch_id, ids.LAST_ROW)}
        fields = {"last": 1, "rows.row": 1, "rows.source_id": 1}
        found = self._blocks.find({**of_batch, "_id": onward}, fields).sort("_id", 1).limit(_BLOCKS_AT_ONCE)
        return await found.to_list(None)

    async def _page(self, query: dict[str, Any], order: Sequence[str], limit: int) -> list[Row]:
        found = await self._rows.find(query).sort([(name, 1) for name in order]).limit(limit).to_list(None)
        return list(map(row_of, found))


def _readable(batch_id: UUID, issuer_id: str) -> dict[str, Any]:
    # One whose life has ended is being removed (removal.py), or is no more than a used key.
    return {"_id": batch_id, "issuer_id": issuer_id, "ended": None}


def _held(lease: UploadLease) -> dict[str, Any]:
    # By deterministic id and the lease's own token: no other tenant's upload can hold it.
    return {"_id": lease.batch_id, "upload": lease.upload}
