"""The one way in which pages and API come to a verdict: what is our own in threads, what strangers send in workers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from time import monotonic
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

from libs.common.workers.jobs import End, Job, JobEndedError, Runner
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
from services.verifier.material.records import StoredCredential
from services.verifier.verification import metrics
from services.verifier.verification.jobs import credential_job
from services.verifier.verification.poison import KnownPoison
from services.verifier.verification.submission import Submission

_ENDED: Final[Mapping[End, str]] = {
    "too_costly": "The document was too costly: verifying it takes more time or memory than one request is given.",
    "took_too_long": "Checking it took longer than is allowed here.",
}


class Conversation:
    """What a job tells and asks on its way, answered, and its report explained by what could be looked up.

    Attributes:
        told: what it told last that is no question; None until then.
    """

    def __init__(self, source: MaterialSource, published: Mapping[UUID, str] = MappingProxyType({})) -> None:
        """Take where is looked up, and documents of ours that are at hand already, by UUID."""
        self._source = source
        self._published = published
        self._resolved: Resolved | None = None
        self.told: Any = None

    async def answer(self, message: Any) -> ResolvedInputs | None:
        """Return what a job asks for; remember what it tells."""
        if not isinstance(message, Dependencies):
            self.told = message
            return None
        resolved = await self._source.resolve(message, self._published)
        # What comes after the first question are names alone, which explain no check.
        self._resolved = self._resolved or resolved
        return resolved.inputs

    def explain(self, report: Report) -> Report:
        """Return the report with the reasons why something is not available."""
        return report if self._resolved is None else explain(report, self._resolved)


class Verifier:
    """Verifies credentials and presentations.

    What anybody sends runs in worker processes with limits of CPU time and memory, from its first byte on; credentials
    of our own (`verify_stored`) run in threads of the service and never wait for a worker. Whatever passes a limit ends
    in a report whose checks are unknown, and is remembered: sent again, it costs nothing.
    """

    def __init__(
        self,
        source: MaterialSource,
        clock: Callable[[], datetime],
        *,
        own: Runner,
        strangers: Runner,
        poison: KnownPoison,
        conformance: bool = False,
    ) -> None:
        """Take what is needed.

        Args:
            source: where keys and status lists are looked up.
            clock: returns the current time.
            own: runs the verification of what is stored here.
            strangers: runs the verification of what anybody sends.
            poison: what was too costly before.
            conformance: read contexts written into documents, for conformance suites alone.
        """
        self._source = source
        self._clock = clock
        self._own = own
        self._strangers = strangers
        self._profile = CONFORMANCE if conformance else PRODUCTION
        self._poison = poison

    async def verify(self, document: bytes, *, counted: bool = True) -> Report:
        """Verify a credential that a stranger sent: JSON, a compact JWT, or a PNG, SVG or PDF file that holds either.

        Args:
            document: as it came, whole and unread.
            counted: whether it stands in the metrics of verifying.

        Raises:
            UnavailableError: more is waiting than can be done in reasonable time.
        """
        _, report = await self.run_credential(credential_job, document, None, counted=counted)
        return report

    async def verify_stored(self, stored: StoredCredential, recipient: Recipient | None = None) -> Report:
        """Verify a credential of ours, with what its issuer told us of its state; even before the status list says so.

        Raises:
            UnavailableError: more is waiting than can be done in reasonable time.
        """
        conversation = Conversation(self._source, {stored.id: stored.text})
        conversation.told = Submission(badge_id=stored.id, recipient=recipient)
        return as_told(stored, await self._verify(self._own, conversation, credential_job, stored.text, recipient))

    async def run_credential(
        self, job: Callable[..., Job[Report]], *sent: str | bytes | None, counted: bool = True
    ) -> tuple[Any, Report]:
        """Run a job that verifies a credential that a stranger sent.

        Args:
            job: takes what was sent, the moment and the profile.
            sent: as it came.
            counted: whether it stands in the metrics of verifying.

        Returns:
            What the job told before it verified, None where it was ended before that; and its report.

        Raises:
            BowerbirdError: the job refused what was sent; or more is waiting than can be done in reasonable time.
        """
        key = self._poison.key(job.__name__, sent)
        known = self._poison.find(key)
        if known is not None and isinstance(known.report, Report):
            metrics.REMEMBERED.inc()
            return known.told, known.report
        conversation = Conversation(self._source)
        report = await self._verify(self._strangers, conversation, job, *sent, counted=counted)
        self._poison.remember(key, conversation.told, report, given_up("too_costly", self._clock(), conversation.told))
        return conversation.told, report

    async def run_presentation(
        self, job: Callable[..., Job[PresentationReport]], *sent: str | bytes | None
    ) -> tuple[Any, PresentationReport]:
        """Run a job that verifies a presentation that a stranger sent; see `run_credential`."""
        key = self._poison.key(job.__name__, sent)
        known = self._poison.find(key)
        if known is not None and isinstance(known.report, PresentationReport):
            metrics.REMEMBERED.inc()
            return known.told, known.report
        conversation = Conversation(self._source)
        try:
            report = await self._strangers.run(job, *sent, self._clock(), self._profile, answer=conversation.answer)
            report = replace(report, credentials=tuple(conversation.explain(one) for one in report.credentials))
        except JobEndedError as error:
            report = _presentation_given_up(error.end, self._clock())
        self._poison.remember(key, conversation.told, report, _presentation_given_up("too_costly", self._clock()))
        return conversation.told, report

    async def _verify(
        self,
        runner: Runner,
        conversation: Conversation,
        job: Callable[..., Job[Report]],
        *sent: object,
        counted: bool = True,
    ) -> Report:
        started = monotonic()
        try:
            report = await runner.run(job, *sent, self._clock(), self._profile, answer=conversation.answer)
            report = conversation.explain(report)
        except JobEndedError as error:
            report = given_up(error.end, self._clock(), conversation.told)
        if counted:
            metrics.observe(report, monotonic() - started)
        return report


def given_up(end: End, now: datetime, told: object = None) -> Report:
    """Return the report on a credential whose job was ended; `told` is what that had told."""
    names = (*CHECKS, RECIPIENT) if isinstance(told, Submission) and told.recipient is not None else CHECKS
    return Report(unknown(names, end, _ENDED[end], now), None)


def unknown(names: Sequence[str], code: str, message: str, now: datetime) -> tuple[Check, ...]:
    """Return checks that are all unknown for one reason."""
    return tuple(Check(name, "unknown", code, message, now) for name in names)


def as_told(stored: StoredCredential, report: Report) -> Report:
    """Return the report on a credential of ours with what its issuer told us of its state."""
    if stored.revoked_at is None:
        return report
    told = Check("status", "fail", "revoked", "The issuer has revoked it.", stored.revoked_at)
    return replace(report, checks=tuple(told if check.name == "status" else check for check in report.checks))


def _presentation_given_up(end: End, now: datetime) -> PresentationReport:
    return PresentationReport(unknown(PRESENTATION_CHECKS, end, _ENDED[end], now), (), None)
