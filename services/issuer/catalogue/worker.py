"""The consumer of `catalogue`: the issuers and achievement versions that decide."""

from collections.abc import Awaitable, Callable, Sequence

from libs.contracts.cloudevents import Outgoing, Received
from libs.contracts.events import AchievementPublished, IssuerPublished
from services.issuer.catalogue.repository import Catalogue


class CatalogueWorker:
    """The handler; it publishes nothing."""

    def __init__(self, catalogue: Catalogue, changed: Callable[[], Awaitable[None]]) -> None:
        """Take what is needed; `changed` is awaited once issuers are stored, and again after a crash in between."""
        self._catalogue = catalogue
        self._changed = changed

    async def handle(self, batch: Sequence[Received[IssuerPublished | AchievementPublished]]) -> Sequence[Outgoing]:
        """Store the newest version of each issuer, and every version of an achievement."""
        events = [received.event for received in batch]
        issuers = [event for event in events if isinstance(event, IssuerPublished)]
        await self._catalogue.store_issuers(issuers)
        if issuers:
            await self._changed()
        await self._catalogue.store_achievements([event for event in events if isinstance(event, AchievementPublished)])
        return []
