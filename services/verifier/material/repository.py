"""Signed documents, issuers, achievements and status lists in MongoDB; every query of the verifier is here.

Ids come from events and the newest fact takes precedence, so that redelivery in any order, to any number of replicas,
ends in the same documents.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from pymongo import UpdateMany

from libs.common.mongo import Collection, Database, Document, Index, find_by_ids, insert_new, upsert_newest
from libs.contracts.events import AchievementPublished, CredentialDocument, IssuerPublished, StatusListPublished

INDEXES: Sequence[Index] = (Index("issuers", ["did"]),)

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class StoredCredential:
    """A signed document as its issuer published it.

    Attributes:
        id: the credential's UUID, under which its page stands.
        text: the signed JSON, byte for byte.
        revoked_at: since when the issuer says that it is revoked, or None.
    """

    id: UUID
    issuer_id: str
    text: str
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class StoredStatusList:
    """A signed status list credential, the newest version that arrived."""

    id: str
    version: int
    text: str


@dataclass(frozen=True, slots=True)
class Organisation:
    """An issuer's public profile."""

    did: str
    name: str
    url: str | None
    email: str | None


class Repository:
    """The verifier's own database."""

    def __init__(self, database: Database) -> None:
        self._documents: Collection = database["documents"]
        self._issuers: Collection = database["issuers"]
        self._achievements: Collection = database["achievements"]
        self._status_lists: Collection = database["status_lists"]

    async def store_documents(self, events: Sequence[CredentialDocument]) -> None:
        """Store each document; one that was ever revoked stays revoked.

        New ones are inserted, which costs a quarter of an upsert. Revocations are tried as updates first: what is
        revoked is nearly always here, and a million of them are a few thousand statements.
        """
        revoked = [event for event in events if event.state == "revoked"]
        all_here = await self._revoke(revoked)
        held = await insert_new(
            self._documents, [_document(event) for event in events if event.state == "active" or not all_here]
        )
        if not all_here:
            await self._revoke([event for event in revoked if event.credential_id in held])

    async def _revoke(self, events: Sequence[CredentialDocument]) -> bool:
        """Mark the stored, active documents as revoked; return whether all were stored. The first revocation stays."""
        by_moment: dict[datetime, list[UUID]] = {}
        for event in events:
            by_moment.setdefault(event.changed_at, []).append(event.credential_id)
        if not by_moment:
            return True
        result = await self._documents.bulk_write(
            [
                UpdateMany(
                    {"_id": {"$in": ids}, "state": "active"}, {"$set": {"state": "revoked", "changed_at": moment}}
                )
                for moment, ids in by_moment.items()
            ],
            ordered=False,
        )
        return bool(result.matched_count == len(events))

    async def store_issuers(self, events: Sequence[IssuerPublished]) -> None:
        """Store the newest version of each issuer."""
        await upsert_newest(self._issuers, [_issuer(event) for event in events], order="version")

    async def store_achievements(self, events: Sequence[AchievementPublished]) -> None:
        """Store achievement versions; one that is stored stays as it is, for a published version never changes."""
        await insert_new(self._achievements, [_achievement(event) for event in events])

    async def store_status_lists(self, events: Sequence[StatusListPublished]) -> None:
        """Store the highest version of each list."""
        await upsert_newest(self._status_lists, [_status_list(event) for event in events], order="version")

    async def credential(self, credential_id: UUID) -> StoredCredential | None:
        """The document of this id, whoever issued it: badges are public to whoever knows their id."""
        found = await self._documents.find_one({"_id": credential_id})
        if found is None:
            return None
        revoked_at = found["changed_at"] if found["state"] == "revoked" else None
        return StoredCredential(found["_id"], found["issuer_id"], found["document"], revoked_at)

    async def did_document(self, issuer_id: str) -> str | None:
        """The DID document of an issuer, as JSON text."""
        found = await self._issuers.find_one({"_id": issuer_id}, {"did_document": 1})
        return None if found is None else str(found["did_document"])

    async def did_documents(self, dids: Iterable[str]) -> dict[str, str]:
        """The DID documents that are held, as JSON text, by DID."""
        found = await find_by_ids(self._issuers, "did", dids, projection={"did": 1, "did_document": 1})
        return {one["did"]: one["did_document"] for one in found}

    async def organisation(self, issuer_id: str) -> Organisation | None:
        """The public profile of an issuer."""
        found = await self._issuers.find_one({"_id": issuer_id}, {"did": 1, "name": 1, "url": 1, "email": 1})
        return None if found is None else Organisation(found["did"], found["name"], found["url"], found.get("email"))

    async def achievement(self, version_key: str) -> AchievementPublished | None:
        """The version OWNER/ID/VERSION of an achievement: the catalogue is public."""
        found = await self._achievements.find_one({"_id": version_key}, {"event": 1})
        return None if found is None else AchievementPublished.model_validate_json(found["event"])

    async def status_list(self, list_id: str) -> StoredStatusList | None:
        """The newest version of a status list."""
        found = await self._status_lists.find_one({"_id": list_id}, {"version": 1, "credential": 1})
        return None if found is None else StoredStatusList(found["_id"], found["version"], found["credential"])


def _document(event: CredentialDocument) -> Document:
    return {
        "_id": event.credential_id,
        "schema": SCHEMA,
        "issuer_id": event.issuer_id,
        "state": event.state,
        "document": event.document,
        "changed_at": event.changed_at,
    }


def _issuer(event: IssuerPublished) -> Document:
    return {
        "_id": event.issuer_id,
        "version": event.version,
        "schema": SCHEMA,
        "name": event.name,
        "url": event.url,
        "email": event.email,
        "did": event.did,
        "did_document": event.did_document,
        "published_at": event.published_at,
    }


def _achievement(event: AchievementPublished) -> Document:
    return {
        "_id": event.version_key,
        "schema": SCHEMA,
        "owner": event.owner,
        "event": event.model_dump_json(),
        "published_at": event.published_at,
    }


def _status_list(event: StatusListPublished) -> Document:
    return {
        "_id": event.list_id,
        "schema": SCHEMA,
        "issuer_id": event.issuer_id,
        "version": event.version,
        "credential": event.credential,
        "published_at": event.published_at,
    }
