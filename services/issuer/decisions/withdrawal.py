"""What follows where evidence is withdrawn: what rested on it is closed, and what is still earned is awarded. Pure.

An award under a rule stands as long as what is left still comes to its level. One that a piece earned by itself rests
on that piece; once it is closed, what was held against other evidence since it was held is decided again. What stacked
on a closed award stays or is closed with it, as its achievement says.
"""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from libs.contracts.events import AchievementPublished, Counted, EvidenceSubmitted, Outcome
from services.issuer.credentials.award import HeldAward
from services.issuer.decisions.claims import holding_of
from services.issuer.decisions.context import DecisionContext, Owner, RuleOutcome
from services.issuer.decisions.counting import change, evaluated, follow, hindrance_above, kept_with, stack
from services.issuer.decisions.decision import Decision, Reason
from services.issuer.decisions.rules import decide
from services.issuer.rules.evaluation import Evaluation


class Taken(NamedTuple):
    """A piece that is withdrawn: the newest decision on it, and why it is taken back."""

    decision: Decision
    reason: Reason


def withdraw(
    taken: Sequence[Taken], others: Mapping[UUID, Sequence[EvidenceSubmitted]], context: DecisionContext
) -> list[RuleOutcome]:
    """Return what becomes of pieces that are withdrawn together, and of others that are decided again.

    Args:
        taken: the pieces.
        others: by credential, the evidence that earned nothing since that was held, none of `taken` among it.
        context: what decisions on all of these depend on.
    """
    for each in taken:
        _uncount(each.decision, context)
    # All that ends does so before anything is awarded: what is awarded here stands.
    ended = [_ended(each, context) for each in taken]
    outcomes: list[RuleOutcome] = []
    for outcome, touched in ended:
        again = [piece for closed in outcome.revoked for piece in others.get(closed, ())]
        outcomes += [_awarded_instead(outcome, touched, context), *_decided_again(again, context)]
    return outcomes


def reconsider(decision: Decision, keys: Sequence[str], context: DecisionContext) -> RuleOutcome:
    """Return what follows from achievements (OWNER/ID) of which badges of a piece are held, or no longer.

    The outcome is that of the decision; it revokes what stacked on them and is earned no more, and stacks what is.
    """
    evidence, version = decision.evidence, _version(decision.evidence, context)
    outcome = RuleOutcome(evidence, decision.outcome, decision.reason, version, decision.credential_id)
    if version is None:
        return outcome
    touched = list(keys)
    outcome = outcome._replace(revoked=tuple(_close_above(evidence, touched, context)))
    if evidence.submission_id in context.unwritable or _hindered(evidence, version, context):
        return outcome
    return stack(outcome, touched, context)


def _uncount(decision: Decision, context: DecisionContext) -> None:
    version = _version(decision.evidence, context)
    if version is not None and decision.counted is not None and decision.evidence.by_hand is None:
        change(kept_with(decision.evidence, version, context).without_piece(decision.evidence.evidence_id), context)


def _ended(taken: Taken, context: DecisionContext) -> tuple[RuleOutcome, list[str]]:
    """Return that a piece is withdrawn, with what is revoked, and the achievements of which that is."""
    evidence, version = taken.decision.evidence, _version(taken.decision.evidence, context)
    outcome = RuleOutcome(evidence, Outcome.WITHDRAWN, taken.reason, version, owns_evidence=_owns(evidence, context))
    if version is None:
        return outcome, []
    if taken.decision.counted is not None:
        outcome = outcome._replace(counted=Counted())
    found = None
    if version.rule is not None:
        found = evaluated(kept_with(evidence, version, context), version, context.holdings, context.ids)
    closed = [each for each in _resting(taken.decision, version, context) if not _stands(found, each)]
    if not closed:
        return outcome, []
    _close(closed, context)
    touched = [version.key_of_all_versions]
    revoked = [each.credential_id for each in closed] + _close_above(evidence, touched, context)
    return outcome._replace(revoked=tuple(revoked)), touched


def _awarded_instead(outcome: RuleOutcome, touched: Sequence[str], context: DecisionContext) -> RuleOutcome:
    """Return the outcome with what is earned in the place of what it revokes."""
    evidence, version = outcome.evidence, outcome.achievement
    if version is None or not touched or evidence.submission_id in context.unwritable:
        return outcome
    if _hindered(evidence, version, context):
        return outcome
    if version.rule is not None:
        for award, new in follow(evidence, version, context):
            stacked, awards = (*outcome.stacked, award), (*outcome.stacked_awards, *([] if new is None else [new]))
            outcome = outcome._replace(stacked=stacked, stacked_awards=awards)
    return stack(outcome, touched, context)


def _owns(evidence: EvidenceSubmitted, context: DecisionContext) -> bool:
    """Have the source id stand for this decision, unless it stands for another submission."""
    owner = context.owners.get(evidence.evidence_id)
    if owner is not None and owner.submission_id != evidence.submission_id:
        return False
    if owner is not None and owner.decision_id is not None:
        context.disowned.add(owner.decision_id)
    context.owners[evidence.evidence_id] = Owner(evidence.submission_id, evidence.digest, withdrawn=True)
    return True


def _resting(decision: Decision, version: AchievementPublished, context: DecisionContext) -> list[HeldAward]:
    """Return the awards of the piece's achievement that it has a part in, or that something withdrawn before had."""
    evidence = decision.evidence
    kept = kept_with(evidence, version, context)
    left, made_of = {each.evidence_id for each in kept.pieces}, dict(kept.awards)
    holding_id = holding_of(evidence, version, context.ids)
    return [
        each
        for each in context.holdings.get(holding_id, ())
        if each.active
        and (
            not left.issuperset(made_of[each.credential_id].evidence)
            if each.credential_id in made_of
            else each.credential_id == decision.issued_id
        )
    ]


def _stands(found: Evaluation | None, award: HeldAward) -> bool:
    if found is None or not found.met:
        return False
    return award.level is None or (found.level is not None and found.level.rank >= award.level.rank)


def _close(awards: Iterable[HeldAward], context: DecisionContext) -> None:
    closed = {each.credential_id for each in awards}
    for holding_id, held in context.holdings.items() if closed else ():
        context.holdings[holding_id] = [
            each._replace(active=False, reopened=True) if each.credential_id in closed else each for each in held
        ]


def _close_above(evidence: EvidenceSubmitted, keys: list[str], context: DecisionContext) -> list[UUID]:
    """Close what stacked on what is closed, where its achievement says so; add what is touched to `keys`."""
    revoked: list[UUID] = []
    below = deque(keys)
    while below:
        for version in context.stacking.get((evidence.issuer_id, below.popleft()), ()):
            gone = [] if not version.revoked_with_holdings else _unmet(evidence, version, context)
            if gone:
                _close(gone, context)
                revoked += [each.credential_id for each in gone]
                keys.append(version.key_of_all_versions)
                below.append(version.key_of_all_versions)
    return revoked


def _unmet(evidence: EvidenceSubmitted, version: AchievementPublished, context: DecisionContext) -> list[HeldAward]:
    """Return the active awards of a version that something closed was counted for, and that are earned no more."""
    kept = change(kept_with(evidence, version, context), context)
    made_of = {each.credential_id: each.counted.credentials for each in kept.awards}
    active = {each.credential_id for awards in context.holdings.values() for each in awards if each.active}
    found = evaluated(kept, version, context.holdings, context.ids)
    return [
        each
        for each in context.holdings.get(kept.holding_id, ())
        if each.active and not active.issuperset(made_of.get(each.credential_id, ())) and not _stands(found, each)
    ]


def _decided_again(pieces: Iterable[EvidenceSubmitted], context: DecisionContext) -> list[RuleOutcome]:
    """Decide these anew; what cannot be issued now is left as it was decided."""
    # What was to take the place of a badge, and came to nothing, is over: nobody expects that badge to end now.
    decided = (decide([each], context)[0] for each in pieces if each.supersedes is None)
    # Their evidence stands for them already.
    return [each._replace(owns_evidence=False) for each in decided if each.outcome in _MEASURED]


_MEASURED = frozenset({Outcome.ISSUED, Outcome.DUPLICATE})


def _version(evidence: EvidenceSubmitted, context: DecisionContext) -> AchievementPublished | None:
    return context.achievements.get((evidence.issuer_id, evidence.achievement))


def _hindered(evidence: EvidenceSubmitted, version: AchievementPublished, context: DecisionContext) -> bool:
    """Return whether nothing can be signed of what may follow, or its issuer is suspended: that is not awarded then."""
    hindrance = context.hindrances.get((evidence.issuer_id, evidence.achievement))
    if evidence.issuer_id in context.suspended:
        return True
    return (hindrance or hindrance_above(evidence, version, context)) is not None
