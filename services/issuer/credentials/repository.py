"""Every query on credentials, and their form in MongoDB."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import datetime
from re import escape
from typing import Annotated, Any, NamedTuple, Protocol
from uuid import UUID

from pydantic import Field
from pymongo import DESCENDING, UpdateOne
from pymongo.errors import DuplicateKeyError
from pymongo.read_concern import ReadConcern

from libs.common.damage import Damage, readable_page, without_damaged
from libs.common.errors import NotFoundError
from libs.common.mongo import (
    Collection,
    Database,
    Document,
    Index,
    Insertion,
    find_by_ids,
    full_name,
    insert_new,
    not_found,
)
from libs.common.stored import (
    Count,
    DamagedFieldError,
    Text,
    all_readable,
    read_all,
    readable,
    require_readable,
    typed,
)
from libs.contracts.reasons import RevocationReason, TakeDownReason
from libs.contracts.results import SoloLevel
from libs.openbadges.status.bitstring import MINIMUM_SIZE
from services.issuer.credentials.award import HeldAward
from services.issuer.credentials.credential import (
    Credential,
    CredentialState,
    Revocation,
    TakeDown,
    Target,
    follows_from_evidence,
)
from services.issuer.credentials.sought import Place, SoughtCredentials
from services.issuer.decision_ids import DecisionId, PieceId
from services.issuer.status.entry import StatusEntry, named_entry

INDEXES: Sequence[Index] = (
    # Promise 2: one active award per business key, whatever any code believes. A closed one has its own id beside the
    # key, an active one nothing, so that this index finds all awards of a holding too.
    Index("credentials", ["holding_id", "level", "evidence_id", "closed_id"], unique=True),
    # An entry of a status list stands for one credential.
    Index("credentials", ["status_list", "status_index"], unique=True),
    # Lists of an issuer's, the newest first, and of one learner's.
    Index("credentials", ["issuer_id", "issued_at", "_id"]),
    Index("credentials", ["learner_id"]),
    # The bits of a status list are its revoked credentials, those that were taken down among them.
    Index("credentials", ["status_list"], partial={"state": CredentialState.REVOKED}),
)


_HELD_FIELDS = (
    *("holding_id", "level", "evidence_id", "state", "batch_id", "row", "sequence", "issued_at"),
    *("revoked_at", "revocation_reason", "revocation_request"),
)

_TOGETHER = 500


class CredentialStore(Protocol):
    """What deciding and announcing need of credentials; the test suite runs against the real store and a fake."""

    async def by_ids(self, credential_ids: Iterable[UUID], damage: Damage | None = None) -> dict[UUID, Credential]:
        """Return these credentials as they stand now; `damage` as for `without_damaged`."""
        ...

    async def revoked_of(self, credential_ids: Iterable[UUID]) -> list[Credential]:
        """Return those of these credentials that are revoked by now."""
        ...

    async def holdings(self, holding_ids: Iterable[UUID]) -> dict[UUID, list[HeldAward]]:
        """Return all awards ever made under these holdings, by holding."""
        ...


class HeldCredentialName(NamedTuple):
    """A credential without what it says; of the achievement OWNER/ID/VERSION."""

    credential_id: UUID
    issuer_id: Text
    learner_id: UUID
    achievement: Annotated[str, Field(pattern="/")]
    state: CredentialState

    @property
    def active(self) -> bool:
        """Return whether it stands."""
        return self.state is CredentialState.ACTIVE


class HeldCredentialNames(NamedTuple):
    """Some of them, in the order of their ids; the next ones come after `after`, and none where that is None."""

    names: list[HeldCredentialName]
    after: UUID | None


class MongoCredentials:
    """Credentials in MongoDB. Reads are of majority-committed data: what is announced cannot be rolled back."""

    def __init__(self, database: Database) -> None:
        self._collection: Collection = database.get_collection("credentials", read_concern=ReadConcern("majority"))

    async def by_ids(self, credential_ids: Iterable[UUID], damage: Damage | None = None) -> dict[UUID, Credential]:
        """See `CredentialStore`."""
        found = await find_by_ids(self._collection, "_id", credential_ids)
        good = without_damaged(damage, full_name(self._collection), found, _credential)
        return {each.credential_id: each for each in good}

    async def revoked_of(self, credential_ids: Iterable[UUID]) -> list[Credential]:
        """See `CredentialStore`."""
        # A worker's query, by deterministic ids.
        query = {"_id": {"$in": list(credential_ids)}, "state": CredentialState.REVOKED}
        return read_all(_credential, await self._collection.find(query).to_list(None), full_name(self._collection))

    async def holdings(self, holding_ids: Iterable[UUID]) -> dict[UUID, list[HeldAward]]:
        """See `CredentialStore`."""
        fields = dict.fromkeys(_HELD_FIELDS, 1)
        holdings: dict[UUID, list[HeldAward]] = {}
        found = await find_by_ids(self._collection, "holding_id", holding_ids, projection=fields)
        for each in read_all(_read_held, found, full_name(self._collection)):
            award = HeldAward(
                credential_id=each.id,
                level=each.level,
                active=each.state is CredentialState.ACTIVE,
                evidence_id=each.evidence_id,
                piece=PieceId(each.batch_id, each.row),
                sequence=each.sequence,
                issued_at=each.issued_at,
                reopened=follows_from_evidence(_revocation(each)),
            )
            holdings.setdefault(each.holding_id, []).append(award)
        return holdings

    async def of_issuer(self, issuer_id: str, holding_ids: Iterable[UUID]) -> list[Credential]:
        """Return what this issuer ever awarded under these and can be read, without signed texts, oldest first."""
        query = {"holding_id": {"$in": list(holding_ids)}, "issuer_id": issuer_id}
        found = await self._collection.find(query, {"document": 0}).to_list(None)
        return sorted(
            all_readable(_listed, found, self._collection), key=lambda each: (each.issued_at, each.credential_id)
        )

    async def page(
        self, issuer_id: str, sought: SoughtCredentials, after: Place | None, limit: int
    ) -> list[Credential]:
        """Return credentials of this issuer, the newest first, from the one after `after`, without signed texts."""
        query = _sought(issuer_id, sought)
        if after is not None:
            at, credential_id = after
            query["$or"] = [{"issued_at": {"$lt": at}}, {"issued_at": at, "_id": {"$lt": credential_id}}]
        order = [("issued_at", DESCENDING), ("_id", DESCENDING)]
        without = {"document": 0}
        return await readable_page(self._collection, query, _listed, order=order, limit=limit, projection=without)

    def insertion(self, credentials: Iterable[Credential]) -> Insertion:
        """Return the insertion of these, to be made in one transaction with that of their decisions."""
        return self._collection, [_document(each) for each in credentials]

    def revoking(self, revocations: Mapping[Target, Revocation]) -> tuple[Collection, list[UpdateOne]]:
        """Return what revokes these, each if it is active, to be done in one transaction with decisions."""
        return self._collection, [_revoke(target, each) for target, each in revocations.items()]

    async def find(self, credential_id: UUID, issuer_id: str) -> Credential | None:
        """Return one credential of this tenant, None where there is none.

        Raises:
            UnreadableError: it was damaged.
        """
        found = await self._collection.find_one({"_id": credential_id, "issuer_id": issuer_id})
        return None if found is None else require_readable(_credential, found, f"credential {credential_id}")

    async def not_found(self, credential_id: UUID, issuer_id: str) -> NotFoundError:
        """Return the error of a credential that this tenant does not have; a refusal where another has it."""
        return await not_found(self._collection, issuer_id, credential_id)

    async def everything(self, damage: Damage | None = None) -> AsyncIterator[Sequence[Credential]]:
        """Yield every credential as it stands now, some at a time; `damage` as for `without_damaged`."""
        # An operator's query, over all tenants.
        cursor = self._collection.find().batch_size(_TOGETHER)
        while found := await cursor.to_list(_TOGETHER):
            yield without_damaged(damage, "issuer.credentials", found, _credential)

    async def closed(self, damage: Damage | None = None) -> AsyncIterator[Sequence[Credential]]:
        """Yield every credential that somebody asked to revoke, take down or replace, and that is, some at a time."""
        # An operator's query, over all tenants.
        asked = {"$or": [{"revocation_request": {"$exists": True}}, {"superseded_by": {"$exists": True}}]}
        cursor = self._collection.find(asked).batch_size(_TOGETHER)
        while found := await cursor.to_list(_TOGETHER):
            yield without_damaged(damage, "issuer.credentials", found, _credential)

    async def names_after(self, after: UUID | None, limit: int) -> HeldCredentialNames:
        """Return credentials of every issuer by their ids, beginning after `after`."""
        # All tenants: the loop over them serves each in its turn.
        query: Document = {} if after is None else {"_id": {"$gt": after}}
        fields = dict.fromkeys(("issuer_id", "learner_id", "achievement", "state"), 1)
        found = await self._collection.find(query, fields).sort("_id", 1).limit(limit).to_list(None)
        last = found[-1]["_id"] if len(found) == limit else None
        return HeldCredentialNames(all_readable(_read_name, found, self._collection), last)

    async def close(
        self, revocations: Mapping[Target, Revocation], take_downs: Mapping[Target, TakeDown]
    ) -> list[Credential]:
        """Revoke and take down these, by credential and issuer, and return those credentials as they stand then.

        The first revocation of a credential holds, and the first take-down: a later one changes neither its reason nor
        its moment. To take down revokes what is active, and removes the signed text.
        """
        targets = revocations.keys() | take_downs.keys()
        # A damaged one is left as it is: to take it down would remove the text that it can be repaired from.
        damage = Damage(logged=True)
        await self.by_ids((credential_id for credential_id, _ in targets), damage)
        targets = {each for each in targets if each[0] not in damage.ids}
        implied = {target: take_down.revocation for target, take_down in take_downs.items()}
        changes = [_revoke(target, each) for target, each in {**implied, **revocations}.items() if target in targets]
        changes += [_take_down(target, each) for target, each in take_downs.items() if target in targets]
        if not changes:
            return []
        await self._collection.bulk_write(changes, ordered=False)
        # Of one that cannot be read nothing is announced: it counts as not here, and what is asked of it waits.
        found = await self.by_ids((credential_id for credential_id, _ in targets), Damage(logged=True))
        return [each for each in found.values() if (each.credential_id, each.issuer_id) in targets]

    async def lacking(self, published: Sequence[Credential]) -> list[Credential]:
        """Return those of these, as they were published, that are not here, or not what became of them."""
        damage = Damage(logged=True)
        stored = await self.by_ids((each.credential_id for each in published), damage)
        known = [each for each in published if each.credential_id not in damage.ids]
        return [each for each in known if _is_behind(stored.get(each.credential_id), each)]

    async def adopt(self, published: Sequence[Credential]) -> list[Credential]:
        """Take these up as they were published; return those that contradict something else here.

        What is closed here stays closed, published or not. What was published replaces what is here and was not. Of two
        awards of one business key the earlier one is closed: where that is yet to come, the later one contradicts it.
        """
        stored = await self.by_ids(each.credential_id for each in published)
        new = [each for each in published if _is_other(stored.get(each.credential_id), each)]
        closed = [each for each in published if not _is_other(stored.get(each.credential_id), each)]
        await self.close(
            {(each.credential_id, each.issuer_id): each.revocation for each in closed if each.revocation is not None},
            {(each.credential_id, each.issuer_id): each.take_down for each in closed if each.take_down is not None},
        )
        others = [each.credential_id for each in new if each.credential_id in stored]
        if others:
            # A worker's query, by deterministic ids.
            await self._collection.delete_many({"_id": {"$in": others}})
        refused = await insert_new(self._collection, [_document(each) for each in new])
        return [each for each in new if each.credential_id in refused]

    async def revoked_indexes(self, list_id: str) -> list[int]:
        """Return the entries of a status list whose credentials are revoked, but of those that cannot be read."""
        query: dict[str, Any] = {"status_list": list_id, "state": CredentialState.REVOKED}
        found = await self._collection.find(query, {"status_index": 1}).to_list(None)
        return all_readable(_status_index, found, self._collection)

    async def misplaced(self, list_id: str, indexes: Iterable[int]) -> set[int]:
        """Return those of these entries of a list whose credentials name another in their signed texts."""
        query = {"status_list": list_id, "status_index": {"$in": list(indexes)}}
        fields = dict.fromkeys(("issuer_id", "status_list", "status_index", "document"), 1)
        found = await self._collection.find(query, fields).to_list(None)
        right = {each["_id"] for each in found if readable(_placed, each, self._collection) is not None}
        return {each["status_index"] for each in found if each["_id"] not in right}

    async def place(self, credential_id: UUID, issuer_id: str, document: str, entry: StatusEntry) -> bool:
        """Store where its signed text places a credential; return whether: not where it changed, or it is another's."""
        query = {"_id": credential_id, "issuer_id": issuer_id, "document": document}
        placed = {"status_list": entry.list_id, "status_index": entry.index}
        try:
            return bool((await self._collection.update_one(query, {"$set": placed})).matched_count)
        except DuplicateKeyError:
            return False


def _sought(issuer_id: str, sought: SoughtCredentials) -> Document:
    query: Document = {"issuer_id": issuer_id}
    if sought.learner_id is not None:
        query["learner_id"] = sought.learner_id
    if sought.achievement is not None:
        # OWNER/ID with a version, or with any.
        whole = sought.achievement.count("/") > 1
        query["achievement"] = sought.achievement if whole else {"$regex": f"^{escape(sought.achievement)}/"}
    if sought.state is CredentialState.TAKEN_DOWN:
        query["taken_down_at"] = {"$exists": True}
    elif sought.state is not None:
        query |= {"state": sought.state, "taken_down_at": {"$exists": False}}
    moments = {"$gte": sought.issued_from, "$lt": sought.issued_before}
    issued = {operator: moment for operator, moment in moments.items() if moment is not None}
    return query | ({"issued_at": issued} if issued else {})


def _is_other(held: Credential | None, published: Credential) -> bool:
    """Return whether it is not here, or with another document than the one that was published."""
    if held is None:
        return True
    return None not in (held.document, published.document) and held.document != published.document


def _is_behind(held: Credential | None, published: Credential) -> bool:
    if held is None or _is_other(held, published):
        return True
    revoked = published.revocation is not None and held.revocation is None
    return revoked or (published.take_down is not None and held.take_down is None)


def _revoke(target: Target, revocation: Revocation) -> UpdateOne:
    credential_id, issuer_id = target
    closed: Document = {
        "state": CredentialState.REVOKED,
        "closed_id": credential_id,
        "revoked_at": revocation.at,
        "revocation_reason": revocation.reason,
        "revocation_request": revocation.request_id,
        "superseded_by": revocation.successor_id,
    }
    return UpdateOne(
        {"_id": credential_id, "issuer_id": issuer_id, "state": CredentialState.ACTIVE}, {"$set": _present(closed)}
    )


def _take_down(target: Target, take_down: TakeDown) -> UpdateOne:
    credential_id, issuer_id = target
    # Beside the state, which says what its entry in the status list says.
    withheld: Document = {
        "taken_down_at": take_down.at,
        "take_down_reason": take_down.reason,
        "take_down_request": take_down.request_id,
    }
    return UpdateOne(
        {"_id": credential_id, "issuer_id": issuer_id, "taken_down_at": None},
        {"$set": _present(withheld), "$unset": {"document": ""}},
    )


def _present(document: Document) -> Document:
    return {name: value for name, value in document.items() if value is not None}


def _document(credential: Credential) -> Document:
    revocation, take_down = credential.revocation, credential.take_down
    document = {
        "_id": credential.credential_id,
        "schema": 1,
        "issuer_id": credential.issuer_id,
        "learner_id": credential.learner_id,
        "holding_id": credential.holding_id,
        "achievement": credential.achievement,
        "level": None if credential.level is None else credential.level.value,
        "evidence_id": credential.evidence_id,
        "batch_id": credential.decision_id.batch_id,
        "row": credential.decision_id.row,
        "sequence": credential.decision_id.sequence,
        "status_list": credential.status.list_id,
        "status_index": credential.status.index,
        "state": CredentialState.ACTIVE if revocation is None else CredentialState.REVOKED,
        "issued_at": credential.issued_at,
        "document": credential.document,
        "closed_id": None if revocation is None else credential.credential_id,
        "revoked_at": None if revocation is None else revocation.at,
        "revocation_reason": None if revocation is None else revocation.reason,
        "revocation_request": None if revocation is None else revocation.request_id,
        "superseded_by": None if revocation is None else revocation.successor_id,
        "taken_down_at": None if take_down is None else take_down.at,
        "take_down_reason": None if take_down is None else take_down.reason,
        "take_down_request": None if take_down is None else take_down.request_id,
        "supersedes": credential.supersedes,
    }
    return _present(document)


class _Held(NamedTuple):
    """What deciding asks of a stored credential."""

    id: UUID
    holding_id: UUID
    level: SoloLevel | None
    evidence_id: UUID | None
    state: CredentialState
    batch_id: UUID
    row: Count
    sequence: Count
    issued_at: datetime
    revoked_at: datetime | None
    revocation_reason: RevocationReason | None
    revocation_request: UUID | None
    superseded_by: UUID | None


class _Stored(NamedTuple):
    """A stored credential."""

    id: UUID
    issuer_id: Text
    learner_id: UUID
    holding_id: UUID
    achievement: Annotated[str, Field(pattern="/")]
    level: SoloLevel | None
    evidence_id: UUID | None
    batch_id: UUID
    row: Count
    sequence: Count
    status_list: Text
    status_index: Annotated[int, Field(ge=0, lt=MINIMUM_SIZE)]
    state: CredentialState
    issued_at: datetime
    document: Text | None
    revoked_at: datetime | None
    revocation_reason: RevocationReason | None
    revocation_request: UUID | None
    superseded_by: UUID | None
    taken_down_at: datetime | None
    take_down_reason: TakeDownReason | None
    take_down_request: UUID | None
    supersedes: UUID | None


_read, _read_held = typed(_Stored, id="_id"), typed(_Held, id="_id")
_read_name = typed(HeldCredentialName, credential_id="_id")


def _credential(found: Document) -> Credential:
    credential = _listed(found)
    if credential.document is None and credential.take_down is None:
        raise DamagedFieldError("document")
    _require_place(credential.document, credential.status)
    return credential


def _placed(stored: Document) -> StatusEntry:
    entry = StatusEntry(stored["status_list"], _status_index(stored))
    _require_place(stored.get("document"), entry)
    return entry


def _require_place(document: str | None, entry: StatusEntry) -> None:
    """Have the entry be that of the signed text, which is what verifiers look up; one taken down has none left."""
    named = None if document is None else named_entry(document)
    if named not in {None, entry}:
        raise DamagedFieldError("status_list", "status_index")


def _listed(found: Document) -> Credential:
    """Return a credential that may have been read without its signed text."""
    stored = _read(found)
    return Credential(
        credential_id=stored.id,
        issuer_id=stored.issuer_id,
        learner_id=stored.learner_id,
        holding_id=stored.holding_id,
        achievement=stored.achievement,
        level=stored.level,
        evidence_id=stored.evidence_id,
        decision_id=DecisionId(stored.batch_id, stored.row, stored.sequence),
        status=StatusEntry(stored.status_list, stored.status_index),
        issued_at=stored.issued_at,
        document=stored.document,
        revocation=_revocation(stored),
        take_down=_taken_down(stored),
        supersedes=stored.supersedes,
    )


def _status_index(stored: Document) -> int:
    index = stored["status_index"]
    if not isinstance(index, int) or not 0 <= index < MINIMUM_SIZE:
        raise DamagedFieldError("status_index")
    return index


def _revocation(stored: _Stored | _Held) -> Revocation | None:
    at, reason = stored.revoked_at, stored.revocation_reason
    if at is None and reason is None and stored.state is CredentialState.ACTIVE:
        return None
    if at is None or reason is None or stored.state is CredentialState.ACTIVE:
        raise DamagedFieldError("state", "revoked_at", "revocation_reason")
    return Revocation(at, reason, stored.revocation_request, stored.superseded_by)


def _taken_down(stored: _Stored) -> TakeDown | None:
    at, reason = stored.taken_down_at, stored.take_down_reason
    if at is None and reason is None:
        return None
    if at is None or reason is None:
        raise DamagedFieldError("taken_down_at", "take_down_reason")
    return TakeDown(at, reason, stored.take_down_request)
