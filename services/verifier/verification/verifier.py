"""Verifies one credential: looks up, then lets the engine work in a thread, within limits of time and number."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from functools import partial
from time import monotonic
from typing import Any, TypeVar
from uuid import UUID

from libs.common.errors import UnavailableError
from libs.openbadges.model.errors import CredentialError
from libs.openbadges.model.profile import CONFORMANCE, PRODUCTION, ProcessingProfile
from libs.openbadges.verify import (
    CHECKS,
    PRESENTATION_CHECKS,
    RECIPIENT,
    Check,
    Dependencies,
    Opened,
    PresentationReport,
    Recipient,
    Report,
    dependencies_of,
    open_document,
    presentation_dependencies,
    verify,
    verify_presentation,
)
from services.verifier.material.lookup import MaterialSource, explain
from services.verifier.material.repository import StoredCredential
from services.verifier.verification import metrics

T = TypeVar("T")


class Verifier:
    """The one way in which pages and API come to a verdict."""

    def __init__(
        self,
        source: MaterialSource,
        clock: Callable[[], datetime],
        *,
        threads: int,
        waiting: int,
        seconds: float,
        conformance: bool = False,
    ) -> None:
        """Take what is needed; `conformance` reads contexts written into documents, for conformance suites alone."""
        self._source = source
        self._clock = clock
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="verify")
        self._waiting = waiting
        self._seconds = seconds
        self._in_flight = 0
        self._profile = CONFORMANCE if conformance else PRODUCTION

    async def verify(
        self, document: str | bytes, *, stored: StoredCredential | None = None, recipient: Recipient | None = None
    ) -> Report:
        """Verify a credential from its text.

        Args:
            document: the text as it came.
            stored: the credential of ours that it is; that its issuer told us that it is revoked counts even before
                the status list says so.
            recipient: whom it must be about; None does not ask.

        Raises:
            UnavailableError: more is waiting than can be done in reasonable time.
        """
        if self._in_flight >= self._waiting:
            raise UnavailableError("more credentials are waiting to be verified than can be done soon; try again")
        self._in_flight += 1
        started = monotonic()
        try:
            report = await self._verify(document, recipient, {} if stored is None else {stored.id: stored.text})
            if stored is not None and stored.revoked_at is not None:
                report = _revoked(report, stored.revoked_at)
        finally:
            self._in_flight -= 1
        metrics.observe(report, monotonic() - started)
        return report

    async def verify_stored(self, stored: StoredCredential, recipient: Recipient | None = None) -> Report:
        """Verify a credential of ours, with what its issuer told us of its state."""
        return await self.verify(stored.text, stored=stored, recipient=recipient)

    async def verify_presentation(
        self, document: str | bytes, *, challenge: str | None, domain: str | None
    ) -> PresentationReport:
        """Verify a presentation and each credential in it; `challenge` and `domain` are what its proof must repeat.

        Raises:
            UnavailableError: more is waiting than can be done in reasonable time.
        """
        if self._in_flight >= self._waiting:
            raise UnavailableError("more credentials are waiting to be verified than can be done soon; try again")
        self._in_flight += 1
        try:
            try:
                dependencies = await self._in_thread(partial(presentation_dependencies, document, self._profile))
                resolved = await self._source.resolve(dependencies)
                asked: dict[str, Any] = {"challenge": challenge, "domain": domain, "profile": self._profile}
                report = await self._in_thread(
                    partial(verify_presentation, document, resolved.inputs, self._clock(), **asked)
                )
            except TimeoutError:
                return PresentationReport(_too_long(PRESENTATION_CHECKS, self._clock()), (), None)
            return replace(report, credentials=tuple(explain(one, resolved) for one in report.credentials))
        finally:
            self._in_flight -= 1

    async def _verify(
        self, document: str | bytes, recipient: Recipient | None, published: Mapping[UUID, str]
    ) -> Report:
        asked: dict[str, Any] = {"recipient": recipient, "profile": self._profile}
        try:
            opened, dependencies = await self._in_thread(partial(_read, document, self._profile))
            resolved = await self._source.resolve(dependencies, published)
            report = await self._in_thread(partial(verify, opened, resolved.inputs, self._clock(), **asked))
        except TimeoutError:
            return Report(_too_long(CHECKS if recipient is None else (*CHECKS, RECIPIENT), self._clock()), None)
        return explain(report, resolved)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        """Let a thread of ours do it: a hostile document may take long, and the event loop serves everybody.

        Raises:
            TimeoutError: it takes longer than is allowed.
        """
        running = asyncio.get_running_loop().run_in_executor(self._pool, work)
        async with asyncio.timeout(self._seconds):
            return await running


def _read(document: str | bytes, profile: ProcessingProfile) -> tuple[str | bytes | Opened, Dependencies]:
    """Read a document once, for what it depends on and for verifying; one that cannot be read stays as it came."""
    try:
        opened = open_document(document, profile=profile)
    except CredentialError:
        return document, Dependencies()
    return opened, dependencies_of(opened, profile=profile)


def _revoked(report: Report, at: datetime) -> Report:
    told = Check("status", "fail", "revoked", "The issuer has revoked it.", at)
    return replace(report, checks=tuple(told if check.name == "status" else check for check in report.checks))


def _too_long(names: Sequence[str], now: datetime) -> tuple[Check, ...]:
    message = "Checking it took longer than is allowed here."
    return tuple(Check(name, "unknown", "took_too_long", message, now) for name in names)
