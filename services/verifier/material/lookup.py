"""Looks up what the engine needs to verify a credential, in our own database alone: no request ever leaves here."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

import orjson
from pymongo.errors import PyMongoError

from libs.common.telemetry import get_logger
from libs.contracts.events import AchievementPublished
from libs.openbadges.crypto.did import did_web
from libs.openbadges.verify import Check, Dependencies, Report, ResolvedInputs
from services.verifier.material.cache import ShortMemory
from services.verifier.material.issuers import IssuerRecords, RegisteredIssuers
from services.verifier.material.records import (
    Organisation,
    StoredCredential,
    StoredIssuerList,
    StoredStatusList,
    TakenDown,
)
from services.verifier.material.trust import TrustRecords, TrustSource

# A revocation shows within this time on every replica; a lookup for every verification would halve their number.
REMEMBERED_SECONDS = 1.0
_REMEMBERED_LISTS = 500

# More than the engine itself looks at; the rest of a longer list is not worth a query.
_MOST_LOOKUPS = 16

_NOTHING: Mapping[UUID, str] = {}
_KEY_MISSING = frozenset({"key_unavailable", "issuer_unavailable"})
_LIST_MISSING = "STATUS_RETRIEVAL_ERROR"


@dataclass(frozen=True, slots=True)
class Resolved:
    """What could be looked up, and why the rest is missing.

    Attributes:
        inputs: for the engine.
        database_unavailable: something is missing because our own database did not answer.
        foreign_lists: status lists that stand at other URLs than ours.
    """

    inputs: ResolvedInputs
    database_unavailable: bool
    foreign_lists: frozenset[str]


class Records(IssuerRecords, Protocol):
    """Where published documents are read from."""

    async def status_list(self, list_id: str) -> StoredStatusList | None:
        """Return the newest version of a status list."""
        ...

    async def authority_document(self) -> str | None:
        """Return the authority's own DID document, as JSON text."""
        ...


class PublicRecords(Records, TrustRecords, Protocol):
    """Where everything that the verifier serves is read from."""

    async def credential(self, credential_id: UUID) -> StoredCredential | TakenDown | None:
        """Return the document of this id, whoever issued it, or that it was taken down."""
        ...

    async def did_document(self, issuer_id: str) -> str | None:
        """Return the DID document of an issuer, as JSON text."""
        ...

    async def organisation(self, issuer_id: str) -> Organisation | None:
        """Return the public profile of an issuer."""
        ...

    async def issuer_list(self, newer_than: datetime | None = None) -> StoredIssuerList | None:
        """Return the signed list of issuers; None where there is none that is newer."""
        ...

    async def achievement(self, version_key: str) -> AchievementPublished | None:
        """Return the version OWNER/ID/VERSION of an achievement."""
        ...


class MaterialSource:
    """DID documents and status lists, as issuers of this installation published them."""

    def __init__(
        self,
        repository: Records,
        public_base: str,
        *,
        patience_seconds: float,
        remembered_seconds: float = REMEMBERED_SECONDS,
        issuers: RegisteredIssuers,
        trust: TrustSource | None = None,
    ) -> None:
        """Take what is needed; without `trust` nobody is known, and nothing is compared with what was published."""
        self._repository = repository
        self._issuers = issuers
        self._lists_base = f"{public_base}/status/"
        self._authority = did_web(public_base)
        self._patience = patience_seconds
        self._trust = trust
        self._authority_document = ShortMemory(self._read_authority, seconds=remembered_seconds, entries=1)
        self._lists = ShortMemory(self._status_list, seconds=remembered_seconds, entries=_REMEMBERED_LISTS)

    async def resolve(self, dependencies: Dependencies, given: Mapping[UUID, str] = _NOTHING) -> Resolved:
        """Look up what is needed; what is missing, foreign or out of reach is left out and never an error.

        Args:
            dependencies: of the document.
            given: documents of ours that are at hand already, by UUID.
        """
        published = self._published(dependencies)
        if self._trust is None:
            return await published
        found, trust = await asyncio.gather(published, self._trust.resolve(dependencies, given))
        # An issuer whose key was out of reach may be registered here, whatever was found of others.
        parties = replace(trust.parties, available=trust.parties.available and not found.database_unavailable)
        return replace(found, inputs=replace(found.inputs, parties=parties, publications=trust.publications))

    async def _published(self, dependencies: Dependencies) -> Resolved:
        dids = sorted(dependencies.dids - {self._authority})[:_MOST_LOOKUPS]
        own = sorted(url for url in dependencies.status_lists if url.startswith(self._lists_base))[:_MOST_LOOKUPS]
        did_documents: dict[str, Any] = {}
        status_lists: dict[str, str] = {}
        unavailable = False
        try:
            async with asyncio.timeout(self._patience):
                did_documents = await _present(self._did_document, dids)
                status_lists = await _present(self._lists.get, own)
                if own or self._authority in dependencies.dids:
                    # Whose key signs our lists.
                    did_documents |= await _present(self._authority_document.get, [self._authority])
        except (PyMongoError, TimeoutError) as error:
            unavailable = True
            get_logger().warning("verifying without lookups", problem=type(error).__name__)
        return Resolved(ResolvedInputs(did_documents, status_lists), unavailable, dependencies.status_lists - set(own))

    async def _did_document(self, did: str) -> Mapping[str, Any] | None:
        issuer = await self._issuers.get(did)
        return None if issuer is None else _parsed(issuer.did_document)

    async def _read_authority(self, _did: str) -> Mapping[str, Any] | None:
        text = await self._repository.authority_document()
        return None if text is None else _parsed(text)

    async def _status_list(self, url: str) -> str | None:
        held = await self._repository.status_list(url.removeprefix(self._lists_base))
        return None if held is None else held.text


def _parsed(did_document: str) -> Mapping[str, Any] | None:
    try:
        document = orjson.loads(did_document)
    except ValueError as error:
        # As good as none: it must not keep others' credentials from being verified.
        get_logger().error("a DID document cannot be read", problem=type(error).__name__)
        return None
    return document if isinstance(document, dict) else None


async def _present(get: Callable[[str], Awaitable[Any]], keys: list[str]) -> dict[str, Any]:
    found = {key: await get(key) for key in keys}
    return {key: value for key, value in found.items() if value is not None}


def explain(report: Report, resolved: Resolved) -> Report:
    """Return the report with the reasons why something is not available, where known; outcomes stay as they are."""
    if report.verdict == "pass":
        return report
    return replace(
        report,
        checks=tuple(_explained(check, resolved) for check in report.checks),
        embedded=tuple(explain(one, resolved) for one in report.embedded),
        endorsements=tuple(replace(one, report=explain(one.report, resolved)) for one in report.endorsements),
    )


def _explained(check: Check, resolved: Resolved) -> Check:
    missing_list = check.code == _LIST_MISSING
    if not missing_list and check.code not in _KEY_MISSING:
        return check
    if resolved.database_unavailable:
        return check._replace(message="Our own records could not be reached. Try again in a moment.")
    if not missing_list:
        return check._replace(
            message="The issuer's key is not on record here, and this verifier fetches it from no other place.",
        )
    if resolved.foreign_lists:
        return check._replace(
            message="The status list stands at a URL that is not ours, and this verifier fetches from no other place.",
        )
    return check._replace(message="The status list that the credential names has not arrived here.")
