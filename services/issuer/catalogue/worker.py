"""The consumer of `catalogue`: the issuers and achievement versions that decide."""

from collections.abc import Sequence

from libs.contracts.cloudevents import Outgoing, Received
from libs.contracts.events import AchievementPublished, IssuerPublished
from services.issuer.catalogue.repository import Catalogue


class CatalogueWorker:
    """The handler; it publishes nothing."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    async def handle(self, batch: Sequence[Received[IssuerPublished | AchievementPublished]]) -> Sequence[Outgoing]:
        """Store the newest version of each issuer, and every version of an achievement."""
        events = [received.event for received in batch]
        await self._catalogue.store_issuers([event for event in events if isinstance(event, IssuerPublished)])
        await self._catalogue.store_achievements([event for event in events if isinstance(event, AchievementPublished)])
        return []
