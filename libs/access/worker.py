"""The handlers of facts about access: what is not signed by the issuer service changes nothing."""

from collections.abc import Awaitable, Callable, Sequence

from libs.access import metrics
from libs.access.api_keys import ALL_ISSUERS
from libs.access.repository import KeyRepository
from libs.access.scopes import Scope
from libs.access.signatures import GrantKeys
from libs.common.telemetry import get_logger
from libs.contracts.cloudevents import Outgoing, Received
from libs.contracts.events import ApiKeyGranted, ApiKeyWithdrawn, SignedEvent

KeyEvent = ApiKeyGranted | ApiKeyWithdrawn
Handler = Callable[[Sequence[Received[KeyEvent]]], Awaitable[Sequence[Outgoing]]]

# The rights of administrators come from their file alone, whoever signed.
_NEVER_GRANTED = frozenset({Scope.ISSUERS_WRITE.value})


class AccessWorker:
    """Stores what is genuine, in the service's own database."""

    def __init__(self, repository: KeyRepository, grant_keys: GrantKeys) -> None:
        self._repository = repository
        self._grant_keys = grant_keys

    async def keys(self, batch: Sequence[Received[KeyEvent]]) -> Sequence[Outgoing]:
        """Handle a batch of `access.keys`. A tombstone changes nothing."""
        await self.store([each.event for each in batch if each.event is not None])
        return []

    async def store(self, events: Sequence[KeyEvent]) -> None:
        """Store those of these that are genuine."""
        genuine = [each for each in events if self.is_genuine(each)]
        await self._repository.add(
            [each for each in genuine if isinstance(each, ApiKeyGranted)],
            [each for each in genuine if isinstance(each, ApiKeyWithdrawn)],
        )

    def is_genuine(self, event: SignedEvent) -> bool:
        """Return whether the issuer service signed the event, and it gives nothing that no event may give."""
        genuine = self._grant_keys.verify(event)
        if isinstance(event, ApiKeyGranted):
            genuine = genuine and event.issuer_id != ALL_ISSUERS and not _NEVER_GRANTED & set(event.scopes)
        if not genuine:
            metrics.FORGED.inc()
            get_logger().error("forged record about access refused", type=event.type)
        return genuine


class Restoring:
    """The handler of `access.keys` in the issuer service: it also publishes again what somebody displaced.

    Whoever can write to the topic can put a forged record, or a tombstone, in the place of a genuine one. That
    changes no database, but one that is built anew from the compacted topic would lack the genuine record.
    """

    def __init__(self, worker: AccessWorker, repository: KeyRepository) -> None:
        self._worker = worker
        self._repository = repository

    async def handle(self, batch: Sequence[Received[KeyEvent]]) -> Sequence[Outgoing]:
        """Store what is genuine, and return the genuine records of the keys that anything else spoke of."""
        await self._worker.keys([each for each in batch if each.event is not None])
        displaced = {
            _digest(each.key): each.trace
            for each in batch
            if each.event is None or not self._worker.is_genuine(each.event)
        }
        return [
            Outgoing(event, trace)
            for sha256, trace in displaced.items()
            for event in await self._repository.events_of(sha256)
        ]


def _digest(record_key: str) -> str:
    return record_key.partition(":")[2].partition("/")[0]
