"""Documents that calls and loops of the services read, and no other check does: what cannot be read is named."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from bowerbird.auditing.reading import some_of
from libs.access.repository import stored_key
from libs.common.damage import Damage
from libs.common.mongo import Client, Database, Document
from libs.common.stored import MOMENT, DamagedFieldError
from libs.contracts.events import Outcome
from services.evidence.batches.listing import listed_batch
from services.evidence.batches.removal import removable
from services.issuer.credentials.requests import closing_request
from services.issuer.credentials.waiting_commands import waiting_command
from services.issuer.decisions.holdings import sweep_of
from services.issuer.decisions.kept_documents import kept_of
from services.issuer.decisions.repository import waiting_of
from services.issuer.mail_domains.repository import domains_set
from services.notifier.catalogue.repository import stored_achievement, stored_issuer
from services.notifier.contacts.repository import owned, reachable_contact
from services.notifier.deliveries.delivery import StoredDelivery
from services.notifier.mail_domains.repository import stored_domains
from services.verifier.material.repository import shown_badge


@dataclass(frozen=True, slots=True)
class Read:
    """What is read of one collection.

    Attributes:
        service: whose database it is in.
        read: raises one of `libs.common.stored.UNREADABLE` where a document was damaged.
        query: which documents are read.
    """

    service: str
    collection: str
    read: Callable[[Document], object]
    query: Document = field(default_factory=dict)


def _wrong(service: str, collection: str, query: Document, name: str) -> Read:
    """Return what was damaged in this field, as a query finds."""

    def read(_stored: Document) -> None:
        raise DamagedFieldError(name)

    return Read(service, collection, read, query)


def _dated(service: str, collection: str, name: str, query: Document | None = None) -> Read:
    """Return what has no moment in this field, by which it is looked for, or its life ends."""
    return _wrong(service, collection, {**(query or {}), name: {"$not": MOMENT}}, name)


_NO_OUTCOME: Final = {"$nin": [each.value for each in Outcome]}
_NO_ID: Final = {"$not": {"$type": "binData"}}

READ: Final[Sequence[Read]] = (
    *(
        Read(service, "api_keys", stored_key, {"grant": {"$exists": True}})
        for service in ("evidence", "issuer", "notifier")
    ),
    Read("issuer", "waiting", waiting_of),
    Read("verifier", "documents", shown_badge),
    _dated("issuer", "decisions", "decided_at"),
    _wrong("issuer", "decisions", {"outcome": _NO_OUTCOME}, "outcome"),
    _wrong("issuer", "decisions", {"outcome": Outcome.ISSUED, "credential_id": _NO_ID}, "credential_id"),
    _wrong("evidence", "rows", {"state": _NO_OUTCOME}, "state"),
    Read("issuer", "kept_evidence", kept_of),
    Read("issuer", "mail_domains", domains_set),
    Read("issuer", "closing_requests", closing_request),
    Read("issuer", "waiting_commands", waiting_command),
    Read("issuer", "sweeps", sweep_of, {"passes": {"$gt": 0}}),
    _dated("issuer", "closing_requests", "requested_at"),
    # Of one whose life has ended it stays that its key was used.
    Read("evidence", "batches", removable, {"ended": {"$ne": True}}),
    Read("evidence", "batches", listed_batch, {"ended": {"$ne": True}, "created_at": MOMENT}),
    _dated("evidence", "batches", "created_at", {"ended": {"$ne": True}}),
    _dated("evidence", "submissions", "sent_at"),
    _dated("notifier", "contacts", "life_from"),
    Read("notifier", "contacts", reachable_contact, {"email": {"$exists": True}}),
    Read("notifier", "issuers", stored_issuer),
    Read("notifier", "achievements", stored_achievement),
    Read("notifier", "mail_domains", stored_domains),
    Read("notifier", "contacts", owned, {"issuer_id": {"$not": {"$type": "string"}}}),
    Read("notifier", "deliveries", StoredDelivery.of),
)


async def look_at_all(client: Client, damage: Damage) -> None:
    """Note in `damage` all that cannot be read."""
    for each in READ:
        await look(client[each.service], each, damage)


async def look(database: Database, each: Read, damage: Damage) -> None:
    """Note in `damage` what of one collection cannot be read."""
    async for some in some_of(database[each.collection], each.query, {}):
        damage.readable(f"{database.name}.{each.collection}", some, each.read)
