"""Requests to revoke a credential or take it down: who asked, and why in their own words.

A request is kept before its command is published; the command names it and has it sealed. What partners and the public
read is the code of the reason alone.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from libs.common.damage import Damage, without_damaged
from libs.common.mongo import Database, Document, Index, find_by_ids, insert_new
from libs.common.stored import MOMENT, all_readable, typed

INDEXES: Sequence[Index] = (Index("closing_requests", ["requested_at"], partial={"note": {"$exists": True}}),)


_TOGETHER = 500


class RequestKind(StrEnum):
    """What is asked for."""

    REVOKE = "revoke"
    TAKE_DOWN = "take_down"


@dataclass(frozen=True, slots=True)
class ClosingRequest:
    """One request.

    Attributes:
        issuer_id: whose credential it is.
        principal: who asked, as in the audit log: `administrator:NAME` or `key:ISSUER/NAME`.
        key: the id of the API key that they showed.
        reason: the code.
        note: what they wrote beside it; removed at the end of its stated life.
    """

    request_id: UUID
    issuer_id: str
    credential_id: UUID
    kind: RequestKind
    principal: str
    key: str | None
    reason: str
    note: str | None
    requested_at: datetime


class ClosingRequests:
    """The collection `closing_requests`."""

    def __init__(self, database: Database) -> None:
        self._requests = database["closing_requests"]

    async def keep(self, request: ClosingRequest) -> None:
        """Store a new request; returns when it is durable."""
        await self._requests.insert_one(_document(request))

    async def keep_missing(self, requests: Sequence[ClosingRequest]) -> None:
        """Store those of these that are not here: the database was set back since they were made."""
        ids = [each.request_id for each in requests]
        # Of all tenants: each is stored under its own.
        here = {each["_id"] for each in await find_by_ids(self._requests, "_id", ids, projection={"_id": 1})}
        missing = [_document(each) for each in requests if each.request_id not in here]
        if missing:
            await insert_new(self._requests, missing)

    async def of_issuer(self, issuer_id: str, request_ids: Iterable[UUID]) -> dict[UUID, ClosingRequest]:
        """Return those of these requests that are about credentials of this issuer, and can be read."""
        query = {"_id": {"$in": list(request_ids)}, "issuer_id": issuer_id}
        found = await self._requests.find(query).to_list(None)
        return {each.request_id: each for each in all_readable(closing_request, found, self._requests)}

    async def everything(self, damage: Damage | None = None) -> AsyncIterator[Sequence[ClosingRequest]]:
        """Yield every request, some at a time; `damage` as for `without_damaged`."""
        # An operator's query, over all tenants.
        cursor = self._requests.find().batch_size(_TOGETHER)
        while found := await cursor.to_list(_TOGETHER):
            yield without_damaged(damage, "issuer.closing_requests", found, closing_request)

    async def oldest_note(self) -> datetime | None:
        """Return when the oldest note that is still kept was written; None where there is none."""
        # All tenants, here and below: the loop serves each in its turn.
        kept = {"note": {"$exists": True}, "requested_at": MOMENT}
        found = self._requests.find(kept, {"requested_at": 1}).sort("requested_at", 1).limit(1)
        oldest = await found.to_list(None)
        return oldest[0]["requested_at"] if oldest else None

    async def ended_notes(self, before: datetime) -> int:
        """Return how many notes that were written before then are still kept."""
        return await self._requests.count_documents({"note": {"$exists": True}, "requested_at": {"$lt": before}})

    async def remove_notes(self, before: datetime, limit: int) -> int:
        """Remove notes that were written before then, at most so many; return how many. Who asked, and when, stays."""
        ended = {"note": {"$exists": True}, "requested_at": {"$lt": before}}
        found = await self._requests.find(ended, {"_id": 1}).sort("requested_at", 1).limit(limit).to_list(None)
        if found:
            await self._requests.update_many(
                {"_id": {"$in": [each["_id"] for each in found]}}, {"$unset": {"note": ""}}
            )
        return len(found)


def _document(request: ClosingRequest) -> Document:
    document = {
        "_id": request.request_id,
        "schema": 1,
        "issuer_id": request.issuer_id,
        "credential_id": request.credential_id,
        "kind": request.kind,
        "principal": request.principal,
        "key": request.key,
        "reason": request.reason,
        "note": request.note,
        "requested_at": request.requested_at,
    }
    return {name: value for name, value in document.items() if value is not None}


closing_request = typed(ClosingRequest, request_id="_id")
