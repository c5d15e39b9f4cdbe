"""Looks up whom a verification may believe: issuers registered here, and what they published under ids of ours."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from pymongo.errors import PyMongoError

from libs.common.telemetry import get_logger
from libs.openbadges.trust import KnownParties, Party, Publications, Registry, own_credential_uuid, skeleton
from libs.openbadges.verify import Dependencies
from services.verifier.material.cache import ShortMemory

_REMEMBERED_ISSUERS = 5_000
_REMEMBERED_NAMES = 2_000

# More than a learner record within the engine's limits can name.
_MOST_ISSUERS = 256
_MOST_CREDENTIALS = 256


class TrustRecords(Protocol):
    """Where issuers and published credentials are read from."""

    async def parties(self, ids: Iterable[str]) -> dict[str, Party]:
        """Return the registered issuers among these, by DID."""
        ...

    async def parties_alike(self, skeletons: Iterable[str]) -> dict[str, list[Party]]:
        """Return the registered issuers whose names have one of these skeletons, by skeleton."""
        ...

    async def credential_texts(self, ids: Iterable[UUID]) -> dict[UUID, str]:
        """Return the signed documents among these, by UUID."""
        ...


@dataclass(frozen=True, slots=True)
class Trust:
    """What was found, for the engine."""

    parties: KnownParties
    publications: Publications


class TrustSource:
    """Issuers and credentials of this installation, and the registries that its operator trusts."""

    def __init__(
        self,
        records: TrustRecords,
        public_base: str,
        registries: Sequence[Registry],
        clock: Callable[[], datetime],
        *,
        patience_seconds: float,
        remembered_seconds: float,
    ) -> None:
        """Take what is needed; `clock` tells when a registry may no longer be relied on."""
        self._records = records
        self._base = f"{public_base}/badges/"
        self._registries = registries
        self._clock = clock
        self._patience = patience_seconds
        self._issuers = ShortMemory(self._issuer, seconds=remembered_seconds, entries=_REMEMBERED_ISSUERS)
        self._names = ShortMemory(self._alike, seconds=remembered_seconds, entries=_REMEMBERED_NAMES)

    async def resolve(self, dependencies: Dependencies, given: Mapping[UUID, str]) -> Trust:
        """Look up who is known and what was published; what is out of reach is said to be so and never an error.

        Args:
            dependencies: of the document.
            given: published documents that are at hand already, by UUID.
        """
        now = self._clock()
        registries = tuple(one for one in self._registries if one.ends is None or now < one.ends)
        try:
            async with asyncio.timeout(self._patience):
                registered = await self._registered(dependencies.issuers)
                unknown = bool(dependencies.issuers - registered.keys())
                alike = await self._resembled(dependencies.names) if unknown else {}
                texts = await self._texts(dependencies.credentials, given)
        except (PyMongoError, TimeoutError) as error:
            get_logger().warning("verifying without knowing issuers", problem=type(error).__name__)
            return Trust(
                KnownParties(registries=registries, available=False),
                Publications(self._base, texts=given, available=False),
            )
        complete = len(dependencies.issuers) <= _MOST_ISSUERS
        return Trust(
            KnownParties(registered, registries, alike, available=complete),
            Publications(
                self._base,
                frozenset(registered),
                texts,
                available=complete and len(dependencies.credentials) <= _MOST_CREDENTIALS,
            ),
        )

    async def _registered(self, ids: Iterable[str]) -> dict[str, Party]:
        found = {one: await self._issuers.get(one) for one in sorted(ids)[:_MOST_ISSUERS]}
        return {identifier: party for identifier, party in found.items() if party is not None}

    async def _resembled(self, names: Iterable[str]) -> dict[str, Sequence[Party]]:
        skeletons = {one for name in names if (one := skeleton(name))}
        found = {one: await self._names.get(one) for one in sorted(skeletons)[:_MOST_ISSUERS]}
        return {one: parties for one, parties in found.items() if parties}

    async def _texts(self, ids: Iterable[str], given: Mapping[UUID, str]) -> dict[UUID, str]:
        own = {found for one in sorted(ids)[:_MOST_CREDENTIALS] if (found := own_credential_uuid(one, self._base))}
        missing = own - given.keys()
        return {**given, **(await self._records.credential_texts(missing) if missing else {})}

    async def _issuer(self, identifier: str) -> Party | None:
        return (await self._records.parties([identifier])).get(identifier)

    async def _alike(self, name: str) -> list[Party]:
        return (await self._records.parties_alike([name])).get(name, [])
