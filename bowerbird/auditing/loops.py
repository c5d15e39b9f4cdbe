"""Documents that calls and loops of the services read, and no other check does: what cannot be read is named."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from bowerbird.auditing.reading import some_of
from libs.access.repository import stored_key
from libs.common.damage import Damage
from libs.common.mongo import Client, Database, Document


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


READ: Final[Sequence[Read]] = tuple(
    Read(service, "api_keys", stored_key, {"grant": {"$exists": True}})
    for service in ("evidence", "issuer", "notifier")
)


async def look_at_all(client: Client, damage: Damage) -> None:
    """Note in `damage` all that cannot be read."""
    for each in READ:
        await look(client[each.service], each, damage)


async def look(database: Database, each: Read, damage: Damage) -> None:
    """Note in `damage` what of one collection cannot be read."""
    async for some in some_of(database[each.collection], each.query, {}):
        damage.readable(f"{database.name}.{each.collection}", some, each.read)
