"""A verifier's knowledge in memory: the status lists that it was told, and nothing else."""

from collections.abc import Iterable
from uuid import UUID

from libs.contracts.events import AchievementPublished
from services.verifier.material.repository import Organisation, Repository, StoredCredential, StoredStatusList


class MemoryRepository(Repository):
    """For a process without a database. Nobody else's keys are known, so it verifies did:key issuers alone."""

    def __init__(self) -> None:
        """Know nothing."""
        self._lists: dict[str, StoredStatusList] = {}

    async def publish(self, list_id: str, version: int, text: str) -> None:
        """Keep a status list; the highest version holds."""
        held = self._lists.get(list_id)
        if held is None or held.version <= version:
            self._lists[list_id] = StoredStatusList(list_id, version, text)

    async def credential(self, credential_id: UUID) -> StoredCredential | None:
        """There is none."""
        return None

    async def did_document(self, issuer_id: str) -> str | None:
        """There is none."""
        return None

    async def did_documents(self, dids: Iterable[str]) -> dict[str, str]:
        """There are none."""
        return {}

    async def organisation(self, issuer_id: str) -> Organisation | None:
        """There is none."""
        return None

    async def achievement(self, version_key: str) -> AchievementPublished | None:
        """There is none."""
        return None

    async def status_list(self, list_id: str) -> StoredStatusList | None:
        """The newest version of a status list."""
        return self._lists.get(list_id)
