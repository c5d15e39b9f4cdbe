"""The domains that the mail of each issuer may go to, in MongoDB."""

from collections.abc import Iterable, Sequence

from libs.common.damage import Damage, without_damaged
from libs.common.mongo import Database, Document, find_by_ids, upsert_newest
from libs.contracts.events import MailDomainsSet


class MailDomainRepository:
    """One document for each issuer for which they were ever set."""

    def __init__(self, database: Database) -> None:
        self._collection = database["mail_domains"]

    async def store(self, events: Sequence[MailDomainsSet]) -> None:
        """Store what was set last for each issuer."""
        documents = [
            {
                "_id": event.issuer_id,
                "schema": 1,
                "domains": list(event.domains),
                "changed_at": event.changed_at,
            }
            for event in events
        ]
        await upsert_newest(self._collection, documents, order="changed_at")

    async def of_issuer(self, issuer_id: str) -> MailDomainsSet | None:
        """Return what was set last; None where nothing ever was."""
        found = await self._collection.find_one({"_id": issuer_id})
        if found is None:
            return None
        return _event(found)

    async def of_issuers(self, issuer_ids: Iterable[str]) -> list[MailDomainsSet]:
        """Return what was set last for those of these issuers for which anything ever was."""
        return [_event(each) for each in await find_by_ids(self._collection, "_id", issuer_ids)]

    async def everything(self, damage: Damage | None = None) -> list[MailDomainsSet]:
        """Return what was set last for each issuer; `damage` as for `without_damaged`."""
        # An operator's query, over all tenants.
        return without_damaged(damage, "issuer.mail_domains", await self._collection.find().to_list(None), _event)


def _event(found: Document) -> MailDomainsSet:
    return MailDomainsSet(issuer_id=found["_id"], domains=tuple(found["domains"]), changed_at=found["changed_at"])
