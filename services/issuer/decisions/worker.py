"""From evidence to decision, credential and announcement: the numbered steps of docs/issuance.md."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from libs.audit.entry import Action, AuditWriter, Cause, Entry
from libs.common.failpoints import failpoint
from libs.common.telemetry import trace_id
from libs.contracts.cloudevents import Outgoing, Received
from libs.contracts.events import EvidenceSubmitted, Outcome
from libs.contracts.ids import Ids
from services.issuer.credentials.announcements import Announcer
from services.issuer.credentials.credential import Credential
from services.issuer.credentials.metrics import REVOCATIONS
from services.issuer.credentials.repository import CredentialStore
from services.issuer.decision_ids import PieceId
from services.issuer.decisions import metrics
from services.issuer.decisions.announcements import announcement
from services.issuer.decisions.deciding import Decided, Deciding
from services.issuer.decisions.decision import Decision, Reason, Waiting
from services.issuer.decisions.ports import AchievementCatalogue, Reconsidered, Signer, StatusEntries
from services.issuer.decisions.published import PublishedHistory
from services.issuer.decisions.repository import DecisionStore
from services.issuer.decisions.superseding import Superseding, superseding_entries

# Losing against another worker means that its decisions are there to be read; losing so often is a defect.
_ATTEMPTS = 10
_PAUSE_SECONDS = 0.02


class DecidingStuckError(Exception):
    """A batch could not be recorded although nobody else was at it."""


class Awarding:
    """Decides evidence and issues what it earns: the handler of `evidence.submitted`, and the way of what waited."""

    def __init__(
        self,
        *,
        ids: Ids,
        decisions: DecisionStore,
        history: PublishedHistory,
        credentials: CredentialStore,
        catalogue: AchievementCatalogue,
        signer: Signer,
        entries: StatusEntries,
        announcer: Announcer,
        superseding: Superseding,
        audit: AuditWriter,
        publish: Callable[[Sequence[Outgoing]], Awaitable[None]],
        clock: Callable[[], datetime],
        longest_wait: timedelta,
        longest_suspended: timedelta,
    ) -> None:
        self._decisions = decisions
        self._history = history
        self._credentials = credentials
        self._announcer = announcer
        self._superseding = superseding
        self._audit = audit
        self._publish = publish
        self._clock = clock
        self.deciding = Deciding(
            ids=ids,
            decisions=decisions,
            credentials=credentials,
            catalogue=catalogue,
            signer=signer,
            entries=entries,
            clock=clock,
            longest_waits={
                Reason.UNKNOWN_ISSUER: longest_wait,
                Reason.UNKNOWN_ACHIEVEMENT: longest_wait,
                Reason.ISSUER_SUSPENDED: longest_suspended,
            },
        )

    async def handle(self, batch: Sequence[Received[EvidenceSubmitted]]) -> Sequence[Outgoing]:
        """Decide, issue, record and announce; return what has changed since it was announced.

        1. Presume that none of these submissions is decided. Where 5 is refused, read which are: those are only
           announced again.
        2. Read what is known: issuers, achievements, whose each piece of evidence is, what each learner holds.
        3. Decide the others in their order, in memory.
        4. Allocate entries in status lists that are announced; prepare and sign every credential.
        5. Record in the audit log what was signed, then all decisions and credentials of the batch in one transaction.
           If any of it is recorded already, by another worker or before a crash: from 1. (What an attempt signed that
           was not recorded stays in the log.)
        6. Publish the announcements, made from what is recorded; look again, and return the documents of credentials
           that were revoked or taken down meanwhile. (The loop publishes those, waits for every confirmation, and
           commits.)

        Raises:
            DecidingStuckError: the database refuses to record, and nothing recorded explains why.
        """
        outgoing: list[Outgoing] = []
        for some in _superseding_first(batch):
            traces = {each.event.submission_id: each.trace for each in some if each.event is not None}
            evidence = {each.event.submission_id: each.event for each in some if each.event is not None}
            decisions, issued = await self._settle(evidence, traces, (), _is_undecided, newest={})
            outgoing += await self.announce(decisions, issued, traces)
        return outgoing

    async def reconsider(self, waiting: Sequence[Waiting], now: datetime) -> Reconsidered:
        """Decide waiting evidence anew by the same steps, publish, and return what became of it.

        A piece that was decided before, by another process or before a crash, is announced again.
        """
        newest = await self._decisions.newest(each.piece for each in waiting)
        by_piece = {decision.decision_id.piece: submission_id for submission_id, decision in newest.items()}
        traces = {by_piece[each.piece]: each.trace for each in waiting}
        overdue = {by_piece[each.piece] for each in waiting if each.until is not None and each.until <= now}
        evidence = {submission_id: newest[submission_id].evidence for submission_id in traces}
        decisions, issued = await self._settle(evidence, traces, overdue, _is_waiting, newest=newest)
        before = {by_piece[each.piece]: each.reason for each in waiting}
        changed = {
            key: each
            for key, each in decisions.items()
            if each.outcome is not Outcome.WAITING or each.reason is not before[key]
        }
        await self._publish(await self.announce(changed, issued, traces))
        waits = {key: each.waiting(traces[key]) for key, each in changed.items()}
        return Reconsidered(
            ended=[each.decision_id.piece for key, each in changed.items() if waits[key] is None],
            waiting=[each for each in waits.values() if each is not None],
        )

    async def _settle(
        self,
        evidence: Mapping[UUID, EvidenceSubmitted],
        traces: Mapping[UUID, str],
        overdue: Collection[UUID],
        is_open: Callable[[Decision | None], bool],
        *,
        newest: Mapping[UUID, Decision],
    ) -> tuple[dict[UUID, Decision], dict[UUID, Credential]]:
        """Steps 1 to 5: return the newest decision on each piece, and the credentials issued just now, by their ids.

        `is_open` says of a piece's newest decision whether it is to be decided (anew); `newest` is what is known or
        presumed of those decisions at first. What is wrong in it costs an attempt, since recording is refused.
        """
        for attempt in range(_ATTEMPTS):
            await pause(attempt)
            if attempt:
                newest = await self._decisions.newest(PieceId(each.batch_id, each.row) for each in evidence.values())
            failpoint("issuer.award.1")
            newest = await self._history.record(evidence, newest)
            pieces = [each for submission_id, each in evidence.items() if is_open(newest.get(submission_id))]
            if not pieces:
                return {each: newest[each] for each in evidence}, {}
            decided = await self.deciding.decide(pieces, newest, overdue)  # 2, 3, 4
            if await self.record(decided, traces):  # 5
                failpoint("issuer.award.5")
                return {each: decided.decisions.get(each) or newest[each] for each in evidence}, decided.credentials
            metrics.RECORD_CONFLICTS.inc()
        raise DecidingStuckError(f"{len(evidence)} submissions were refused {_ATTEMPTS} times")

    async def record(self, decided: Decided, traces: Mapping[UUID, str]) -> bool:
        """Step 5: return whether all of it is recorded; False where something stored forbids it."""
        decisions, credentials = list(decided.decisions.values()), list(decided.credentials.values())
        waiting = [each.waiting(traces[key]) for key, each in decided.decisions.items() if each.sequence == 1]
        revocations, trace = decided.changes.revocations, next(iter(traces.values()))
        entries = superseding_entries(decisions, revocations, trace)
        if credentials:
            entries = [_signed(credentials, traces), *entries]
        if entries:
            await self._audit.record(*entries)
        done = not decisions or await self._decisions.record(
            decisions, credentials, [each for each in waiting if each is not None], decided.kept, decided.changes
        )
        if done:
            _count(decisions, self._clock())
            REVOCATIONS.labels("revoked").inc(sum(each.successor_id is not None for each in revocations.values()))
        return done

    async def announce(
        self, decisions: Mapping[UUID, Decision], issued: Mapping[UUID, Credential], traces: Mapping[UUID, str]
    ) -> list[Outgoing]:
        """Publish what these decisions announce; return what has changed in the meantime and is to be published too.

        Credentials that are not among `issued` were issued in an earlier attempt and are read as they stand now.
        """
        named = {issued_id: submission_id for submission_id, each in decisions.items() for issued_id in each.issued_ids}
        earlier = [credential_id for credential_id in named if credential_id not in issued]
        credentials = {**await self._credentials.by_ids(earlier), **issued}
        withheld = [each.decision_id for each in credentials.values() if each.take_down is not None]
        if withheld:
            # Evidence that is read again brings its texts with it.
            await self._decisions.remove_texts(withheld)
        announcements: list[Outgoing] = []
        for submission_id, each in decisions.items():
            trace = traces[submission_id]
            for issued_id in each.issued_ids:
                announcements += self._announcer.of_issue(credentials[issued_id], trace)
            announcements.append(Outgoing(announcement(each), trace))
        # From the moment that it is recorded a credential can be revoked, so the revocation may be published before
        # these announcements are. Its topic is compacted and the revoked document must be the last: publish here, look
        # again, and let the loop publish what has changed (docs/adr/0005-the-consumer-pattern.md).
        with metrics.announcing(len(named)):
            await self._publish(announcements)
        failpoint("issuer.award.6")
        changed = [
            self._announcer.document(each, traces[named[each.credential_id]])
            for each in await self._credentials.revoked_of(named)
            if credentials[each.credential_id].state is not each.state
        ]
        return changed + await self._superseding.announce(decisions.values(), traces)


async def pause(attempt: int) -> None:
    """Wait before an attempt but the first: whoever was first is to end what it began."""
    if attempt:
        await asyncio.sleep(_PAUSE_SECONDS * random.uniform(0.5, 1.5) * attempt)  # noqa: S311  # jitter


def _superseding_first(
    batch: Sequence[Received[EvidenceSubmitted]],
) -> Iterator[Sequence[Received[EvidenceSubmitted]]]:
    """Cut a batch before each piece that is to take the place of a credential: that may be of a piece before it.

    So what it ends is stored, and announced, however the records were cut into batches.
    """
    start = 0
    for number, each in enumerate(batch):
        if number > start and each.event is not None and each.event.supersedes is not None:
            yield batch[start:number]
            start = number
    yield batch[start:]


def _is_undecided(newest: Decision | None) -> bool:
    return newest is None


def _is_waiting(newest: Decision | None) -> bool:
    return newest is not None and newest.outcome is Outcome.WAITING


def _signed(credentials: Collection[Credential], traces: Mapping[UUID, str]) -> Entry:
    """Return the entry of the audit log about what a batch signed; its trace is that of the first submission.

    It names every credential: a digest of the ids would prove nothing to whoever does not have all of the others.
    """
    by_issuer: dict[str, list[str]] = {}
    for each in credentials:
        by_issuer.setdefault(each.issuer_id, []).append(str(each.credential_id))
    return Entry(
        Action.CREDENTIALS_SIGNED,
        Cause.of_service("issuer", trace_id(next(iter(traces.values())))),
        tuple(sorted(by_issuer)),
        "credentials of a batch",
        reason="earned",
        details={
            "credentials": {issuer_id: len(ids) for issuer_id, ids in by_issuer.items()},
            "credential_ids": {issuer_id: " ".join(ids) for issuer_id, ids in by_issuer.items()},
        },
    )


def _count(decisions: Collection[Decision], now: datetime) -> None:
    counted = Counter((each.outcome, each.reason) for each in decisions)
    metrics.STACKED.inc(sum(len(each.stacked) for each in decisions))
    for (outcome, reason), count in counted.items():
        metrics.DECISIONS.labels(outcome.value, "none" if reason is None else reason.value).inc(count)
    for each in decisions:
        # What had to wait for its achievement says nothing of how fast we are.
        if each.sequence == 1 and each.outcome is not Outcome.WAITING:
            lane = metrics.LANES[each.evidence.bulk]
            metrics.DECISION_DELAY.labels(lane).observe(max(0.0, (now - each.evidence.received_at).total_seconds()))
