"""Handlers of what other services published, stored for pages and checks; each idempotent and safe in any order."""

from collections.abc import Sequence

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

    def __init__(self, repository: Repository) -> None:
        self._repository = repository

    async def documents(self, batch: Sequence[Received[CredentialDocument]]) -> Sequence[Outgoing]:
        """Signed documents and their state: taken down takes precedence over revoked, and that over active."""
        latest: dict[object, CredentialDocument] = {}
        for event in _events(batch):
            held = latest.setdefault(event.credential_id, event)
            if _RANK[held.state] < _RANK[event.state]:
                latest[event.credential_id] = event
        await self._repository.store_documents(list(latest.values()))
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
        for received in batch:
            if (event := received.event) is None:
                continue
            held, _ = highest.setdefault(event.list_id, (event, received.offset))
            if held.order < event.order:
                highest[event.list_id] = event, received.offset
            elif held.order > event.order:
                refused.append(RefusedList(event, held.order))
        for each in [*refused, *await self._repository.store_status_lists(list(highest.values()))]:
            metrics.STATUS_LISTS_REFUSED.inc()
            get_logger().error(
                "a status list went back and was refused",
                list=each.event.list_id,
                order=each.event.order,
                held=each.held,
            )
        return []


def _events(batch: Sequence[Received[EventT]]) -> list[EventT]:
    return [received.event for received in batch if received.event is not None]
