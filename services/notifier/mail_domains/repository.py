"""Where the mail of each issuer may go, in MongoDB, and whether a domain is one of those."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from libs.common.mongo import Database, find_by_ids, upsert_newest
from libs.common.stored import readable, typed
from libs.contracts.events import MailDomainsSet


class MailDomains:
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

    async def of_issuers(self, issuer_ids: Iterable[str]) -> dict[str, tuple[str, ...]]:
        """Return the domains of those of these issuers whose mail may not go everywhere.

        Where what was set cannot be read, it may go nowhere.
        """
        found = await find_by_ids(self._collection, "_id", set(issuer_ids))
        domains = {each["_id"]: readable(stored_domains, each, self._collection) for each in found}
        allowed = {issuer_id: () if set_ is None else tuple(set_.domains) for issuer_id, set_ in domains.items()}
        return {issuer_id: each for issuer_id, each in allowed.items() if each or domains[issuer_id] is None}


class _Set(NamedTuple):
    """What was set for an issuer."""

    domains: list[str]


stored_domains = typed(_Set)


def is_allowed(domain: str, issuer_id: str, allowed: Mapping[str, Sequence[str]]) -> bool:
    """Return whether mail of this issuer may go to a domain, which is one of those allowed, or below one."""
    domains = allowed.get(issuer_id)
    return domains is None or any(domain == each or domain.endswith(f".{each}") for each in domains)
