"""What consumed records do to batches: decisions of the issuer, and what a database lacks that was set back."""

from collections.abc import Callable, Sequence
from datetime import datetime

from libs.contracts.cloudevents import Outgoing, Received
from libs.contracts.events import BatchStored, EvidenceDecided
from services.evidence.batches.repository import Batches
from services.evidence.batches.sealing import BatchSealing


class Decisions:
    """The consumer's effect; seeing a decision again, or an older one, changes nothing."""

    def __init__(self, batches: Batches) -> None:
        self._batches = batches

    async def apply(self, batch: Sequence[Received[EvidenceDecided]]) -> Sequence[Outgoing]:
        """Record these decisions on their rows, also where a row was never stored because its upload died."""
        await self._batches.decide([received.event for received in batch if received.event is not None])
        return []


class StoredBatches:
    """Takes up what was published of batches and the database lacks. Where it lacks nothing, none of it is opened."""

    def __init__(self, batches: Batches, sealing: BatchSealing, clock: Callable[[], datetime]) -> None:
        self._adoption = batches.adoption
        self._sealing = sealing
        self._clock = clock

    async def apply(self, batch: Sequence[Received[BatchStored]]) -> Sequence[Outgoing]:
        """Take up what is missing, in the order of the records.

        Raises:
            DoesNotOpenError: a record was not sealed by this authority.
        """
        for event in await self._adoption.missing(batch, self._clock()):
            accepted_at = event.stored_at if event.accepted else None
            await self._adoption.adopt(self._sealing.open(event), accepted_at)
        return []
