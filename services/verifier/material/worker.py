"""Handlers of what other services published, stored for pages and checks; each idempotent and safe in any order."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from libs.common.telemetry import get_logger
from libs.contracts.cloudevents import EventT, Outgoing, Received
from libs.contracts.events import (
    AchievementPublished,
    AuthorityPublished,
    CredentialDocument,
    IssuerListPublished,
    IssuerPublished,
    StatusListPublished,
)
from services.verifier.material import metrics
from services.verifier.material.repository import RefusedList, Repository

_RANK = {"active": 0, "revoked": 1, "taken_down": 2}


class Projection:
    """The effects of a batch of each topic. Nothing follows from them, so nothing is published."""

    def __init__(self, repository: Repository, clock: Callable[[], datetime]) -> None:
        self._repository = repository
        self._clock = clock

    async def documents(self, batch: Sequence[Received[CredentialDocument]]) -> Sequence[Outgoing]:
        """Signed documents and their state: taken down takes precedence over revoked, and that over active."""
        latest: dict[object, CredentialDocument] = {}
        for event in _events(batch):
            held = latest.setdefault(event.credential_id, event)
            if _RANK[held.state] < _RANK[event.state]:
                latest[event.credential_id] = event
        if await self._repository.store_documents(list(latest.values())):
            again = {each.event.credential_id for each in batch if each.event is not None and each.known}
            closed = [each for each in latest.values() if each.state != "active" and each.credential_id not in again]
            self._seen("page", [each.changed_at for each in closed])
        return []

    async def issuers(
        self, batch: Sequence[Received[IssuerPublished | AuthorityPublished | IssuerListPublished]]
    ) -> Sequence[Outgoing]:
        """Issuers, the authority, their DID documents: the highest version; the signed list of issuers: the newest."""
        events = _events(batch)
        await self._repository.store_issuers([event for event in events if isinstance(event, IssuerPublished)])
        await self._repository.store_authority([event for event in events if isinstance(event, AuthorityPublished)])
        await self._repository.store_issuer_lists([event for event in events if isinstance(event, IssuerListPublished)])
        return []

    async def achievements(self, batch: Sequence[Received[AchievementPublished]]) -> Sequence[Outgoing]:
        """Achievement versions: each is published once, and one that is stored stays."""
        versions = {event.version_key: event for event in reversed(_events(batch))}
        await self._repository.store_achievements(list(versions.values()))
        return []

    async def status_lists(self, batch: Sequence[Received[StatusListPublished]]) -> Sequence[Outgoing]:
        """Status lists: the highest epoch and version takes precedence; one that goes back is refused, loudly."""
        highest: dict[str, tuple[StatusListPublished, int]] = {}
        refused: list[RefusedList] = []
        news: list[StatusListPublished] = []
        for received in batch:
            if (event := received.event) is None:
                continue
            if not received.known:
                news.append(event)
            held, _ = highest.setdefault(event.list_id, (event, received.offset))
            if held.order < event.order:
                highest[event.list_id] = event, received.offset
            elif held.order > event.order:
                refused.append(RefusedList(event, held.order))
        stored = await self._repository.store_status_lists(list(highest.values()))
        replaced = {each.list_id for each in stored.replaced}
        # Each version tells since when, also where a higher one of the same batch took its place at once. The first
        # of a list tells of none: it is announced before anything stands in it.
        self._seen("list", [each.revoked_since for each in news if each.list_id in replaced])
        for each in [*refused, *stored.refused]:
            metrics.STATUS_LISTS_REFUSED.inc()
            get_logger().error(
                "a status list went back and was refused",
                list=each.event.list_id,
                order=each.event.order,
                held=each.held,
            )
        return []

    def _seen(self, where: str, since: Iterable[datetime | None]) -> None:
        """Measure how long ago was asked for what can be seen from now on."""
        now = self._clock()
        for asked in since:
            if asked is not None:
                metrics.REVOCATION_SECONDS.labels(where).observe(max(0.0, (now - asked).total_seconds()))


def _events(batch: Sequence[Received[EventT]]) -> list[EventT]:
    return [received.event for received in batch if received.event is not None]
