"""Verifies one credential: looks up, then lets the engine work in a thread, within limits of time and number."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from datetime import datetime
from time import monotonic

from libs.common.errors import UnavailableError
from libs.openbadges.jsonld.contexts import conformance_contexts
from libs.openbadges.verify import pipeline as engine
from libs.openbadges.verify.presentations import (
    PRESENTATION_CHECKS,
    PresentationReport,
    presentation_needs,
    verify_presentation,
)
from libs.openbadges.verify.recipient import Recipient
from libs.openbadges.verify.report import CHECKS, RECIPIENT, Check, Report
from services.verifier.material.lookup import MaterialSource, explain
from services.verifier.material.repository import StoredCredential
from services.verifier.verification import metrics


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
        self._in_hand = 0
        self._conformance = conformance

    async def verify(
        self, document: str | bytes, *, revoked_at: datetime | None = None, recipient: Recipient | None = None
    ) -> Report:
        """Verify a credential from its text.

        Args:
            document: the text as it came.
            revoked_at: since when its issuer told us that it is revoked; rules even before the status list says so.
            recipient: whom it must be about; None does not ask.

        Raises:
            UnavailableError: more is waiting than can be done in reasonable time.
        """
        if self._in_hand >= self._waiting:
            raise UnavailableError("more credentials are waiting to be verified than can be done soon; try again")
        self._in_hand += 1
        started = monotonic()
        try:
            report = await self._verify(document, recipient)
            if revoked_at is not None:
                report = _revoked(report, revoked_at)
        finally:
            self._in_hand -= 1
        metrics.observe(report, monotonic() - started)
        return report

    async def verify_stored(self, stored: StoredCredential, recipient: Recipient | None = None) -> Report:
        """Verify a credential of ours, with what its issuer told us of its state."""
        return await self.verify(stored.text, revoked_at=stored.revoked_at, recipient=recipient)

    async def verify_presentation(
        self, document: str | bytes, *, challenge: str | None, domain: str | None
    ) -> PresentationReport:
        """Verify a presentation and each credential in it; `challenge` and `domain` are what its proof must repeat.

        Raises:
            UnavailableError: more is waiting than can be done in reasonable time.
        """
        if self._in_hand >= self._waiting:
            raise UnavailableError("more credentials are waiting to be verified than can be done soon; try again")
        self._in_hand += 1
        try:
            gathered = await self._source.gather(presentation_needs(document))
            now = self._clock()
            work = asyncio.get_running_loop().run_in_executor(
                self._pool, self._present, document, gathered.material, now, challenge, domain
            )
            try:
                async with asyncio.timeout(self._seconds):
                    report = await work
            except TimeoutError:
                return PresentationReport(_too_long(PRESENTATION_CHECKS, now), (), None)
            return replace(report, credentials=tuple(explain(one, gathered) for one in report.credentials))
        finally:
            self._in_hand -= 1

    def _present(
        self, document: str | bytes, material: engine.Material, now: datetime, challenge: str | None, domain: str | None
    ) -> PresentationReport:
        with conformance_contexts() if self._conformance else nullcontext():
            return verify_presentation(document, material, now, challenge=challenge, domain=domain)

    async def _verify(self, document: str | bytes, recipient: Recipient | None) -> Report:
        gathered = await self._source.gather(engine.needs(document))
        now = self._clock()
        work = asyncio.get_running_loop().run_in_executor(
            self._pool, self._check, document, gathered.material, now, recipient
        )
        try:
            async with asyncio.timeout(self._seconds):
                report = await work
        except TimeoutError:
            return Report(_too_long(CHECKS if recipient is None else (*CHECKS, RECIPIENT), now), None)
        return explain(report, gathered)

    def _check(
        self, document: str | bytes, material: engine.Material, now: datetime, recipient: Recipient | None
    ) -> Report:
        with conformance_contexts() if self._conformance else nullcontext():
            return engine.verify(document, material, now, recipient=recipient)


def _revoked(report: Report, at: datetime) -> Report:
    told = Check("status", "fail", "revoked", "The issuer has revoked it.", at)
    return replace(report, checks=tuple(told if check.name == "status" else check for check in report.checks))


def _too_long(names: Sequence[str], now: datetime) -> tuple[Check, ...]:
    sentence = "Checking it took longer than is allowed here."
    return tuple(Check(name, "unknown", "took_too_long", sentence, now) for name in names)
