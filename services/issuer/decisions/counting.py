"""What evidence earns under a rule that counts it together with what came before, and what follows from an award.

The piece is kept, the rule is held against all that is kept and held, and what it comes to is awarded once. An award
may meet the rules of achievements that ask to hold it: those are awarded with it, and what follows from them too.
"""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from libs.contracts.events import AchievementPublished, Counted, EvidenceSubmitted, Outcome, StackedAward
from libs.contracts.ids import Ids
from libs.contracts.results import Result
from libs.contracts.rules import asked_for
from services.issuer.credentials.award import HeldAward, NewAward
from services.issuer.decisions.claims import claim
from services.issuer.decisions.context import DecisionContext, RuleOutcome, Stacking
from services.issuer.decisions.decision import Reason
from services.issuer.decisions.kept import Kept, KeptPiece
from services.issuer.rules.evaluation import Evaluation, evaluate
from services.issuer.rules.material import HeldCredential


class Needed(NamedTuple):
    """What is to be read to decide under rules: holdings, and of which of them the kept evidence."""

    holdings: set[UUID]
    kept: set[UUID]


def needed(
    pieces: Iterable[EvidenceSubmitted],
    achievements: Mapping[tuple[str, str], AchievementPublished],
    stacking: Stacking,
    ids: Ids,
) -> Needed:
    """Return what is to be read for these pieces; nothing where no rule has a part in them."""
    read = Needed(set(), set())
    if all(each.rule is None for each in achievements.values()):
        return read
    for evidence in pieces:
        version = achievements.get((evidence.issuer_id, evidence.achievement))
        for each in () if version is None else (version, *_above(evidence.issuer_id, version, stacking)):
            if each.rule is not None:
                read.kept.add(ids.holding_id(evidence.learner_id, each.key_of_all_versions))
                keys = (each.key_of_all_versions, *asked_for(each.rule))
                read.holdings.update(ids.holding_id(evidence.learner_id, key) for key in keys)
    return read


def hindrance_above(
    evidence: EvidenceSubmitted, achievement: AchievementPublished, context: DecisionContext
) -> Reason | None:
    """Return why nothing can be signed of an achievement that may follow from this one, None where it can."""
    for each in _above(evidence.issuer_id, achievement, context.stacking) if context.hindrances else ():
        found = context.hindrances.get((evidence.issuer_id, each.achievement_id))
        if found is not None:
            return found
    return None


def count(evidence: EvidenceSubmitted, achievement: AchievementPublished, context: DecisionContext) -> RuleOutcome:
    """Keep a piece whose achievement has a rule, and decide what it has come to."""
    kept = keep(evidence, achievement, context)
    found = evaluated(kept, achievement, context.holdings, context.ids)
    if not found.met:
        outcome = RuleOutcome(evidence, Outcome.NOT_YET, Reason.MORE_EVIDENCE_NEEDED, achievement, owns_evidence=True)
        return outcome._replace(counted=Counted(), missing=found.missing)
    credential_id, reason = claim(evidence, achievement, found.level, context)
    if reason is not None:
        outcome = RuleOutcome(evidence, Outcome.DUPLICATE, reason, achievement, credential_id, owns_evidence=True)
        return outcome._replace(counted=Counted())
    counted = _counted(found)
    award = _award(evidence, achievement, credential_id, kept, counted)
    note(kept, credential_id, counted, context)
    outcome = RuleOutcome(evidence, Outcome.ISSUED, None, achievement, credential_id, owns_evidence=True, award=award)
    return outcome._replace(counted=counted)


def recount(
    evidence: EvidenceSubmitted, achievement: AchievementPublished, held: HeldAward, context: DecisionContext
) -> Counted:
    """Keep a piece whose credential is here without its decision; return what the award is made of."""
    kept = keep(evidence, achievement, context)
    found = evaluated(kept, achievement, context.holdings, context.ids)
    counted = _counted(found).model_copy(update={"level": held.level})
    note(kept, held.credential_id, counted, context)
    return counted


def stack(outcome: RuleOutcome, keys: Iterable[str], context: DecisionContext) -> RuleOutcome:
    """Return the outcome with what follows from what the learner holds by now: achievements that ask to hold these."""
    evidence = outcome.evidence
    stacked: dict[UUID, StackedAward] = {each.credential_id: each for each in outcome.stacked}
    awards = list(outcome.stacked_awards)
    above = deque(keys)
    while above:
        for each in context.stacking.get((evidence.issuer_id, above.popleft()), ()):
            for found, award in follow(evidence, each, context):
                if found.credential_id not in stacked:
                    stacked[found.credential_id] = found
                    awards += [] if award is None else [award]
                    above.append(each.key_of_all_versions)
    return outcome._replace(stacked=tuple(stacked.values()), stacked_awards=tuple(awards))


def keep(evidence: EvidenceSubmitted, achievement: AchievementPublished, context: DecisionContext) -> Kept:
    """Keep a piece; return all that is kept with it."""
    kept = kept_with(evidence, achievement, context).with_piece(KeptPiece.of(evidence, context.ids))
    return change(kept, context)


def note(kept: Kept, credential_id: UUID, counted: Counted, context: DecisionContext) -> None:
    """Note what an award was made of."""
    change(kept.with_award(credential_id, counted), context)


def follow(
    evidence: EvidenceSubmitted, achievement: AchievementPublished, context: DecisionContext
) -> Iterable[tuple[StackedAward, NewAward | None]]:
    """Yield what of this achievement followed from the piece before its decision was lost, and what follows now.

    Each with what is to be issued of it; of what is here already, nothing.
    """
    # What is decided here depends on what is not there: it is stored although nothing of it has changed, so that of two
    # awards at once, each of which lacks the other, one is refused and decided again.
    kept = change(kept_with(evidence, achievement, context), context)
    found = evaluated(kept, achievement, context.holdings, context.ids)
    for held in context.holdings.get(kept.holding_id, ()):
        if context.lost(held, evidence):
            counted = _counted(found) if found.level == held.level else Counted(level=held.level)
            note(kept, held.credential_id, counted, context)
            kept = context.kept[kept.holding_id]
            yield _stacked(achievement, held.credential_id, counted), None
    if not found.met:
        return
    credential_id, reason = claim(evidence, achievement, found.level, context)
    if reason is None:
        counted = _counted(found)
        note(kept, credential_id, counted, context)
        award = _award(evidence, achievement, credential_id, kept, counted)
        yield _stacked(achievement, credential_id, counted), award


def evaluated(
    kept: Kept, achievement: AchievementPublished, holdings: Mapping[UUID, Sequence[HeldAward]], ids: Ids
) -> Evaluation:
    """Return what all that is kept and held makes of the rule; what revoked awards were made of counts no more.

    `holdings` are by holding id: that of the achievement, and of those that are to be held.
    """
    assert achievement.rule is not None  # noqa: S101  # what the callers know
    standing = {each.credential_id for each in holdings.get(kept.holding_id, ()) if each.active or each.reopened}
    pieces, credentials = kept.spent(standing)
    held = (
        HeldCredential(key, each.credential_id, each.level)
        for key in asked_for(achievement.rule)
        for each in holdings.get(ids.holding_id(kept.learner_id, key), ())
        if each.active and each.credential_id not in credentials
    )
    return evaluate(achievement.rule, (each for each in kept.pieces if each.evidence_id not in pieces), held)


def _award(
    evidence: EvidenceSubmitted, achievement: AchievementPublished, credential_id: UUID, kept: Kept, counted: Counted
) -> NewAward:
    used = set(counted.evidence)
    return NewAward(
        evidence,
        achievement,
        credential_id,
        kept.holding_id,
        result=None if counted.level is None else Result(level=counted.level),
        ended_on=max((each.observed_on for each in kept.pieces if each.evidence_id in used), default=None),
        shows_evidence=evidence.evidence_id in used,
    )


def _stacked(achievement: AchievementPublished, credential_id: UUID, counted: Counted) -> StackedAward:
    return StackedAward(achievement=achievement.version_key, credential_id=credential_id, **dict(counted))


def _counted(found: Evaluation) -> Counted:
    return Counted(level=found.level, evidence=found.evidence, credentials=found.credentials)


def kept_with(evidence: EvidenceSubmitted, achievement: AchievementPublished, context: DecisionContext) -> Kept:
    """Return what is kept of this learner for an achievement."""
    key = achievement.key_of_all_versions
    holding_id = context.ids.holding_id(evidence.learner_id, key)
    return context.kept.get(holding_id) or Kept(holding_id, evidence.issuer_id, evidence.learner_id, key)


def change(kept: Kept, context: DecisionContext) -> Kept:
    """Have this stored: what is decided depends on all of it."""
    context.kept[kept.holding_id] = kept
    context.changed.add(kept.holding_id)
    return kept


def _above(issuer_id: str, achievement: AchievementPublished, stacking: Stacking) -> list[AchievementPublished]:
    """Return all that may follow from an achievement, however many layers above it."""
    found: dict[str, AchievementPublished] = {}
    below = deque([achievement.key_of_all_versions])
    while below:
        for each in stacking.get((issuer_id, below.popleft()), ()):
            if each.key_of_all_versions not in found:
                found[each.key_of_all_versions] = each
                below.append(each.key_of_all_versions)
    return list(found.values())
