"""Takes up batches that were acknowledged and that the database lacks, since it was set back (ADR 24).

What an upload counts as stored was published before (ingestion.py). So a batch that is accepted, or has come as far as
a record says, lacks nothing of it: one read by id tells so of each record, and few are ever opened.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from libs.common.mongo import Collection, Document, find_by_ids, insert_new
from libs.contracts.cloudevents import Received
from libs.contracts.events import BatchStored
from services.evidence.batches.batch import DIED, LEASE, BatchState, NewRow, Progress
from services.evidence.batches.documents import progress_fields
from services.evidence.batches.sealing import Header, StoredRows

_ASKED = {"state": 1, "row": 1, "accepted_at": 1, "alive_at": 1, "ended": 1}


class BatchAdoption:
    """Batches as they were published. Queries are a worker's, by deterministic ids, and carry the tenant."""

    def __init__(
        self, batches: Collection, store_rows: Callable[[UUID, str, Sequence[NewRow]], Awaitable[None]]
    ) -> None:
        """Take the collection of batches, and what stores rows of one."""
        self._batches = batches
        self._store_rows = store_rows

    async def missing(self, batch: Sequence[Received[BatchStored]], now: datetime) -> list[BatchStored]:
        """Return those of these events that speak of something which the database does not have."""
        names = {received.event.batch_id for received in batch if received.event is not None}
        known = {each["_id"]: each for each in await find_by_ids(self._batches, "_id", names, projection=_ASKED)}
        return [
            received.event
            for received in batch
            if received.event is not None
            and _lacks(known.get(received.event.batch_id), received.event, now, again=received.known)
        ]

    async def adopt(self, stored: StoredRows, accepted_at: datetime | None) -> None:
        """Take this up: the rows first, so that they count from the moment that all of them are there."""
        header, progress = stored.header, stored.progress
        await insert_new(self._batches, [_begun(header)])
        await self._store_rows(header.batch_id, header.issuer_id, stored.rows)
        if progress is None:
            return
        own = {"_id": header.batch_id, "issuer_id": header.issuer_id, "ended": None}
        behind = {"$lt": progress.row}
        if progress.fingerprint:  # else it came without a key, and nobody goes on with it
            await self._batches.update_one(
                {**own, "announced.row": behind}, {"$set": {"announced": progress_fields(progress)}}
            )
        await self._batches.update_one({**own, "row": behind}, {"$set": progress_fields(progress)})
        if accepted_at is not None:
            accepted = {"state": BatchState.ACCEPTED, "alive_at": accepted_at, "accepted_at": accepted_at}
            await self._batches.update_one(own, {"$set": accepted, "$unset": {"problem": ""}})


def _lacks(known: Document | None, event: BatchStored, now: datetime, *, again: bool) -> bool:
    if known is None:
        return True
    if known.get("ended"):
        return False
    if known["state"] == BatchState.ACCEPTED:
        # An upload that died before it was accepted published another time than the one that came after it.
        return event.accepted and known["accepted_at"] < event.stored_at
    if known["row"] >= event.row and not event.accepted:
        return False
    # Of an upload that is under way the record comes before the rows are stored.
    return again or known["state"] != BatchState.RECEIVING or known["alive_at"] < now - LEASE


def _begun(header: Header) -> dict[str, Any]:
    """Return a batch of which nothing is stored, whose upload is nobody's."""
    return {
        "_id": header.batch_id,
        "schema": 1,
        "issuer_id": header.issuer_id,
        "source": header.source,
        "format": header.format,
        "state": BatchState.INTERRUPTED,
        "problem": DIED,
        "upload": None,
        "created_at": header.created_at,
        "alive_at": header.created_at,
        "has_texts": True,
        "has_originals": True,
        "announced": progress_fields(Progress()),
        **progress_fields(Progress()),
    }
