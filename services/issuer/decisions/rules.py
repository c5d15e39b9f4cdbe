"""What evidence earns: a pure function of the evidence, in its order, and of what was decided before."""

from collections.abc import Sequence

from libs.contracts.events import AchievementPublished, Counted, EvidenceSubmitted, Outcome
from libs.contracts.rules import Condition, EvidenceCondition, Group, conditions, least_level
from services.issuer.credentials.award import NewAward
from services.issuer.decisions.claims import claim, holding_of
from services.issuer.decisions.context import DecisionContext, Owner, RuleOutcome
from services.issuer.decisions.counting import count, hindrance_above, recount, stack
from services.issuer.decisions.decision import PARKED, Reason


def decide(batch: Sequence[EvidenceSubmitted], context: DecisionContext) -> list[RuleOutcome]:
    """Decide each piece in its order. Each submission stands in the batch once, and none is decided yet."""
    return [_decide_one(evidence, context) for evidence in batch]


def _decide_one(evidence: EvidenceSubmitted, context: DecisionContext) -> RuleOutcome:
    achievement = context.achievements.get((evidence.issuer_id, evidence.achievement))
    issued = None if achievement is None else _issued_before(evidence, achievement, context)
    refusal = None if issued is not None else _refuse(evidence, achievement, context)
    if refusal is not None:
        return refusal
    assert achievement is not None, "an unknown one waits or is refused"  # noqa: S101  # what `_refuse` promises
    owner = context.owners.get(evidence.evidence_id)
    if owner is not None and owner.withdrawn and owner.decision_id is not None:
        context.disowned.add(owner.decision_id)
    context.owners[evidence.evidence_id] = Owner(evidence.submission_id, evidence.digest)
    outcome = _superseding(issued or _measure(evidence, achievement, context), context)
    return stack(outcome, [achievement.key_of_all_versions], context) if context.stacking else outcome


def _superseding(outcome: RuleOutcome, context: DecisionContext) -> RuleOutcome:
    """Return an outcome that ends the credential in whose place it issues one; from now on that is held no more."""
    asked = outcome.evidence.supersedes
    old = None if asked is None else context.superseded.get(asked)
    if asked is None or old is None or outcome.outcome is not Outcome.ISSUED or not old.active:
        return outcome
    context.superseded[asked] = old._replace(active=False, too_late=Reason.SUPERSEDED_BEFORE)
    held = context.holdings.get(old.holding_id, [])
    context.holdings[old.holding_id] = [
        each._replace(active=False) if each.credential_id == asked else each for each in held
    ]
    return outcome._replace(superseded=asked)


def _measure(evidence: EvidenceSubmitted, achievement: AchievementPublished, context: DecisionContext) -> RuleOutcome:
    """Return what a piece that lacks nothing else earns."""
    if achievement.rule is not None and evidence.by_hand is None:
        return count(evidence, achievement, context)
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
    for held in context.holdings.get(holding_of(evidence, achievement, context.ids), ()):
        if context.lost(held, evidence):
            issued = RuleOutcome(evidence, Outcome.ISSUED, None, achievement, held.credential_id, owns_evidence=True)
            if achievement.rule is not None and evidence.by_hand is not None:
                issued = issued._replace(counted=_as_by_rule(achievement.rule, evidence))
            elif achievement.rule is not None:
                issued = issued._replace(counted=recount(evidence, achievement, held, context))
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
    if owner is not None and owner.submission_id != evidence.submission_id and owner.digest == evidence.digest:
        if not owner.withdrawn:
            return RuleOutcome(evidence, Outcome.DUPLICATE, Reason.SENT_BEFORE)
        reason = Reason.WITHDRAWN_BEFORE
    elif owner is not None and owner.submission_id != evidence.submission_id and not owner.withdrawn:
        reason = Reason.SOURCE_ID_REUSED
    elif achievement is None:
        return _waiting(evidence, hindrance or Reason.UNKNOWN_ACHIEVEMENT, context)
    elif evidence.submission_id in context.unwritable:
        reason = Reason.CANNOT_BE_WRITTEN
    else:
        reason = _mismatch(evidence, achievement) or _irreplaceable(evidence, context)
        if reason is None and evidence.issuer_id in context.suspended:
            return _waiting(evidence, Reason.ISSUER_SUSPENDED, context)
        hindrance = hindrance or hindrance_above(evidence, achievement, context)
        if reason is None and hindrance is not None:
            return _waiting(evidence, hindrance, context)
    return None if reason is None else RuleOutcome(evidence, Outcome.REFUSED, reason, achievement)


def _irreplaceable(evidence: EvidenceSubmitted, context: DecisionContext) -> Reason | None:
    """Return why the credential that it is to take the place of cannot be replaced, None where it can, or is none."""
    if evidence.supersedes is None:
        return None
    old = context.superseded.get(evidence.supersedes)
    if old is None or (old.issuer_id, old.learner_id) != (evidence.issuer_id, evidence.learner_id):
        return Reason.SUPERSEDED_UNKNOWN
    return old.too_late


def _waiting(evidence: EvidenceSubmitted, reason: Reason, context: DecisionContext) -> RuleOutcome:
    """Return that it waits, or is refused where it has waited long enough for what its sender can see to."""
    overdue = evidence.submission_id in context.overdue or reason in context.never_waits
    if reason in PARKED:
        overdue = False
    return RuleOutcome(evidence, Outcome.REFUSED if overdue else Outcome.WAITING, reason)


def _mismatch(evidence: EvidenceSubmitted, achievement: AchievementPublished) -> Reason | None:
    """Return that a level was given where the achievement asks for a score alone, or the other way round."""
    if achievement.rule is not None:
        return _asks_for_other(achievement.rule, evidence)
    by_level, by_score = achievement.required_level is not None, achievement.required_score is not None
    if evidence.result.level is not None:
        return Reason.SCORE_NEEDED if by_score and not by_level else None
    return Reason.LEVEL_NEEDED if by_level and not by_score else None


def _shortfall(evidence: EvidenceSubmitted, achievement: AchievementPublished) -> Reason | None:
    """Return what the result lacks to earn the achievement, whatever is held already."""
    level, score = evidence.result.level, evidence.result.score
    required = achievement.least_level
    if level is not None and required is not None:
        return Reason.BELOW_REQUIRED_LEVEL if level.rank < required.rank else None
    if score is not None and achievement.required_score is not None:
        return Reason.BELOW_REQUIRED_SCORE if score < achievement.required_score else None
    return None


def _award(evidence: EvidenceSubmitted, achievement: AchievementPublished, context: DecisionContext) -> RuleOutcome:
    by_rule = None if achievement.rule is None else _as_by_rule(achievement.rule, evidence)
    level = evidence.result.level if by_rule is None else by_rule.level
    credential_id, reason = claim(evidence, achievement, level, context)
    if reason is not None:
        return RuleOutcome(evidence, Outcome.DUPLICATE, reason, achievement, credential_id, owns_evidence=True)
    holding = holding_of(evidence, achievement, context.ids)
    shown = evidence.result if by_rule is None or by_rule.level is not None else None
    award = NewAward(evidence, achievement, credential_id, holding, shown, supersedes=evidence.supersedes)
    issued = RuleOutcome(evidence, Outcome.ISSUED, None, achievement, credential_id, owns_evidence=True, award=award)
    return issued._replace(counted=by_rule)


def _as_by_rule(rule: Condition | Group, evidence: EvidenceSubmitted) -> Counted:
    """Return what an award by hand is made of, where the achievement has a rule: it says a level if that names one."""
    level = None if least_level(rule) is None else evidence.result.level
    return Counted(level=level, evidence=(evidence.evidence_id,))


def _asks_for_other(rule: Condition | Group, evidence: EvidenceSubmitted) -> Reason | None:
    """Return that no condition of a rule can ever count a level, or a score, where the piece has that."""
    asked = [each for _, each in conditions(rule) if isinstance(each, EvidenceCondition)]
    if evidence.result.level is None:
        return Reason.LEVEL_NEEDED if asked and all(each.level is not None for each in asked) else None
    return Reason.SCORE_NEEDED if asked and all(each.score is not None for each in asked) else None
