"""From evidence to decision, credential and announcement: the numbered steps of docs/issuance.md, which argues each."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from libs.common.failpoints import failpoint
from libs.common.mongo import Document
from libs.contracts import ids
from libs.contracts.cloudevents import Outgoing, Received
from libs.contracts.events import AchievementPublished, EvidenceSubmitted, IssuerPublished, Outcome
from libs.openbadges.model.errors import CredentialError
from services.issuer import metrics
from services.issuer.credentials.announcements import Announcer, decided
from services.issuer.decisions.repository import ACTIVE, AwardStore
from services.issuer.decisions.rules import Decision, DecisionContext, achievement_key, award_evidence, decide
from services.issuer.status.lists import StatusEntry

# Losing against another worker means that its decisions are there to be read; losing so often is a defect.
_ATTEMPTS = 10
_PAUSE_SECONDS = 0.02
# So many credentials are written and signed together, some 10 ms; then the rest of the process (heartbeats to Kafka,
# HTTP) has its turn.
_TOGETHER = 32


class DecidingStuckError(Exception):
    """A batch could not be recorded although nobody else was at it."""


class AchievementCatalogue(Protocol):
    """Knows issuers, and which achievement versions they may award."""

    async def issuers(self, issuer_ids: Iterable[str]) -> dict[str, IssuerPublished]:
        """Those of these issuers that are known, each with its parent."""
        ...

    async def resolve(
        self, pairs: Iterable[tuple[str, str]], issuers: dict[str, IssuerPublished]
    ) -> dict[tuple[str, str], AchievementPublished]:
        """The achievement version that decides, for each (issuer, achievement id) that has one."""
        ...


class Signer(Protocol):
    """Writes and signs credentials."""

    async def open_keys(self, issuer_ids: set[str]) -> None:
        """Have these issuers' keys in memory."""
        ...

    async def credentials(
        self, awards: Sequence[tuple[Decision, StatusEntry]], issuers: dict[str, IssuerPublished], at: datetime
    ) -> list[str | CredentialError]:
        """The signed credential of each award, as JSON text, or why it cannot be written."""
        ...


class StatusEntries(Protocol):
    """Allocates entries of status lists."""

    async def allocate(self, issuer_id: str, count: int) -> list[StatusEntry]:
        """Return entries for `count` new credentials, in lists that are announced already."""
        ...


class Awarding:
    """The handler of `evidence.submitted`."""

    def __init__(
        self,
        *,
        store: AwardStore,
        catalogue: AchievementCatalogue,
        signer: Signer,
        entries: StatusEntries,
        announcer: Announcer,
        publish: Callable[[Sequence[Outgoing]], Awaitable[None]],
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._catalogue = catalogue
        self._signer = signer
        self._entries = entries
        self._announcer = announcer
        self._publish = publish
        self._clock = clock

    async def handle(self, batch: Sequence[Received[EvidenceSubmitted]]) -> Sequence[Outgoing]:
        """Decide, issue, record, and return what is to be announced.

        1. Read which of these submissions are decided already: those are only announced again.
        2. Read what is known: issuers, achievements, whose each piece of evidence is, what each learner holds.
        3. Decide the others in their order, in memory.
        4. Allocate entries in status lists that are announced; prepare and sign every credential.
        5. Record all decisions and credentials of the batch in one transaction. If another worker was first: from 1.
        6. Return the announcements, made from what is recorded. (The loop publishes them, waits, and commits.)

        Raises:
            DecidingStuckError: the database refuses to record, and nothing recorded explains why.
        """
        traces = {each.event.submission_id: each.trace for each in batch if each.event is not None}
        evidence = {each.event.submission_id: each.event for each in batch if each.event is not None}
        for attempt in range(_ATTEMPTS):
            recorded = await self._store.decisions(evidence)  # 1
            failpoint("issuer.award.1")
            fresh = [each for submission_id, each in evidence.items() if submission_id not in recorded]
            if not fresh:
                return await self._announce({each: recorded[each] for each in evidence}, {}, traces)
            decisions, credentials = await self._decide(fresh)  # 2, 3, 4
            if await self._store.record(list(decisions.values()), list(credentials.values())):  # 5
                failpoint("issuer.award.5")
                _count(decisions.values())
                in_order = {each: recorded.get(each) or decisions[each] for each in evidence}
                return await self._announce(in_order, credentials, traces)  # 6
            metrics.RECORD_CONFLICTS.inc()
            await asyncio.sleep(_PAUSE_SECONDS * random.uniform(0.5, 1.5) * (attempt + 1))  # noqa: S311  # jitter
        raise DecidingStuckError(f"{len(evidence)} submissions were refused {_ATTEMPTS} times")

    async def _decide(self, fresh: Sequence[EvidenceSubmitted]) -> tuple[dict[UUID, Document], dict[UUID, Document]]:
        """Steps 2 to 4; a piece that no credential can be written of is refused, and the rest decided again."""
        at = self._clock()
        unwritable: set[UUID] = set()
        while True:
            issuers, known = await self._known(fresh, unwritable)  # 2
            failpoint("issuer.award.2")
            decisions = decide(fresh, known)  # 3
            failpoint("issuer.award.3")
            credentials, refused = await self._sign(decisions, issuers, at)  # 4
            failpoint("issuer.award.4")
            if not refused:
                documents = {each.evidence.submission_id: decided(each, at) for each in decisions}
                return documents, credentials
            unwritable |= refused

    async def _known(
        self, fresh: Sequence[EvidenceSubmitted], unwritable: set[UUID]
    ) -> tuple[dict[str, IssuerPublished], DecisionContext]:
        issuers = await self._catalogue.issuers({each.issuer_id for each in fresh})
        pairs = {(each.issuer_id, each.achievement) for each in fresh}
        achievements = await self._catalogue.resolve(pairs, issuers)
        holdings = {
            ids.holding_id(each.learner_id, achievement_key(achievement))
            for each in fresh
            if (achievement := achievements.get((each.issuer_id, each.achievement))) is not None
        }
        known = DecisionContext(
            issuers=issuers.keys(),
            achievements=achievements,
            owners=await self._store.owners(each.evidence_id for each in fresh),
            holdings=await self._store.holdings(holdings),
            unwritable=unwritable,
        )
        return issuers, known

    async def _sign(
        self, decisions: Sequence[Decision], issuers: dict[str, IssuerPublished], at: datetime
    ) -> tuple[dict[UUID, Document], set[UUID]]:
        """The credentials to store by id, and the submissions that no credential can be written of."""
        awards = [each for each in decisions if each.outcome is Outcome.ISSUED]
        by_issuer: dict[str, list[Decision]] = {}
        for award in awards:
            by_issuer.setdefault(award.evidence.issuer_id, []).append(award)
        await self._signer.open_keys(set(by_issuer))
        allocated = await asyncio.gather(*(self._entries.allocate(issuer, len(of)) for issuer, of in by_issuer.items()))
        failpoint("issuer.award.4.entries")
        entries = {issuer: iter(each) for issuer, each in zip(by_issuer, allocated, strict=True)}
        credentials: dict[UUID, Document] = {}
        refused: set[UUID] = set()
        listed = [(award, next(entries[award.evidence.issuer_id])) for award in awards]
        for start in range(0, len(listed), _TOGETHER):
            some = listed[start : start + _TOGETHER]
            for (award, entry), document in zip(some, await self._signer.credentials(some, issuers, at), strict=True):
                if isinstance(document, CredentialError):
                    refused.add(award.evidence.submission_id)
                else:
                    stored = _credential(award, entry, document, at)
                    credentials[stored["_id"]] = stored
            await asyncio.sleep(0)
        return credentials, refused

    async def _announce(
        self, decisions: dict[UUID, Document], fresh: dict[UUID, Document], traces: dict[UUID, str]
    ) -> list[Outgoing]:
        """What is to be published; credentials that were issued in an earlier attempt are read as they stand now."""
        issued = [each["credential_id"] for each in decisions.values() if each["outcome"] == Outcome.ISSUED]
        earlier = [credential_id for credential_id in issued if credential_id not in fresh]
        credentials = {**await self._store.credentials(earlier), **fresh}
        announcements: list[Outgoing] = []
        for submission_id, each in decisions.items():
            credential = credentials[each["credential_id"]] if each["outcome"] == Outcome.ISSUED else None
            announcements += self._announcer.of_decision(each, credential, traces[submission_id])
        # From the moment that it is recorded a credential can be revoked, so the revocation may be published before
        # these announcements are. Its topic is compacted and the revoked document must be the last: publish here, look
        # again, and let the loop publish what has changed.
        await self._publish(announcements)
        failpoint("issuer.award.6")
        moved = [each for each in await self._store.revoked(issued) if credentials[each["_id"]]["state"] == ACTIVE]
        return [self._announcer.document(each, traces[each["submission_id"]]) for each in moved]


def _credential(award: Decision, entry: StatusEntry, document: str, at: datetime) -> Document:
    evidence, achievement = award.evidence, award.achievement
    assert achievement is not None, "an award has an achievement"  # noqa: S101  # what `decide` promises
    level = evidence.result.level
    return {
        "_id": award.credential_id,
        "schema": 1,
        "issuer_id": evidence.issuer_id,
        "learner_id": evidence.learner_id,
        "holding_id": award.holding_id,
        "achievement": achievement.version_key,
        "level": None if level is None else level.value,
        "evidence_id": award_evidence(achievement, evidence),
        "submission_id": evidence.submission_id,
        "status_list": entry.list_id,
        "status_index": entry.index,
        "state": ACTIVE,
        "issued_at": at,
        "document": document,
    }


def _count(decisions: Iterable[Document]) -> None:
    for each in decisions:
        metrics.DECISIONS.labels(each["outcome"], each["reason"] or "none").inc()
