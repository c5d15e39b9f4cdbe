"""The domains that the mail of each issuer may go to, in MongoDB."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from libs.common.damage import Damage, without_damaged
from libs.common.mongo import Database, Document, find_by_ids, upsert_newest
from libs.common.stored import all_readable, require_readable, typed
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
        """Return what was set last; None where nothing ever was.

        Raises:
            UnreadableError: it was damaged.
        """
        found = await self._collection.find_one({"_id": issuer_id})
        return None if found is None else require_readable(domains_set, found, f"the mail domains of {issuer_id}")

    async def of_issuers(self, issuer_ids: Iterable[str]) -> list[MailDomainsSet]:
        """Return what was set last for those of these issuers for which anything ever was and can be read."""
        return all_readable(domains_set, await find_by_ids(self._collection, "_id", issuer_ids), self._collection)

    async def everything(self, damage: Damage | None = None) -> list[MailDomainsSet]:
        """Return what was set last for each issuer; `damage` as for `without_damaged`."""
        # An operator's query, over all tenants.
        return without_damaged(damage, "issuer.mail_domains", await self._collection.find().to_list(None), domains_set)


class _Set(NamedTuple):
    """What was set for an issuer."""

    issuer_id: str
    domains: list[str]
    changed_at: datetime


_set = typed(_Set, issuer_id="_id")


def domains_set(found: Document) -> MailDomainsSet:
    stored = _set(found)
    return MailDomainsSet(issuer_id=stored.issuer_id, domains=tuple(stored.domains), changed_at=stored.changed_at)
