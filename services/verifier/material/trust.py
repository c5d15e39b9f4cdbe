"""Looks up whom a verification may believe: issuers registered here, and what they published under ids of ours."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol
from urllib.parse import urlsplit
from uuid import UUID

from pymongo.errors import PyMongoError

from libs.common.telemetry import get_logger
from libs.openbadges.crypto.did import did_web
from libs.openbadges.trust import KnownParties, Party, Publications, Registry, own_credential_uuid
from libs.openbadges.trust.names import whole_likenesses
from libs.openbadges.verify import Dependencies
from services.verifier.material.cache import ShortMemory
from services.verifier.material.issuers import RegisteredIssuers
from services.verifier.material.records import TakenDown

_REMEMBERED_NAMES = 500
# More than the names of schools have; those of strangers can have thrice as many.
_MOST_REMEMBERED = 400

# More than a learner record within the engine's limits can name.
_MOST_ISSUERS = 256
_MOST_NAMES = 256
_MOST_CREDENTIALS = 256


class TrustRecords(Protocol):
    """Where issuers and published credentials are read from."""

    async def parties_alike(self, likenesses: Iterable[str]) -> dict[str, list[Party]]:
        """Return the registered issuers whose names have one of these likenesses, by likeness."""
        ...

    async def credential_texts(self, ids: Iterable[UUID]) -> dict[UUID, str | TakenDown]:
        """Return the signed documents among these, by UUID, or that they were taken down."""
        ...


@dataclass(frozen=True, slots=True)
class Trust:
    """What was found, for the engine."""

    parties: KnownParties
    publications: Publications


class Registries(Protocol):
    """The registries that the operator trusts, as they are now."""

    def current(self, now: datetime) -> tuple[Sequence[Registry], Sequence[str]]:
        """Return those that may be relied on, in the operator's order, and the names of the others."""
        ...


class TrustSource:
    """Issuers and credentials of this installation, and the registries that its operator trusts."""

    def __init__(
        self,
        records: TrustRecords,
        public_base: str,
        issuers: RegisteredIssuers,
        registries: Registries,
        clock: Callable[[], datetime],
        *,
        patience_seconds: float,
        remembered_seconds: float,
    ) -> None:
        """Take what is needed; `clock` tells when a registry may no longer be relied on."""
        self._records = records
        self._home = f"{public_base}/"
        self._base = f"{public_base}/badges/"
        self._authority = did_web(public_base)
        self._installation = Party(self._authority, urlsplit(public_base).hostname or "", public_base)
        self._registries = registries
        self._clock = clock
        self._patience = patience_seconds
        self._issuers = issuers
        self._names = ShortMemory(self._lines_found, seconds=remembered_seconds, entries=_REMEMBERED_NAMES)

    async def resolve(self, dependencies: Dependencies, given: Mapping[UUID, str]) -> Trust:
        """Look up who is known and what was published; what is out of reach is said to be so and never an error.

        What was found before our own records were out of reach counts: only the rest is undetermined.

        Args:
            dependencies: of the document.
            given: published documents that are at hand already, by UUID.
        """
        registries, missing = self._registries.current(self._clock())
        registered: dict[str, Party] = {}
        alike: dict[str, Sequence[Party]] = {}
        found: dict[UUID, str | TakenDown] = dict(given)
        issuers = sorted(dependencies.issuers)
        asked, reached = False, True
        try:
            async with asyncio.timeout(self._patience):
                for did in issuers[:_MOST_ISSUERS]:
                    if (issuer := await self._issuers.get(did)) is not None:
                        registered[did] = issuer.party
                # Registered ones too: an administrator may have let one take a name that looks like another's.
                names = _with_own(dependencies.likenesses, registered.values())
                for likenesses in list(names)[:_MOST_NAMES]:
                    alike |= await self._alike(likenesses)
                asked = len(issuers) <= _MOST_ISSUERS and len(names) <= _MOST_NAMES
                found |= await self._texts(dependencies.credentials, given)
        except (PyMongoError, TimeoutError) as error:
            reached = False
            get_logger().warning("verifying without knowing issuers", problem=type(error).__name__)
        return Trust(
            KnownParties(
                registered,
                [replace(one, parties=_among(one.parties, issuers)) for one in registries],
                alike,
                installation=self._installation,
                available=asked,
                missing=missing,
            ),
            Publications(
                self._home,
                # What the authority's key signs, other than lists, is none of ours either unless it is published.
                frozenset({*registered, self._authority}),
                {one: text for one, text in found.items() if isinstance(text, str)},
                taken_down={one: each.reason.value for one, each in found.items() if isinstance(each, TakenDown)},
                available=reached and asked and len(dependencies.credentials) <= _MOST_CREDENTIALS,
            ),
        )

    async def _texts(self, ids: Iterable[str], given: Mapping[UUID, str]) -> dict[UUID, str | TakenDown]:
        own = {found for one in sorted(ids)[:_MOST_CREDENTIALS] if (found := own_credential_uuid(one, self._base))}
        missing = own - given.keys()
        return await self._records.credential_texts(missing) if missing else {}

    async def _alike(self, likenesses: frozenset[str]) -> Mapping[str, Sequence[Party]]:
        """Return those with any of these likenesses; where they are not too many, as it was a moment ago."""
        if len(likenesses) > _MOST_REMEMBERED:
            return await self._found(likenesses)
        # None holds the end of a line.
        return await self._names.get("\n".join(sorted(likenesses)))

    async def _lines_found(self, lines: str) -> Mapping[str, Sequence[Party]]:
        return await self._found(lines.split("\n"))

    async def _found(self, likenesses: Iterable[str]) -> Mapping[str, Sequence[Party]]:
        found = await self._records.parties_alike([each for each in likenesses if each])
        return {each: parties for each, parties in found.items() if parties}


def _with_own(likenesses: frozenset[frozenset[str]], parties: Iterable[Party]) -> frozenset[frozenset[str]]:
    """Return what is looked for with that of the parties' own names, which documents nearly always give them."""
    own = map(whole_likenesses, {each.name for each in parties})
    return likenesses.union(each for each in own if not any(each <= asked for asked in likenesses))


def _among(parties: Mapping[str, Sequence[Party]], ids: Iterable[str]) -> dict[str, Sequence[Party]]:
    """Return the parties that a document names: a registry of thousands is not handed to a worker process."""
    return {one: parties[one] for one in ids if one in parties}
