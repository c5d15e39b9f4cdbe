"""What other services published, kept for pages and checks: four consumers, each idempotent and safe in any order."""

from collections.abc import Sequence

from libs.contracts.cloudevents import EventT, Outgoing, Received
from libs.contracts.events import AchievementPublished, CredentialDocument, IssuerPublished, StatusListPublished
from services.verifier.material.repository import Repository


class Projection:
    """The effects of a batch of each topic. Nothing follows from them, so nothing is published.

    Of a batch that tells of the same thing more than once, only what rules in the end is written: the repository's
    updates of one batch go to the database unordered.
    """

    def __init__(self, repository: Repository) -> None:
        self._repository = repository

    async def documents(self, batch: Sequence[Received[CredentialDocument]]) -> Sequence[Outgoing]:
        """Signed documents and their state: revoked rules over active, the first text is kept."""
        ruling: dict[object, CredentialDocument] = {}
        for event in _events(batch):
            held = ruling.get(event.credential_id)
            if held is None or (held.state == "active" and event.state == "revoked"):
                ruling[event.credential_id] = event
        await self._repository.store_documents(list(ruling.values()))
        return []

    async def issuers(self, batch: Sequence[Received[IssuerPublished]]) -> Sequence[Outgoing]:
        """Issuers and their DID documents: what was published last rules."""
        ruling: dict[str, IssuerPublished] = {}
        for event in _events(batch):
            held = ruling.get(event.issuer_id)
            if held is None or held.published_at < event.published_at:
                ruling[event.issuer_id] = event
        await self._repository.store_issuers(list(ruling.values()))
        return []

    async def achievements(self, batch: Sequence[Received[AchievementPublished]]) -> Sequence[Outgoing]:
        """Achievement versions: each is published once, and what is here stays."""
        versions = {event.version_key: event for event in reversed(_events(batch))}
        await self._repository.store_achievements(list(versions.values()))
        return []

    async def status_lists(self, batch: Sequence[Received[StatusListPublished]]) -> Sequence[Outgoing]:
        """Status lists: the highest version rules."""
        ruling: dict[str, StatusListPublished] = {}
        for event in _events(batch):
            held = ruling.get(event.list_id)
            if held is None or held.version < event.version:
                ruling[event.list_id] = event
        await self._repository.store_status_lists(list(ruling.values()))
        return []


def _events(batch: Sequence[Received[EventT]]) -> list[EventT]:
    return [received.event for received in batch if received.event is not None]
