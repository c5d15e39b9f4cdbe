"""Every query on credentials, and their form in MongoDB."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol
from uuid import UUID

from pymongo import UpdateOne
from pymongo.read_concern import ReadConcern

from libs.common.mongo import Collection, Database, Document, Index, Insertion, find_by_ids
from libs.contracts.results import SoloLevel
from services.issuer.credentials.award import HeldAward
from services.issuer.credentials.credential import Credential, CredentialState, Revocation
from services.issuer.decision_ids import DecisionId
from services.issuer.status.entry import StatusEntry

INDEXES: Sequence[Index] = (
    # Promise 2: one active award per business key, whatever any code believes. A closed one has its own id beside the
    # key, an active one nothing, so that this index finds all awards of a holding too.
    Index("credentials", ["holding_id", "level", "evidence_id", "closed_id"], unique=True),
    # An entry of a status list stands for one credential.
    Index("credentials", ["status_list", "status_index"], unique=True),
    # The bits of a status list are its revoked credentials.
    Index("credentials", ["status_list"], partial={"state": CredentialState.REVOKED}),
)


class CredentialStore(Protocol):
    """What deciding and announcing need of credentials; the test suite runs against the real store and a fake."""

    async def by_ids(self, credential_ids: Iterable[UUID]) -> dict[UUID, Credential]:
        """Return these credentials as they stand now."""
        ...

    async def revoked_of(self, credential_ids: Iterable[UUID]) -> list[Credential]:
        """Return those of these credentials that are revoked by now."""
        ...

    async def holdings(self, holding_ids: Iterable[UUID]) -> dict[UUID, list[HeldAward]]:
        """Return all awards ever made under these holdings, by holding."""
        ...


class MongoCredentials:
    """Credentials in MongoDB. Reads are of majority-committed data: what is announced cannot be rolled back."""

    def __init__(self, database: Database) -> None:
        self._collection: Collection = database.get_collection("credentials", read_concern=ReadConcern("majority"))

    async def by_ids(self, credential_ids: Iterable[UUID]) -> dict[UUID, Credential]:
        """See `CredentialStore`."""
        return {
            found["_id"]: _credential(found) for found in await find_by_ids(self._collection, "_id", credential_ids)
        }

    async def revoked_of(self, credential_ids: Iterable[UUID]) -> list[Credential]:
        """See `CredentialStore`."""
        # A worker's query, by deterministic ids.
        query = {"_id": {"$in": list(credential_ids)}, "state": CredentialState.REVOKED}
        return [_credential(found) for found in await self._collection.find(query).to_list(None)]

    async def holdings(self, holding_ids: Iterable[UUID]) -> dict[UUID, list[HeldAward]]:
        """See `CredentialStore`."""
        fields = {"holding_id": 1, "level": 1, "evidence_id": 1, "state": 1}
        holdings: dict[UUID, list[HeldAward]] = {}
        for each in await find_by_ids(self._collection, "holding_id", holding_ids, projection=fields):
            active = each["state"] == CredentialState.ACTIVE
            award = HeldAward(each["_id"], _level(each.get("level")), active, each.get("evidence_id"))
            holdings.setdefault(each["holding_id"], []).append(award)
        return holdings

    def insertion(self, credentials: Iterable[Credential]) -> Insertion:
        """Return the insertion of these, to be made in one transaction with that of their decisions."""
        return self._collection, [_document(each) for each in credentials]

    async def find(self, credential_id: UUID, issuer_id: str) -> Credential | None:
        """Return one credential of this tenant, None where there is none."""
        found = await self._collection.find_one({"_id": credential_id, "issuer_id": issuer_id})
        return None if found is None else _credential(found)

    async def revoke(self, revocations: Mapping[tuple[UUID, str], Revocation]) -> list[Credential]:
        """Revoke these, by credential and issuer, and return those credentials as they stand then.

        The first revocation of a credential holds: a later one changes neither its reason nor its moment.
        """
        if not revocations:
            return []
        await self._collection.bulk_write(
            [
                UpdateOne(
                    {"_id": credential_id, "issuer_id": issuer_id, "state": CredentialState.ACTIVE},
                    {
                        "$set": {
                            "state": CredentialState.REVOKED,
                            "closed_id": credential_id,
                            "revoked_at": revocation.at,
                            "revocation_reason": revocation.reason,
                        }
                    },
                )
                for (credential_id, issuer_id), revocation in revocations.items()
            ],
            ordered=False,
        )
        found = await self.by_ids(credential_id for credential_id, _ in revocations)
        return [each for each in found.values() if (each.credential_id, each.issuer_id) in revocations]

    async def revoked_indexes(self, list_id: str) -> list[int]:
        """Return the entries of a status list that are set."""
        query: dict[str, Any] = {"status_list": list_id, "state": CredentialState.REVOKED}
        found = await self._collection.find(query, {"status_index": 1}).to_list(None)
        return [each["status_index"] for each in found]


def _document(credential: Credential) -> Document:
    revocation = credential.revocation
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
        "state": credential.state.value,
        "issued_at": credential.issued_at,
        "document": credential.document,
        "closed_id": None if revocation is None else credential.credential_id,
        "revoked_at": None if revocation is None else revocation.at,
        "revocation_reason": None if revocation is None else revocation.reason,
    }
    return {name: value for name, value in document.items() if value is not None}


def _credential(stored: Document) -> Credential:
    revoked_at = stored.get("revoked_at")
    return Credential(
        credential_id=stored["_id"],
        issuer_id=stored["issuer_id"],
        learner_id=stored["learner_id"],
        holding_id=stored["holding_id"],
        achievement=stored["achievement"],
        level=_level(stored.get("level")),
        evidence_id=stored.get("evidence_id"),
        decision_id=DecisionId(stored["batch_id"], stored["row"], stored["sequence"]),
        status=StatusEntry(stored["status_list"], stored["status_index"]),
        issued_at=stored["issued_at"],
        document=stored["document"],
        revocation=None if revoked_at is None else Revocation(revoked_at, stored["revocation_reason"]),
    )


def _level(text: str | None) -> SoloLevel | None:
    return None if text is None else SoloLevel(text)
