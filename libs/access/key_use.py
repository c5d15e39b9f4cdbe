"""The hours in which API keys were used, for the issuer service to know of all services."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from libs.access.repository import KeyRepository
from libs.common.clock import now as utc_now
from libs.common.telemetry import new_trace
from libs.contracts.cloudevents import Outgoing, Received
from libs.contracts.events import ApiKeyUsed

_PUBLISH_SECONDS = 1.0


class KeyUse:
    """Publishes at most one event for a key and hour from each process."""

    def __init__(
        self,
        service: str,
        publish: Callable[[Sequence[Outgoing]], Awaitable[None]],
        *,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._service = service
        self._publish = publish
        self._now = now
        self._hour: datetime | None = None
        self._told: set[str] = set()
        self._untold: dict[str, datetime] = {}

    def note(self, sha256: str) -> None:
        """Note that the key with this digest was used just now."""
        hour = self._now().replace(minute=0, second=0, microsecond=0)
        if hour != self._hour:
            self._hour = hour
            self._told.clear()
        if sha256 not in self._told:
            self._told.add(sha256)
            self._untold[sha256] = hour

    async def publish(self) -> float:
        """Publish what is new; return the seconds until the next time."""
        if self._untold:
            untold, self._untold = self._untold, {}
            trace = new_trace()
            try:
                await self._publish(
                    [
                        Outgoing(ApiKeyUsed(key_sha256=sha256, service=self._service, hour=hour), trace)
                        for sha256, hour in untold.items()
                    ]
                )
            except BaseException:
                self._untold = {**untold, **self._untold}
                raise
        return _PUBLISH_SECONDS


class UseWorker:
    """The handler of `access.use`: notes the latest hour of each key."""

    def __init__(self, repository: KeyRepository) -> None:
        self._repository = repository

    async def handle(self, batch: Sequence[Received[ApiKeyUsed]]) -> Sequence[Outgoing]:
        """Note the hours; again changes nothing."""
        await self._repository.used([(each.event.key_sha256, each.event.hour) for each in batch if each.event])
        return []
