"""Business keys: which award a result would be, and whether it is held already."""

from uuid import UUID

from libs.contracts.events import AchievementPublished, EvidenceSubmitted
from libs.contracts.ids import Ids
from libs.contracts.results import SoloLevel
from services.issuer.credentials.award import HeldAward
from services.issuer.decisions.context import DecisionContext
from services.issuer.decisions.decision import Reason


def award_evidence(achievement: AchievementPublished, evidence: EvidenceSubmitted) -> UUID | None:
    """Return the evidence as a part of the business key: only a repeatable achievement is awarded once per piece."""
    return evidence.evidence_id if achievement.repeatable else None


def holding_of(evidence: EvidenceSubmitted, achievement: AchievementPublished, ids: Ids) -> UUID:
    """Return the id of the holding that decides whether the evidence earns the achievement again."""
    piece = award_evidence(achievement, evidence)
    return ids.holding_id(evidence.learner_id, achievement.key_of_all_versions, piece)


def claim(
    evidence: EvidenceSubmitted, achievement: AchievementPublished, level: SoloLevel | None, context: DecisionContext
) -> tuple[UUID, Reason | None]:
    """Return the credential of an award at this level, and why it is not issued where that or a higher one is held.

    What is to be issued is held from now on; the one whose place it takes stands in no way.
    """
    key, piece = achievement.key_of_all_versions, award_evidence(achievement, evidence)
    awards = context.holdings.setdefault(holding_of(evidence, achievement, context.ids), [])
    same = [award for award in awards if award.level == level and award.evidence_id == piece]
    standing = [award for award in awards if award.active and award.credential_id != evidence.supersedes]
    held = next((award for award in same if award in standing), None)
    if held is not None:
        return held.credential_id, Reason.ALREADY_AWARDED
    # Under a rule, what says nothing of a level says less than any.
    if piece is None and (level is not None or achievement.rule is not None):
        rank = -1 if level is None else level.rank
        higher = (each for each in standing if each.level is not None and each.level.rank > rank)
        held = next(higher, None)
        if held is not None:
            return held.credential_id, Reason.HIGHER_LEVEL_HELD
    credential_id = context.ids.credential_id(evidence.learner_id, key, level, evidence=piece, number=len(same))
    awards.append(HeldAward(credential_id, level, active=True, evidence_id=piece))
    return credential_id, None
