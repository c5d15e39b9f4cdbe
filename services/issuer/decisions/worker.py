"""From evidence to decision, credential and announcement: the numbered steps of docs/issuance.md."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from libs.audit.entry import Action, AuditWriter, Cause, Entry
from libs.common.failpoints import failpoint
from libs.common.telemetry import trace_id
from libs.contracts.cloudevents import Outgoing, Received
from libs.contracts.events import AchievementPublished, EvidenceSubmitted, IssuerPublished, Outcome
from libs.contracts.ids import Ids
from libs.openbadges.model.errors import CredentialError
from services.issuer.credentials.announcements import Announcer
from services.issuer.credentials.award import NewAward
from services.issuer.credentials.credential import Credential
from services.issuer.credentials.hindrance import Hindrance, Pair
from services.issuer.credentials.repository import CredentialStore
from services.issuer.decision_ids import DecisionId, PieceId
from services.issuer.decisions import metrics
from services.issuer.decisions.announcements import announcement
from services.issuer.decisions.claims import award_evidence, holding_of
from services.issuer.decisions.context import DecisionContext, RuleOutcome, stacking_of
from services.issuer.decisions.counting import needed
from services.issuer.decisions.decision import Decision, Reason, Waiting
from services.issuer.decisions.kept import Kept
from services.issuer.decisions.ports import AchievementCatalogue, Reconsidered, Signer, StatusEntries
from services.issuer.decisions.published import PublishedHistory
from services.issuer.decisions.repository import DecisionStore
from services.issuer.decisions.rules import decide
from services.issuer.status.entry import StatusEntry

# Losing against another worker means that its decisions are there to be read; losing so often is a defect.
_ATTEMPTS = 10
_PAUSE_SECONDS = 0.02
# So many credentials are written and signed together, some 10 ms; then the rest of the process (heartbeats to Kafka,
# HTTP) runs.
_TOGETHER = 32


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
        audit: AuditWriter,
        publish: Callable[[Sequence[Outgoing]], Awaitable[None]],
        clock: Callable[[], datetime],
        longest_wait: timedelta,
        longest_suspended: timedelta,
    ) -> None:
        self._ids = ids
        self._decisions = decisions
        self._history = history
        self._credentials = credentials
        self._catalogue = catalogue
        self._signer = signer
        self._entries = entries
        self._announcer = announcer
        self._audit = audit
        self._publish = publish
        self._clock = clock
        self._longest_waits = {
            Reason.UNKNOWN_ISSUER: longest_wait,
            Reason.UNKNOWN_ACHIEVEMENT: longest_wait,
            Reason.ISSUER_SUSPENDED: longest_suspended,
        }

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
        traces = {each.event.submission_id: each.trace for each in batch if each.event is not None}
        evidence = {each.event.submission_id: each.event for each in batch if each.event is not None}
        decisions, issued = await self._settle(evidence, traces, (), _is_undecided, newest={})
        return await self._announce(decisions, issued, traces)

    async def hindrances(
        self, pairs: Iterable[Pair], issuers: dict[str, IssuerPublished], versions: Mapping[Pair, AchievementPublished]
    ) -> dict[Pair, Reason]:
        """Return for which of these nothing can be signed, whatever the evidence says, and why."""
        unreadable = self._catalogue.unreadable((each for each in pairs if each not in versions), issuers)
        found = {**unreadable, **await self._signer.hindrances(versions, issuers)}
        return {pair: Reason(each.value) for pair, each in found.items()}

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
        await self._publish(await self._announce(changed, issued, traces))
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
            if attempt:
                await asyncio.sleep(_PAUSE_SECONDS * random.uniform(0.5, 1.5) * attempt)  # noqa: S311  # jitter
                newest = await self._decisions.newest(PieceId(each.batch_id, each.row) for each in evidence.values())
            failpoint("issuer.award.1")
            newest = await self._history.record(evidence, newest)
            pieces = [each for submission_id, each in evidence.items() if is_open(newest.get(submission_id))]
            # 2, 3, 4
            decided, credentials, kept = await self._decide(pieces, newest, overdue) if pieces else ({}, {}, [])
            waiting = [each.waiting(traces[key]) for key, each in decided.items() if each.sequence == 1]
            if credentials:
                await self._audit.record(_signed(credentials.values(), traces))  # 5
            if not decided or await self._decisions.record(
                list(decided.values()), list(credentials.values()), [each for each in waiting if each is not None], kept
            ):
                failpoint("issuer.award.5")
                _count(decided.values(), self._clock())
                return {each: decided.get(each) or newest[each] for each in evidence}, credentials
            metrics.RECORD_CONFLICTS.inc()
        raise DecidingStuckError(f"{len(evidence)} submissions were refused {_ATTEMPTS} times")

    async def _decide(
        self, pieces: Sequence[EvidenceSubmitted], newest: Mapping[UUID, Decision], overdue: Collection[UUID]
    ) -> tuple[dict[UUID, Decision], dict[UUID, Credential], list[Kept]]:
        """Steps 2 to 4; a piece that no credential can be written of is refused, and the rest decided again."""
        at = self._clock()
        unwritable: set[UUID] = set()
        parked: dict[Pair, Reason] = {}
        while True:
            issuers, context = await self._context(pieces, unwritable, overdue, parked)  # 2
            failpoint("issuer.award.2")
            outcomes = await _decided(pieces, context)  # 3
            failpoint("issuer.award.3")
            credentials, refused, hindered = await self._sign(outcomes, newest, issuers, at)  # 4
            failpoint("issuer.award.4")
            if not refused and not hindered:
                break
            unwritable |= refused
            parked |= hindered
        decisions = {
            each.evidence.submission_id: each.decision(_next(each.evidence, newest), at, self._until(each, at))
            for each in outcomes
            # A piece that goes on waiting for the same keeps the decision that it has.
            if each.outcome is not Outcome.WAITING
            or (before := newest.get(each.evidence.submission_id)) is None
            or before.reason is not each.reason
        }
        return decisions, credentials, [context.kept[each] for each in context.changed]

    def _until(self, outcome: RuleOutcome, at: datetime) -> datetime | None:
        """Return until when the piece may wait, None where that does not matter."""
        longest = None if outcome.reason is None else self._longest_waits.get(outcome.reason)
        return None if longest is None else at + longest

    async def _context(
        self,
        pieces: Sequence[EvidenceSubmitted],
        unwritable: set[UUID],
        overdue: Collection[UUID],
        parked: Mapping[Pair, Reason],
    ) -> tuple[dict[str, IssuerPublished], DecisionContext]:
        names = {each.issuer_id for each in pieces}
        issuers = await self._catalogue.issuers(names)
        pairs = {(each.issuer_id, each.achievement) for each in pieces}
        achievements = await self._catalogue.resolve(pairs, issuers)
        holdings = {
            holding_of(each, achievement, self._ids)
            for each in pieces
            if (achievement := achievements.get((each.issuer_id, each.achievement))) is not None
        }
        stacking = stacking_of(achievements)
        read = needed(pieces, achievements, stacking, self._ids)
        # Side by side: none needs another, and each waits for its turn in a busy process.
        suspended, hindrances, owners, held, kept = await asyncio.gather(
            self._catalogue.suspended(names),
            self.hindrances(pairs, issuers, achievements),
            self._decisions.owners(each.evidence_id for each in pieces),
            self._credentials.holdings(holdings | read.holdings),
            self._decisions.kept(read.kept),
        )
        context = DecisionContext(
            ids=self._ids,
            issuers=issuers.keys(),
            suspended=suspended,
            hindrances={**hindrances, **parked},
            achievements=achievements,
            owners=owners,
            holdings=held,
            unwritable=unwritable,
            overdue=overdue,
            never_waits={reason for reason, longest in self._longest_waits.items() if not longest},
            stacking=stacking,
            kept=kept,
        )
        return issuers, context

    async def _sign(
        self,
        outcomes: Sequence[RuleOutcome],
        newest: Mapping[UUID, Decision],
        issuers: dict[str, IssuerPublished],
        at: datetime,
    ) -> tuple[dict[UUID, Credential], set[UUID], dict[Pair, Reason]]:
        """Return the credentials to store by id.

        And the submissions that no credential can be written of; and the achievements of issuers of which none can.
        """
        awards = [award for each in outcomes for award in each.awards]
        entries = await self._entries.allocate(len(awards))
        failpoint("issuer.award.4.entries")
        credentials: dict[UUID, Credential] = {}
        refused: set[UUID] = set()
        hindered: dict[Pair, Reason] = {}
        listed = list(zip(awards, entries, strict=True))
        for start in range(0, len(listed), _TOGETHER):
            some = listed[start : start + _TOGETHER]
            for (award, entry), document in zip(some, await self._signer.credentials(some, issuers, at), strict=True):
                if isinstance(document, CredentialError):
                    refused.add(award.evidence.submission_id)
                elif isinstance(document, Hindrance):
                    hindered[award.evidence.issuer_id, award.achievement.achievement_id] = Reason(document.value)
                else:
                    credential = _credential(award, _next(award.evidence, newest), entry, document, at)
                    credentials[credential.credential_id] = credential
            await asyncio.sleep(0)
        return credentials, refused, hindered

    async def _announce(
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
        return [
            self._announcer.document(each, traces[named[each.credential_id]])
            for each in await self._credentials.revoked_of(named)
            if credentials[each.credential_id].state is not each.state
        ]


async def _decided(pieces: Sequence[EvidenceSubmitted], context: DecisionContext) -> list[RuleOutcome]:
    """Decide each in its order; where rules have a part in it, one may take some ms, and others run between them."""
    if not context.has_rules:
        return decide(pieces, context)
    outcomes: list[RuleOutcome] = []
    for each in pieces:
        outcomes += decide([each], context)
        await asyncio.sleep(0)
    return outcomes


def _is_undecided(newest: Decision | None) -> bool:
    return newest is None


def _is_waiting(newest: Decision | None) -> bool:
    return newest is not None and newest.outcome is Outcome.WAITING


def _next(evidence: EvidenceSubmitted, newest: Mapping[UUID, Decision]) -> int:
    """Return the sequence of the next decision on the piece."""
    before = newest.get(evidence.submission_id)
    return 1 if before is None else before.sequence + 1


def _credential(award: NewAward, sequence: int, entry: StatusEntry, document: str, at: datetime) -> Credential:
    evidence, achievement = award.evidence, award.achievement
    return Credential(
        credential_id=award.credential_id,
        issuer_id=evidence.issuer_id,
        learner_id=evidence.learner_id,
        holding_id=award.holding_id,
        achievement=achievement.version_key,
        level=None if award.result is None else award.result.level,
        evidence_id=award_evidence(achievement, evidence),
        decision_id=DecisionId(evidence.batch_id, evidence.row, sequence),
        status=entry,
        issued_at=at,
        document=document,
    )


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
    for (outcome, reason), count in counted.items():
        metrics.DECISIONS.labels(outcome.value, "none" if reason is None else reason.value).inc(count)
    for each in decisions:
        # What had to wait for its achievement says nothing of how fast we are.
        if each.sequence == 1 and each.outcome is not Outcome.WAITING:
            metrics.DECISION_DELAY.observe(max(0.0, (now - each.evidence.received_at).total_seconds()))
