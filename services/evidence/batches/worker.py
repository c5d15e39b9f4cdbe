"""What became of rows: the effect of the issuer's decisions on this service's rows."""

from collections.abc import Sequence

from libs.contracts.cloudevents import Outgoing, Received
from libs.contracts.events import EvidenceDecided
from services.evidence.batches.repository import Batches


class Decisions:
    """The consumer's effect; seeing a decision again, or an older one, changes nothing."""

    def __init__(self, batches: Batches) -> None:
        self._batches = batches

    async def apply(self, batch: Sequence[Received[EvidenceDecided]]) -> Sequence[Outgoing]:
        """Record these decisions on their rows, also where a row was never stored because its upload died."""
        await self._batches.decide([received.event for received in batch if received.event is not None])
        return []
