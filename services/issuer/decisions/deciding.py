"""Deciding evidence and signing what it earns, in memory: steps 2 to 4 of docs/issuance.md."""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

from libs.common.failpoints import failpoint
from libs.contracts.events import AchievementPublished, EvidenceSubmitted, IssuerPublished, Outcome
from libs.contracts.ids import Ids
from libs.openbadges.model.errors import CredentialError
from services.issuer.credentials.award import NewAward
from services.issuer.credentials.credential import Credential
from services.issuer.credentials.hindrance import Hindrance, Pair
from services.issuer.credentials.repository import CredentialStore
from services.issuer.decision_ids import DecisionId
from services.issuer.decisions.claims import award_evidence, holding_of
from services.issuer.decisions.context import DecisionContext, Replaceable, RuleOutcome, stacking_of
from services.issuer.decisions.counting import needed
from services.issuer.decisions.decision import Changes, Decision, Reason
from services.issuer.decisions.kept import Kept
from services.issuer.decisions.ports import AchievementCatalogue, Signer, StatusEntries
from services.issuer.decisions.repository import DecisionStore
from services.issuer.decisions.rules import decide
from services.issuer.decisions.superseding import superseding
from services.issuer.status.entry import StatusEntry

# So many credentials are written and signed together, some 10 ms; then the rest of the process (heartbeats to Kafka,
# HTTP) runs.
_TOGETHER = 32
_NONE: Final[Mapping[Pair, Reason]] = {}


class Signed(NamedTuple):
    """What became of awards that were to be signed.

    Attributes:
        credentials: to be stored, by their ids.
        refused: the submissions of which no credential can be written.
        hindered: the achievements of issuers of which none can, and why.
    """

    credentials: dict[UUID, Credential]
    refused: set[UUID]
    hindered: dict[Pair, Reason]


class Decided(NamedTuple):
    """What is to be stored of some pieces.

    Attributes:
        decisions: by submission id.
        credentials: by their ids.
        kept: the evidence that is kept to count together, where it is to be stored.
        changes: what of what is stored changes with it.
    """

    decisions: dict[UUID, Decision]
    credentials: dict[UUID, Credential]
    kept: list[Kept]
    changes: Changes


class Deciding:
    """Decides by what is recorded and published, and signs."""

    def __init__(
        self,
        *,
        ids: Ids,
        decisions: DecisionStore,
        credentials: CredentialStore,
        catalogue: AchievementCatalogue,
        signer: Signer,
        entries: StatusEntries,
        clock: Callable[[], datetime],
        longest_waits: Mapping[Reason, timedelta],
    ) -> None:
        self._ids = ids
        self._decisions = decisions
        self._credentials = credentials
        self._catalogue = catalogue
        self._signer = signer
        self._entries = entries
        self._clock = clock
        self._longest_waits = longest_waits

    async def hindrances(
        self, pairs: Iterable[Pair], issuers: dict[str, IssuerPublished], versions: Mapping[Pair, AchievementPublished]
    ) -> dict[Pair, Reason]:
        """Return for which of these nothing can be signed, whatever the evidence says, and why."""
        unreadable = self._catalogue.unreadable((each for each in pairs if each not in versions), issuers)
        found = {**unreadable, **await self._signer.hindrances(versions, issuers)}
        return {pair: Reason(each.value) for pair, each in found.items()}

    async def decide(
        self, pieces: Sequence[EvidenceSubmitted], newest: Mapping[UUID, Decision], overdue: Collection[UUID]
    ) -> Decided:
        """Steps 2 to 4; a piece that no credential can be written of is refused, and the rest decided again."""
        at = self._clock()
        unwritable: set[UUID] = set()
        parked: dict[Pair, Reason] = {}
        while True:
            issuers, context = await self.context(pieces, newest, unwritable, overdue, parked)  # 2
            failpoint("issuer.award.2")
            outcomes = await _decided(pieces, context)  # 3
            failpoint("issuer.award.3")
            signed = await self.sign(outcomes, newest, issuers, at)  # 4
            failpoint("issuer.award.4")
            if not signed.refused and not signed.hindered:
                break
            unwritable |= signed.refused
            parked |= signed.hindered
        decisions = {
            each.evidence.submission_id: each.decision(_next(each.evidence, newest), at, self._until(each, at))
            for each in outcomes
            # A piece that goes on waiting for the same keeps the decision that it has.
            if each.outcome is not Outcome.WAITING
            or (before := newest.get(each.evidence.submission_id)) is None
            or before.reason is not each.reason
        }
        kept = [context.kept[each] for each in context.changed]
        changes = Changes(frozenset(context.disowned), superseding(outcomes, at))
        return Decided(decisions, signed.credentials, kept, changes)

    def _until(self, outcome: RuleOutcome, at: datetime) -> datetime | None:
        """Return until when the piece may wait, None where that does not matter."""
        longest = None if outcome.reason is None else self._longest_waits.get(outcome.reason)
        return None if longest is None else at + longest

    async def context(
        self,
        pieces: Sequence[EvidenceSubmitted],
        newest: Mapping[UUID, Decision],
        unwritable: Collection[UUID] = (),
        overdue: Collection[UUID] = (),
        parked: Mapping[Pair, Reason] = _NONE,
    ) -> tuple[dict[str, IssuerPublished], DecisionContext]:
        """Step 2: return the issuers of these pieces, and all that a decision on them depends on."""
        names = {each.issuer_id for each in pieces}
        issuers = await self._catalogue.issuers(names)
        pairs = {(each.issuer_id, each.achievement) for each in pieces}
        achievements = await self._catalogue.resolve(pairs, issuers)
        holdings = {
            holding_of(each, achievement, self._ids)
            for each in pieces
            if (achievement := achievements.get((each.issuer_id, each.achievement))) is not None
        }
        superseded = await self._superseded({each.supersedes for each in pieces if each.supersedes is not None})
        holdings |= {each.holding_id for each in superseded.values()}
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
            recorded={submission_id: each.sequence for submission_id, each in newest.items()},
            superseded=superseded,
        )
        return issuers, context

    async def _superseded(self, credential_ids: Collection[UUID]) -> dict[UUID, Replaceable]:
        """Return those of these credentials that are here, in whose place others are to be awarded."""
        if not credential_ids:
            return {}
        found = await self._credentials.by_ids(credential_ids)
        named = {key: each.revocation.successor_id for key, each in found.items() if each.revocation is not None}
        here = await self._credentials.by_ids(each for each in named.values() if each is not None)
        return {key: Replaceable.of(each, has_successor=named.get(key) in here) for key, each in found.items()}

    async def sign(
        self,
        outcomes: Sequence[RuleOutcome],
        newest: Mapping[UUID, Decision],
        issuers: dict[str, IssuerPublished],
        at: datetime,
    ) -> Signed:
        """Step 4: return the credentials of these outcomes, each issued by the next decision on its piece."""
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
        return Signed(credentials, refused, hindered)


async def _decided(pieces: Sequence[EvidenceSubmitted], context: DecisionContext) -> list[RuleOutcome]:
    """Decide each in its order; where rules have a part in it, one may take some ms, and others run between them."""
    if not context.has_rules:
        return decide(pieces, context)
    outcomes: list[RuleOutcome] = []
    for each in pieces:
        outcomes += decide([each], context)
        await asyncio.sleep(0)
    return outcomes


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
        supersedes=award.supersedes,
    )
