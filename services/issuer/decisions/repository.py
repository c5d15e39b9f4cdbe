"""Decisions and credentials in MongoDB: all queries on them stand here.

A batch's decisions and credentials are stored in one transaction, so that whoever sees a credential can see the
decision that issued it, and nothing is ever stored of a decision that lost against another worker's.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from pymongo import UpdateOne
from pymongo.read_concern import ReadConcern

from libs.common.mongo import Client, Database, Document, Index, find_by_ids, insert_together
from libs.contracts.results import SoloLevel
from services.issuer.decisions.rules import Award, Owner

ACTIVE = "active"
REVOKED = "revoked"

INDEXES: Sequence[Index] = (
    # Promise 2: one active award per business key, whatever any code believes.
    Index("credentials", ["holding_id", "level", "evidence_id"], unique=True, partial={"state": ACTIVE}),
    Index("credentials", ["holding_id"]),
    # The bits of a status list are its revoked credentials.
    Index("credentials", ["status_list", "status_index"], unique=True),
    Index("credentials", ["status_list"], partial={"state": REVOKED}),
    # A piece of evidence belongs to one submission, whatever any code believes.
    Index("decisions", ["evidence_id"], unique=True, partial={"owns_evidence": True}),
)


class AwardStore(Protocol):
    """What deciding and announcing need of a store; the test suite runs against the real one and one in memory."""

    async def decisions(self, submission_ids: Iterable[UUID]) -> dict[UUID, Document]:
        """The recorded decisions of these submissions."""
        ...

    async def owners(self, evidence_ids: Iterable[UUID]) -> dict[UUID, Owner]:
        """Which submission each piece of evidence was first taken from."""
        ...

    async def holdings(self, holding_ids: Iterable[UUID]) -> dict[UUID, list[Award]]:
        """All awards ever made under these holdings."""
        ...

    async def credentials(self, credential_ids: Iterable[UUID]) -> dict[UUID, Document]:
        """The credentials as they stand now."""
        ...

    async def revoked(self, credential_ids: Iterable[UUID]) -> list[Document]:
        """Those of these credentials that are revoked by now."""
        ...

    async def record(self, decisions: Sequence[Document], credentials: Sequence[Document]) -> bool:
        """Store all of these or none; False where something stored forbids one of them (another worker was first)."""
        ...


class MongoAwards:
    """The store in MongoDB. Reads are of majority-committed data: what is announced cannot be rolled back."""

    def __init__(self, client: Client, database: Database) -> None:
        self._client = client
        concern = ReadConcern("majority")
        self._decisions = database.get_collection("decisions", read_concern=concern)
        self._credentials = database.get_collection("credentials", read_concern=concern)

    async def decisions(self, submission_ids: Iterable[UUID]) -> dict[UUID, Document]:
        """See `AwardStore`."""
        return {found["_id"]: found for found in await find_by_ids(self._decisions, "_id", submission_ids)}

    async def owners(self, evidence_ids: Iterable[UUID]) -> dict[UUID, Owner]:
        """See `AwardStore`."""
        wanted = list(dict.fromkeys(evidence_ids))
        # The index holds owners alone, and is used only where the query says so.
        query = {"evidence_id": {"$in": wanted}, "owns_evidence": True}
        found = self._decisions.find(query, {"evidence_id": 1, "digest": 1})
        return {each["evidence_id"]: Owner(each["_id"], each["digest"]) for each in await found.to_list(None)}

    async def holdings(self, holding_ids: Iterable[UUID]) -> dict[UUID, list[Award]]:
        """See `AwardStore`."""
        fields = {"holding_id": 1, "level": 1, "state": 1, "evidence_id": 1}
        holdings: dict[UUID, list[Award]] = {}
        for each in await find_by_ids(self._credentials, "holding_id", holding_ids, projection=fields):
            level = None if each["level"] is None else SoloLevel(each["level"])
            award = Award(each["_id"], level, each["state"] == ACTIVE, each["evidence_id"])
            holdings.setdefault(each["holding_id"], []).append(award)
        return holdings

    async def credentials(self, credential_ids: Iterable[UUID]) -> dict[UUID, Document]:
        """See `AwardStore`."""
        return {found["_id"]: found for found in await find_by_ids(self._credentials, "_id", credential_ids)}

    async def revoked(self, credential_ids: Iterable[UUID]) -> list[Document]:
        """See `AwardStore`."""
        # A worker's query, by deterministic ids.
        return await self._credentials.find({"_id": {"$in": list(credential_ids)}, "state": REVOKED}).to_list(None)

    async def record(self, decisions: Sequence[Document], credentials: Sequence[Document]) -> bool:
        """See `AwardStore`."""
        return await insert_together(self._client, [(self._decisions, decisions), (self._credentials, credentials)])

    async def credential(self, credential_id: UUID, issuer_id: str) -> Document | None:
        """One credential of this tenant."""
        found: Document | None = await self._credentials.find_one({"_id": credential_id, "issuer_id": issuer_id})
        return found

    async def revoke(self, wanted: Mapping[tuple[UUID, str], tuple[str, datetime]]) -> list[Document]:
        """Revoke these (credential, issuer) with reason and moment, and return those credentials as they stand then.

        The first revocation of a credential holds: a later one changes neither its reason nor its moment.
        """
        if not wanted:
            return []
        await self._credentials.bulk_write(
            [
                UpdateOne(
                    {"_id": credential_id, "issuer_id": issuer_id, "state": ACTIVE},
                    {"$set": {"state": REVOKED, "revoked_at": at, "revocation_reason": reason}},
                )
                for (credential_id, issuer_id), (reason, at) in wanted.items()
            ],
            ordered=False,
        )
        found = await self.credentials(credential_id for credential_id, _ in wanted)
        return [each for each in found.values() if (each["_id"], each["issuer_id"]) in wanted]

    async def revoked_indexes(self, list_id: str) -> list[int]:
        """The entries of a status list that are set."""
        query: dict[str, Any] = {"status_list": list_id, "state": REVOKED}
        found = await self._credentials.find(query, {"status_index": 1}).to_list(None)
        return [each["status_index"] for each in found]
