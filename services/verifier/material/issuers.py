"""Issuers of this installation by their DIDs, remembered for a moment: their keys and their record in one query."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from libs.openbadges.trust import Party
from services.verifier.material.cache import ShortMemory

_REMEMBERED = 5_000


@dataclass(frozen=True, slots=True)
class RegisteredIssuer:
    """An issuer of this installation.

    Attributes:
        party: its own record.
        did_document: as JSON text.
    """

    party: Party
    did_document: str


class IssuerRecords(Protocol):
    """Where issuers are read from."""

    async def registered_issuers(self, dids: Iterable[str]) -> dict[str, RegisteredIssuer]:
        """Return the registered issuers among these, by DID."""
        ...


class RegisteredIssuers:
    """Looks issuers up; who asks for one while it is looked up waits for the same answer."""

    def __init__(self, records: IssuerRecords, *, remembered_seconds: float) -> None:
        self._records = records
        self._memory = ShortMemory(self._lookup, seconds=remembered_seconds, entries=_REMEMBERED)

    async def get(self, did: str) -> RegisteredIssuer | None:
        """Return the issuer of this DID, if it is registered here."""
        return await self._memory.get(did)

    async def _lookup(self, did: str) -> RegisteredIssuer | None:
        return (await self._records.registered_issuers([did])).get(did)
