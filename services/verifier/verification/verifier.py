"""The one way in which pages and API come to a verdict: what is our own in threads, what strangers send in workers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from time import monotonic
from types import MappingProxyType
from uuid import UUID

from libs.common.workers.jobs import End, JobEndedError, Runner
from libs.openbadges.model.profile import CONFORMANCE, PRODUCTION
from libs.openbadges.verify import (
    CHECKS,
    PRESENTATION_CHECKS,
    RECIPIENT,
    Check,
    Dependencies,
    PresentationReport,
    Recipient,
    Report,
    ResolvedInputs,
)
from services.verifier.material.lookup import MaterialSource, Resolved, explain
from services.verifier.material.repository import StoredCredential
from services.verifier.verification import metrics
from services.verifier.verification.jobs import credential_job, presentation_job
from services.verifier.verification.poison import KnownPoison

_ENDED: Mapping[End, str] = {
    "too_costly": "The document was too costly: verifying it takes more time or memory than one request is given.",
    "took_too_long": "Checking it took longer than is allowed here.",
}


class Verifier:
    """Verifies credentials and presentations.

    What anybody sends (`verify`, `verify_presentation`) runs in worker processes with limits of CPU time and memory;
    credentials of our own (`verify_stored`) run in threads of the service and never wait for a worker. Whatever passes
    a limit ends in a report whose checks are unknown, and is remembered: sent again, it costs nothing.
    """

    def __init__(
        self,
        source: MaterialSource,
        clock: Callable[[], datetime],
        *,
        own: Runner,
        strangers: Runner,
        conformance: bool = False,
    ) -> None:
        """Take what is needed.

        Args:
            source: where keys and status lists are looked up.
            clock: returns the current time.
            own: runs the verification of what is stored here.
            strangers: runs the verification of what anybody sends.
            conformance: read contexts written into documents, for conformance suites alone.
        """
        self._source = source
        self._clock = clock
        self._own = own
        self._strangers = strangers
        self._profile = CONFORMANCE if conformance else PRODUCTION
        self._poison = KnownPoison()

    async def verify(self, document: str | bytes, *, recipient: Recipient | None = None) -> Report:
        """Verify a credential that a stranger sent: JSON, a compact JWT, or a PNG or SVG picture that holds either.

        Args:
            document: as it came, whole and unread.
            recipient: whom it must be about; None does not ask.

        Raises:
            UnavailableError: more is waiting than can be done in reasonable time.
        """
        key = self._poison.key(document, recipient and (recipient.value, recipient.kind))
        known: Report | None = self._poison.find(key)
        if known is not None:
            metrics.REMEMBERED.inc()
            return known
        report = await self._verify(self._strangers, document, recipient)
        self._poison.remember(key, report, self._given_up(recipient, "too_costly"))
        return report

    async def verify_stored(self, stored: StoredCredential, recipient: Recipient | None = None) -> Report:
        """Verify a credential of ours, with what its issuer told us of its state; even before the status list says so.

        Raises:
            UnavailableError: more is waiting than can be done in reasonable time.
        """
        report = await self._verify(self._own, stored.text, recipient, {stored.id: stored.text})
        return report if stored.revoked_at is None else _revoked(report, stored.revoked_at)

    async def verify_presentation(
        self, document: str | bytes, *, challenge: str | None, domain: str | None
    ) -> PresentationReport:
        """Verify a presentation that a stranger sent, and each credential in it.

        Args:
            document: as it came, whole and unread.
            challenge: what its proof must repeat; None does not ask.
            domain: for whom its proof must be; None does not ask.

        Raises:
            UnavailableError: more is waiting than can be done in reasonable time.
        """
        key = self._poison.key(document, challenge, domain)
        known: PresentationReport | None = self._poison.find(key)
        if known is not None:
            metrics.REMEMBERED.inc()
            return known
        lookups = _Lookups(self._source)
        try:
            report = await self._strangers.run(
                presentation_job, document, self._clock(), challenge, domain, self._profile, answer=lookups.answer
            )
            report = replace(report, credentials=tuple(lookups.explain(one) for one in report.credentials))
        except JobEndedError as error:
            report = self._presentation_given_up(error.end)
        self._poison.remember(key, report, self._presentation_given_up("too_costly"))
        return report

    async def _verify(
        self,
        runner: Runner,
        document: str | bytes,
        recipient: Recipient | None,
        published: Mapping[UUID, str] = MappingProxyType({}),
    ) -> Report:
        started = monotonic()
        lookups = _Lookups(self._source, published)
        try:
            report = await runner.run(
                credential_job, document, self._clock(), recipient, self._profile, answer=lookups.answer
            )
            report = lookups.explain(report)
        except JobEndedError as error:
            report = self._given_up(recipient, error.end)
        metrics.observe(report, monotonic() - started)
        return report

    def _given_up(self, recipient: Recipient | None, code: End) -> Report:
        names = CHECKS if recipient is None else (*CHECKS, RECIPIENT)
        return Report(_unknown(names, code, self._clock()), None)

    def _presentation_given_up(self, code: End) -> PresentationReport:
        return PresentationReport(_unknown(PRESENTATION_CHECKS, code, self._clock()), (), None)


class _Lookups:
    """What a job was told when it asked, to explain its report by."""

    def __init__(self, source: MaterialSource, published: Mapping[UUID, str] = MappingProxyType({})) -> None:
        self._source = source
        self._published = published
        self._resolved: Resolved | None = None

    async def answer(self, dependencies: Dependencies) -> ResolvedInputs:
        self._resolved = await self._source.resolve(dependencies, self._published)
        return self._resolved.inputs

    def explain(self, report: Report) -> Report:
        return report if self._resolved is None else explain(report, self._resolved)


def _revoked(report: Report, at: datetime) -> Report:
    told = Check("status", "fail", "revoked", "The issuer has revoked it.", at)
    return replace(report, checks=tuple(told if check.name == "status" else check for check in report.checks))


def _unknown(names: Sequence[str], code: End, now: datetime) -> tuple[Check, ...]:
    return tuple(Check(name, "unknown", code, _ENDED[code], now) for name in names)
