"""What evidence earns: a pure function of the evidence, in its order, and of what was decided before."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from libs.contracts.events import AchievementPublished, EvidenceSubmitted, Outcome
from libs.contracts.ids import Ids
from services.issuer.credentials.award import HeldAward, NewAward
from services.issuer.decision_ids import PieceId
from services.issuer.decisions.decision import PARKED, Decision, Reason

# Stands in every decision; raise it when a change of this file would decide the same evidence differently.
RULES_VERSION = "5"


class Owner(NamedTuple):
    """The submission that a piece of evidence was first taken from, and what it said."""

    submission_id: UUID
    digest: str


@dataclass(frozen=True, slots=True)
class DecisionContext:
    """What decisions depend on besides the evidence, as it stands before a batch.

    `decide` keeps `owners` and `holdings` up to date as it goes.

    Attributes:
        ids: derives the ids of holdings and credentials.
        issuers: the ids of issuers that are known.
        achievements: by issuer and the achievement's id as the evidence has it, the version that decides now.
        owners: by evidence id.
        holdings: by holding id (`libs.contracts.ids`), all awards ever made, the revoked ones too.
        suspended: the ids of issuers that may issue nothing for the time being.
        hindrances: by issuer and achievement as the evidence has it, why nothing can be signed, whatever it says.
        unwritable: submissions that no valid credential can be written of (a link that is no IRI).
        overdue: submissions that may wait no longer.
        never_waits: reasons for which nothing may wait.
    """

    ids: Ids
    issuers: Collection[str]
    achievements: Mapping[tuple[str, str], AchievementPublished]
    owners: dict[UUID, Owner]
    holdings: dict[UUID, list[HeldAward]]
    suspended: Collection[str] = ()
    hindrances: Mapping[tuple[str, str], Reason] = field(default_factory=dict)
    unwritable: Collection[UUID] = ()
    overdue: Collection[UUID] = ()
    never_waits: Collection[Reason] = ()


class RuleOutcome(NamedTuple):
    """What one piece of evidence earns.

    Attributes:
        achievement: the version whose rule decided; None where it did not come to that.
        credential_id: the credential to issue, or the one that is held already.
        owns_evidence: whether its source id now stands for this submission. What was refused or waits can be sent again
            under the same source id, with its fault corrected.
        award: what is to be issued, where it is.
        issued_at: of a piece whose credential was issued before its decision was lost: when that was.
    """

    evidence: EvidenceSubmitted
    outcome: Outcome
    reason: Reason | None = None
    achievement: AchievementPublished | None = None
    credential_id: UUID | None = None
    owns_evidence: bool = False
    award: NewAward | None = None
    issued_at: datetime | None = None

    @property
    def rule_version(self) -> str:
        """Return which rule decided: the version of this module, and of the achievement where one was asked."""
        rules = f"rules {RULES_VERSION}"
        return rules if self.achievement is None else f"{self.achievement.version_key}, {rules}"

    def decision(self, sequence: int, at: datetime, waits_until: datetime | None) -> Decision:
        """Return the decision to keep; `waits_until` matters where it is to wait."""
        return Decision(
            evidence=self.evidence,
            sequence=sequence,
            outcome=self.outcome,
            reason=self.reason,
            achievement=None if self.achievement is None else self.achievement.version_key,
            rule_version=self.rule_version,
            credential_id=self.credential_id,
            owns_evidence=self.owns_evidence,
            waits_until=waits_until if self.outcome is Outcome.WAITING else None,
            decided_at=self.issued_at or at,
        )


def achievement_key(achievement: AchievementPublished) -> str:
    """OWNER/ID: the achievement whatever its version."""
    return f"{achievement.owner}/{achievement.achievement_id}"


def award_evidence(achievement: AchievementPublished, evidence: EvidenceSubmitted) -> UUID | None:
    """Return the evidence as a part of the business key: only a repeatable achievement is awarded once per piece."""
    return evidence.evidence_id if achievement.repeatable else None


def holding_of(evidence: EvidenceSubmitted, achievement: AchievementPublished, ids: Ids) -> UUID:
    """Return the id of the holding that decides whether the evidence earns the achievement again."""
    piece = award_evidence(achievement, evidence)
    return ids.holding_id(evidence.learner_id, achievement_key(achievement), piece)


def decide(batch: Sequence[EvidenceSubmitted], context: DecisionContext) -> list[RuleOutcome]:
    """Decide each piece in its order. Each submission stands in the batch once, and none is decided yet."""
    return [_decide_one(evidence, context) for evidence in batch]


def _decide_one(evidence: EvidenceSubmitted, context: DecisionContext) -> RuleOutcome:
    achievement = context.achievements.get((evidence.issuer_id, evidence.achievement))
    issued = None if achievement is None else _issued_before(evidence, achievement, context)
    if issued is not None:
        return issued
    refusal = _refuse(evidence, achievement, context)
    if refusal is not None:
        return refusal
    assert achievement is not None, "an unknown one waits or is refused"  # noqa: S101  # what `_refuse` promises
    context.owners[evidence.evidence_id] = Owner(evidence.submission_id, evidence.digest)
    shortfall = _shortfall(evidence, achievement)
    if shortfall is not None:
        return RuleOutcome(evidence, Outcome.NOT_YET, shortfall, achievement, owns_evidence=True)
    return _award(evidence, achievement, context)


def _issued_before(
    evidence: EvidenceSubmitted, achievement: AchievementPublished, context: DecisionContext
) -> RuleOutcome | None:
    """Return the decision that issued a credential for this very piece, where the credential is here without it.

    The database was set back and took the credential up from what was published. What was published holds, whatever
    the achievement asks by now and whether or not it was revoked since.
    """
    owner = context.owners.get(evidence.evidence_id)
    if owner is not None and owner.submission_id != evidence.submission_id:
        return None
    piece = PieceId(evidence.batch_id, evidence.row)
    for held in context.holdings.get(holding_of(evidence, achievement, context.ids), ()):
        if held.piece == piece:
            context.owners[evidence.evidence_id] = Owner(evidence.submission_id, evidence.digest)
            issued = RuleOutcome(evidence, Outcome.ISSUED, None, achievement, held.credential_id, owns_evidence=True)
            return issued._replace(issued_at=held.issued_at)
    return None


def _refuse(
    evidence: EvidenceSubmitted, achievement: AchievementPublished | None, context: DecisionContext
) -> RuleOutcome | None:
    """Return why it does not come to be measured, None where it does.

    Its issuer or achievement is not known (yet), it was sent before, it asks for the impossible, its issuer is
    suspended, or nothing can be signed: these come last, so that what waits for them lacks nothing else.
    """
    owner = context.owners.get(evidence.evidence_id)
    hindrance = context.hindrances.get((evidence.issuer_id, evidence.achievement))
    reason = None
    if evidence.issuer_id not in context.issuers:
        return _waiting(evidence, hindrance or Reason.UNKNOWN_ISSUER, context)
    if owner is not None and owner.submission_id != evidence.submission_id:
        if owner.digest == evidence.digest:
            return RuleOutcome(evidence, Outcome.DUPLICATE, Reason.SENT_BEFORE)
        reason = Reason.SOURCE_ID_REUSED
    elif achievement is None:
        return _waiting(evidence, hindrance or Reason.UNKNOWN_ACHIEVEMENT, context)
    elif evidence.submission_id in context.unwritable:
        reason = Reason.CANNOT_BE_WRITTEN
    else:
        reason = _mismatch(evidence, achievement)
        if reason is None and evidence.issuer_id in context.suspended:
            return _waiting(evidence, Reason.ISSUER_SUSPENDED, context)
        if reason is None and hindrance is not None:
            return _waiting(evidence, hindrance, context)
    return None if reason is None else RuleOutcome(evidence, Outcome.REFUSED, reason, achievement)


def _waiting(evidence: EvidenceSubmitted, reason: Reason, context: DecisionContext) -> RuleOutcome:
    """Return that it waits, or is refused where it has waited long enough for what its sender can see to."""
    overdue = evidence.submission_id in context.overdue or reason in context.never_waits
    if reason in PARKED:
        overdue = False
    return RuleOutcome(evidence, Outcome.REFUSED if overdue else Outcome.WAITING, reason)


def _mismatch(evidence: EvidenceSubmitted, achievement: AchievementPublished) -> Reason | None:
    """Return that a level was given where the achievement asks for a score alone, or the other way round."""
    by_level, by_score = achievement.required_level is not None, achievement.required_score is not None
    if evidence.result.level is not None:
        return Reason.SCORE_NEEDED if by_score and not by_level else None
    return Reason.LEVEL_NEEDED if by_level and not by_score else None


def _shortfall(evidence: EvidenceSubmitted, achievement: AchievementPublished) -> Reason | None:
    """Return what the result lacks to earn the achievement, whatever is held already."""
    level, score = evidence.result.level, evidence.result.score
    if level is not None and achievement.required_level is not None:
        return Reason.BELOW_REQUIRED_LEVEL if level.rank < achievement.required_level.rank else None
    if score is not None and achievement.required_score is not None:
        return Reason.BELOW_REQUIRED_SCORE if score < achievement.required_score else None
    return None


def _award(evidence: EvidenceSubmitted, achievement: AchievementPublished, context: DecisionContext) -> RuleOutcome:
    key, level = achievement_key(achievement), evidence.result.level
    piece = award_evidence(achievement, evidence)
    holding = holding_of(evidence, achievement, context.ids)
    awards = context.holdings.setdefault(holding, [])
    same = [award for award in awards if award.level == level and award.evidence_id == piece]
    held = next((award for award in same if award.active), None)
    reason = Reason.ALREADY_AWARDED
    if held is None and level is not None and piece is None:
        reason = Reason.HIGHER_LEVEL_HELD
        held = next((a for a in awards if a.active and a.level is not None and a.level.rank > level.rank), None)
    if held is not None:
        return RuleOutcome(evidence, Outcome.DUPLICATE, reason, achievement, held.credential_id, owns_evidence=True)
    credential_id = context.ids.credential_id(evidence.learner_id, key, level, evidence=piece, number=len(same))
    awards.append(HeldAward(credential_id, level, active=True, evidence_id=piece))
    award = NewAward(evidence, achievement, credential_id, holding)
    return RuleOutcome(evidence, Outcome.ISSUED, None, achievement, credential_id, owns_evidence=True, award=award)
