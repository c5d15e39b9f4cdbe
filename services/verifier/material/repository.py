"""Signed documents, issuers, achievements and status lists in MongoDB; every query of the verifier is here.

Ids come from events and the newest fact takes precedence, so that redelivery in any order, to any number of replicas,
ends in the same documents.
"""

import base64
import zlib
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal, NamedTuple
from uuid import UUID

from pymongo import UpdateMany, UpdateOne

from libs.common.errors import UnavailableError
from libs.common.mongo import Collection, Database, Document, Index, find_by_ids, insert_new, upsert_newest
from libs.common.stored import Text, all_readable, readable, typed
from libs.contracts.events import (
    AUTHORITY_ID,
    AchievementPublished,
    AuthorityPublished,
    CredentialDocument,
    IssuerListPublished,
    IssuerPublished,
    StatusListPublished,
)
from libs.contracts.reasons import RevocationReason, TakeDownReason
from libs.openbadges.jsonld.parsing import parse
from libs.openbadges.model import times
from libs.openbadges.model.errors import CredentialError
from libs.openbadges.trust import Party, Suspension
from libs.openbadges.trust.names import likenesses
from libs.openbadges.verify import STATUS_LIST_LIMITS
from services.verifier.material.issuers import RegisteredIssuer
from services.verifier.material.records import (
    Organisation,
    StoredCredential,
    StoredIssuerList,
    StoredStatusList,
    TakenDown,
)
from services.verifier.material.registries import RegistryCopy

INDEXES: Sequence[Index] = (Index("issuers", ["did"]), Index("issuers", ["likenesses", "_id"]))

SCHEMA = 1
ISSUER_LIST_ID = "issuers"

_PARTY = {"did": 1, "name": 1, "url": 1, "suspension": 1}
_ORGANISATION = dict.fromkeys(("did", "name", "url", "email", "time_zone", "parent", "learners_from_16"), 1)
_Closing = tuple[str, datetime, TakeDownReason | None, RevocationReason | None, UUID | None]
_MOST_ALIKE = 32
_registry_copy, _list_of_issuers = typed(RegistryCopy, url="_id"), typed(StoredIssuerList)


@dataclass(frozen=True, slots=True)
class RefusedList:
    """A version of a status list that is lower than what is stored, and the order of that."""

    event: StatusListPublished
    held: tuple[int, int]


@dataclass(frozen=True, slots=True)
class StoredLists:
    """What became of versions of status lists: those that took the place of a lower one, and those that went back."""

    replaced: Sequence[StatusListPublished] = ()
    refused: Sequence[RefusedList] = ()


class Repository:
    """The verifier's own database."""

    def __init__(self, database: Database, current: Callable[[], Awaitable[None]] | None = None) -> None:
        """Take the database, and what raises a PyMongoError while it must not be read for others."""
        self._current = current
        self._documents: Collection = database["documents"]
        self._issuers: Collection = database["issuers"]
        self._achievements: Collection = database["achievements"]
        self._status_lists: Collection = database["status_lists"]
        self._authority: Collection = database["authority_document"]
        self._issuer_lists: Collection = database["issuer_lists"]
        self._registry_copies: Collection = database["registry_copies"]

    async def _require_current(self) -> None:
        if self._current is not None:
            await self._current()

    async def store_documents(self, events: Sequence[CredentialDocument]) -> bool:
        """Store each document; revoked takes precedence over active, and taken down over both, whatever comes first.

        New ones are inserted, which costs a quarter of an upsert. Changes are tried as updates first: what is revoked
        or taken down is nearly always here, and a million of them are a few thousand statements.

        Returns:
            Whether each that is revoked or taken down was here before, and was not so.
        """
        closed = [event for event in events if event.state != "active"]
        all_here = await self._close(closed)
        held = await insert_new(
            self._documents, [_document(event) for event in events if event.state == "active" or not all_here]
        )
        await self._restore_texts([event for event in events if event.credential_id in held])
        if not all_here:
            await self._close([event for event in closed if event.credential_id in held])
        return all_here

    async def _restore_texts(self, events: Sequence[CredentialDocument]) -> None:
        """Give the texts back to those of these that are shown and lost theirs; what was taken down has none."""
        texts = {event.credential_id: event.document for event in events if event.document is not None}
        if not texts:
            return
        lost = {"document": {"$not": {"$type": "string"}}, "state": {"$in": ["active", "revoked"]}}
        # A worker's query, by deterministic ids.
        found = await self._documents.find({"_id": {"$in": list(texts)}, **lost}, {"_id": 1}).to_list(None)
        ids = [each["_id"] for each in found]
        updates = [UpdateOne({"_id": each, **lost}, {"$set": {"document": texts[each]}}) for each in ids]
        if updates:
            await self._documents.bulk_write(updates, ordered=False)

    async def _close(self, events: Sequence[CredentialDocument]) -> bool:
        """Change those that are stored; return whether all were, and were changed. The first of its kind stays."""
        alike: dict[_Closing, list[UUID]] = {}
        for event in events:
            change = (event.state, event.changed_at, event.reason, event.revocation_reason, event.superseded_by)
            alike.setdefault(change, []).append(event.credential_id)
        if not alike:
            return True
        changes = [_closing(ids, change) for change, ids in alike.items()]
        result = await self._documents.bulk_write(changes, ordered=False)
        return bool(result.matched_count == len(events))

    async def store_issuers(self, events: Sequence[IssuerPublished]) -> None:
        """Store the newest version of each issuer."""
        await upsert_newest(self._issuers, [_issuer(event) for event in events], order="version")

    async def store_achievements(self, events: Sequence[AchievementPublished]) -> None:
        """Store achievement versions; one that is stored stays as it is, for a published version never changes."""
        await insert_new(self._achievements, [_achievement(event) for event in events])

    async def store_authority(self, events: Sequence[AuthorityPublished]) -> None:
        """Store the newest version of the authority's DID document."""
        await upsert_newest(self._authority, [_authority(event) for event in events], order="version")

    async def authority_document(self) -> str | None:
        """The authority's own DID document, as JSON text."""
        await self._require_current()
        found = await self._authority.find_one({"_id": AUTHORITY_ID}, {"did_document": 1})
        return None if found is None else str(found["did_document"])

    async def store_status_lists(self, placed: Sequence[tuple[StatusListPublished, int]]) -> StoredLists:
        """Store these versions of lists, one of each, unless a higher one is stored; return what became of them.

        Args:
            placed: each with the offset of its record. One that stands before the record of what is stored is read
                again and went back to nothing.
        """
        documents = [_status_list(event, offset) for event, offset in placed]
        there = await insert_new(self._status_lists, documents)
        updates = [UpdateOne(_lower(each), {"$set": each}) for each in documents if each["_id"] in there]
        if not updates:
            return StoredLists()
        await self._status_lists.bulk_write(updates, ordered=False)
        asked = {"epoch": 1, "version": 1, "offset": 1}
        held = {each["_id"]: each for each in await find_by_ids(self._status_lists, "_id", there, projection=asked)}
        orders = {list_id: (each["epoch"], each["version"]) for list_id, each in held.items()}
        return StoredLists(
            [event for event, _ in placed if orders.get(event.list_id) == event.order],
            [
                RefusedList(event, orders[event.list_id])
                for event, offset in placed
                if event.list_id in held and _went_back(event, offset, held[event.list_id])
            ],
        )

    async def store_issuer_lists(self, events: Sequence[IssuerListPublished]) -> None:
        """Store the list that was signed last."""
        await upsert_newest(self._issuer_lists, [_issuer_list(event) for event in events], order="published_at")

    async def issuer_list(self, newer_than: datetime | None = None) -> StoredIssuerList | None:
        """The list of issuers that was signed last; None where there is none that is newer, or it was damaged."""
        await self._require_current()
        newer = {} if newer_than is None else {"published_at": {"$gt": newer_than}}
        found = await self._issuer_lists.find_one({"_id": ISSUER_LIST_ID, **newer})
        return None if found is None else readable(_list_of_issuers, found, self._issuer_lists)

    async def store_registry_copy(self, copy: RegistryCopy) -> None:
        """Store a copy of a trusted registry, unless one is stored that was signed later."""
        document = {"_id": copy.url, "schema": SCHEMA, "text": copy.text, "signed_at": copy.signed_at}
        await upsert_newest(self._registry_copies, [document], order="signed_at")

    async def registry_copy(self, url: str) -> RegistryCopy | None:
        """The copy of a trusted registry that was signed last; None where there is none, or it was damaged."""
        found = await self._registry_copies.find_one({"_id": url})
        return None if found is None else readable(_registry_copy, found, self._registry_copies)

    async def credential(self, credential_id: UUID) -> StoredCredential | TakenDown | None:
        """The document of this id, whoever issued it: badges are public to whoever knows their id.

        Raises:
            UnavailableError: it was damaged.
        """
        await self._require_current()
        found = await self._documents.find_one({"_id": credential_id})
        if found is None:
            return None
        shown = readable(shown_badge, found, self._documents)
        if shown is None:
            raise UnavailableError("what is kept of this badge was damaged, and it cannot be shown now")
        return shown

    async def did_document(self, issuer_id: str) -> str | None:
        """The DID document of an issuer, as JSON text."""
        await self._require_current()
        found = await self._issuers.find_one({"_id": issuer_id}, {"did_document": 1})
        return None if found is None else str(found["did_document"])

    async def registered_issuers(self, dids: Iterable[str]) -> dict[str, RegisteredIssuer]:
        """The registered issuers among these, by DID."""
        await self._require_current()
        found = await find_by_ids(self._issuers, "did", dids, projection={**_PARTY, "did_document": 1})
        registered = all_readable(lambda one: RegisteredIssuer(_party(one), one["did_document"]), found)
        return {each.party.id: each for each in registered}

    async def parties_alike(self, likenesses: Iterable[str]) -> dict[str, list[Party]]:
        """The first registered issuers whose names have one of these likenesses, by likeness."""
        await self._require_current()
        found: dict[str, list[Party]] = {one: [] for one in likenesses}
        alike = self._issuers.find({"likenesses": {"$in": list(found)}}, {**_PARTY, "likenesses": 1})
        for each in await alike.sort("_id").limit(_MOST_ALIKE).to_list(None):
            if (party := readable(_party, each)) is not None:
                for one in found.keys() & set(each["likenesses"]):
                    found[one].append(party)
        return found

    async def credential_texts(self, ids: Iterable[UUID]) -> dict[UUID, str | TakenDown]:
        """The signed documents among these, by UUID, or that they were taken down."""
        await self._require_current()
        asked = {"document": 1, "state": 1, "changed_at": 1, "reason": 1}
        found = await find_by_ids(self._documents, "_id", ids, projection=asked)
        return dict(all_readable(lambda one: (one["_id"], _taken_down(one) or one["document"]), found))

    async def organisation(self, issuer_id: str) -> Organisation | None:
        """The public profile of an issuer."""
        await self._require_current()
        found = await self._issuers.find_one({"_id": issuer_id}, _ORGANISATION)
        if found is None:
            return None
        known = Organisation(found["did"], found["name"], found["url"], found.get("email"))
        return replace(
            known,
            time_zone=found.get("time_zone"),
            parent=found.get("parent"),
            learners_from_16=found.get("learners_from_16", False),
        )

    async def achievement(self, version_key: str) -> AchievementPublished | None:
        """The version OWNER/ID/VERSION of an achievement: the catalogue is public."""
        await self._require_current()
        found = await self._achievements.find_one({"_id": version_key}, {"event": 1})
        return None if found is None else AchievementPublished.model_validate_json(found["event"])

    async def status_list(self, list_id: str) -> StoredStatusList | None:
        """The newest version of a status list."""
        await self._require_current()
        found = await self._status_lists.find_one({"_id": list_id})
        if found is None:
            return None
        return StoredStatusList(
            found["_id"],
            (found["epoch"], found["version"]),
            found["credential"],
            found.get("ttl_seconds"),
            found.get("valid_until"),
        )


def _party(found: Document) -> Party:
    held = found.get("suspension")
    # The driver's own class of UTC does not go into a worker process, which has no driver.
    suspension = None if held is None else Suspension(held["since"].astimezone(UTC), held["reason"])
    return Party(found["did"], found["name"], found["url"], found["_id"], suspension=suspension)


def _document(event: CredentialDocument) -> Document:
    document = {
        "_id": event.credential_id,
        "schema": SCHEMA,
        "issuer_id": event.issuer_id,
        "state": event.state,
        "document": event.document,
        "changed_at": event.changed_at,
    }
    if event.state == "taken_down":
        return document | _withheld(event.reason)
    if event.state == "revoked":
        return document | _revoked(event.revocation_reason, event.superseded_by)
    return document


def _closing(ids: Sequence[UUID], closing: _Closing) -> UpdateMany:
    """Return the update by which these are revoked or taken down."""
    state, at, reason, revocation_reason, successor = closing
    change: Document = {"state": state, "changed_at": at}
    if state == "revoked":
        query = {"_id": {"$in": list(ids)}, "state": "active"}
        return UpdateMany(query, {"$set": change | _revoked(revocation_reason, successor)})
    return UpdateMany({"_id": {"$in": list(ids)}, "state": {"$ne": "taken_down"}}, {"$set": change | _withheld(reason)})


class _Badge(NamedTuple):
    """A signed document as it is stored."""

    id: UUID
    issuer_id: Text
    state: Literal["active", "revoked"]
    document: Text
    changed_at: datetime
    revocation_reason: RevocationReason | None
    superseded_by: UUID | None


_read_badge = typed(_Badge, id="_id")


def shown_badge(found: Document) -> StoredCredential | TakenDown:
    """Return what a stored badge says; it raises one of `UNREADABLE` where it was damaged."""
    if (taken_down := _taken_down(found)) is not None:
        return taken_down
    badge = _read_badge(found)
    revoked_at = badge.changed_at if badge.state == "revoked" else None
    return StoredCredential(
        badge.id, badge.issuer_id, badge.document, revoked_at, badge.revocation_reason, badge.superseded_by
    )


def _taken_down(found: Document) -> TakenDown | None:
    if found["state"] != "taken_down":
        return None
    return TakenDown(found["_id"], found["changed_at"], TakeDownReason(found["reason"]))


def _revoked(reason: RevocationReason | None, successor: UUID | None) -> Document:
    said = {"revocation_reason": None if reason is None else reason.value, "superseded_by": successor}
    return {name: value for name, value in said.items() if value is not None}


def _withheld(reason: TakeDownReason | None) -> Document:
    return {"document": None, "reason": (reason or TakeDownReason.OTHER).value}


def _issuer(event: IssuerPublished) -> Document:
    held = event.suspension
    return {
        "_id": event.issuer_id,
        "version": event.version,
        "schema": SCHEMA,
        "name": event.name,
        "likenesses": sorted(likenesses(event.name)),
        "url": event.url,
        "email": event.email,
        "time_zone": event.time_zone,
        "parent": event.parent,
        "learners_from_16": event.learners_from_16,
        "did": event.did,
        "did_document": event.did_document,
        "suspension": None if held is None else {"since": held.since, "reason": held.reason.value},
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


def _authority(event: AuthorityPublished) -> Document:
    return {
        "_id": event.authority_id,
        "version": event.version,
        "schema": SCHEMA,
        "did": event.did,
        "did_document": event.did_document,
        "published_at": event.published_at,
    }


def _lower(document: Document) -> Document:
    """Return the query for the stored version of a list, if it is lower than this one."""
    epoch, version = document["epoch"], document["version"]
    older = [{"epoch": {"$lt": epoch}}, {"epoch": epoch, "version": {"$lt": version}}]
    return {"_id": document["_id"], "$or": older}


def _went_back(event: StatusListPublished, offset: int, held: Document) -> bool:
    again = 0 <= offset < held["offset"]
    return event.order < (held["epoch"], held["version"]) and not again


def _status_list(event: StatusListPublished, offset: int) -> Document:
    ttl, valid_until = _freshness(event.credential)
    return {
        "_id": event.list_id,
        "schema": SCHEMA,
        "epoch": event.epoch,
        "version": event.version,
        "offset": offset,
        "credential": event.credential,
        "ttl_seconds": ttl,
        "valid_until": valid_until,
        "published_at": event.published_at,
    }


def _issuer_list(event: IssuerListPublished) -> Document:
    return {
        "_id": event.list_id,
        "schema": SCHEMA,
        "text": zlib.decompress(base64.b64decode(event.compressed)),
        "published_at": event.published_at,
        "ends_at": event.ends_at,
    }


def _freshness(credential: str) -> tuple[float | None, datetime | None]:
    """Return what a status list credential says of its time to live, in seconds, and of its end."""
    try:
        document = parse(credential, STATUS_LIST_LIMITS)
        end = times.read(document["validUntil"]) if "validUntil" in document else None
    except CredentialError:
        return None, None
    subject = document.get("credentialSubject")
    ttl = subject.get("ttl") if isinstance(subject, dict) else None
    return (ttl / 1000 if isinstance(ttl, int) and ttl >= 0 else None), end
