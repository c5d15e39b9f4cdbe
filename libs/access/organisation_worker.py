"""The consumer of organisations in services other than the issuer's: keeps a copy of the tree."""

from collections.abc import Sequence

from libs.access.organisations import OrganisationStore
from libs.contracts.cloudevents import Outgoing, Received
from libs.contracts.events import OrganisationPublished


class OrganisationWorker:
    """The handler; it publishes nothing."""

    def __init__(self, stored: OrganisationStore) -> None:
        self._stored = stored

    async def handle(self, batch: Sequence[Received[OrganisationPublished]]) -> Sequence[Outgoing]:
        """Store the newest version of each organisation."""
        await self._stored.store([each.event for each in batch if each.event is not None])
        return []
