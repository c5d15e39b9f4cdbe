"""Why a learner has, or has not yet, earned an achievement: what counted, by which rule, and what is missing.

It is made of what is recorded alone, so whoever asks again, also after all evidence was read anew, has the same answer.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from libs.common.errors import NotFoundError
from libs.contracts.events import AchievementPublished, ByHand, Counted
from libs.contracts.ids import Ids
from libs.contracts.rules import Condition, Either, EvidenceCondition, Group, asked_for
from services.issuer.credentials.award import HeldAward
from services.issuer.credentials.credential import Credential
from services.issuer.credentials.repository import MongoCredentials
from services.issuer.decisions.context import RULES_VERSION
from services.issuer.decisions.counting import evaluated
from services.issuer.decisions.decision import Decision
from services.issuer.decisions.kept import Kept
from services.issuer.decisions.ports import AchievementCatalogue
from services.issuer.decisions.repository import MongoDecisions
from services.issuer.rules.evaluation import Evaluation, evaluate


@dataclass(frozen=True, slots=True)
class ExplainedAward:
    """A credential, the rule that it was decided by, what it is made of, and who awarded it, where that was by hand."""

    credential: Credential
    rule_version: str
    counted: Counted
    by_hand: ByHand | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a learner has, or has not yet, earned an achievement.

    Attributes:
        version: the version that decides now.
        rule: what it asks for; its required level or score as the rule that it stands for.
        kept: the learner's evidence that counts together; none where each piece is decided by itself.
        evaluation: what that, and what is held, makes of the rule.
        awards: every badge of it that the learner was ever given, oldest first.
    """

    learner_id: UUID
    version: AchievementPublished
    rule: Condition | Group
    kept: Kept | None
    evaluation: Evaluation
    awards: tuple[ExplainedAward, ...]

    @property
    def rule_version(self) -> str:
        """Return which rule decides now."""
        return f"{self.version.version_key}, rules {RULES_VERSION}"


class Explanations:
    """Explains from what is recorded."""

    def __init__(
        self, *, ids: Ids, catalogue: AchievementCatalogue, decisions: MongoDecisions, credentials: MongoCredentials
    ) -> None:
        self._ids = ids
        self._catalogue = catalogue
        self._decisions = decisions
        self._credentials = credentials

    async def explain(self, issuer_id: str, local_id: str, achievement_id: str) -> Explanation:
        """Return the explanation for the learner whom this issuer knows under `local_id`.

        Raises:
            NotFoundError: the issuer may award no such achievement, or one of which each piece is decided by itself; or
                nothing is recorded of such a learner for it.
        """
        pair = issuer_id, achievement_id
        version = (await self._catalogue.resolve([pair], await self._catalogue.issuers([issuer_id]))).get(pair)
        if version is None or version.repeatable:
            raise NotFoundError("there is no achievement of this id whose award can be explained")
        learner_id = self._ids.learner_id(issuer_id, local_id)
        keys = [version.key_of_all_versions, *(() if version.rule is None else asked_for(version.rule))]
        holdings = [self._ids.holding_id(learner_id, key) for key in keys]
        kept = None if version.rule is None else await self._decisions.kept_by(issuer_id, holdings[0])
        credentials = await self._credentials.of_issuer(issuer_id, holdings)
        if (kept is None or not kept.says_something) and not credentials:
            raise NotFoundError("nothing is recorded of such a learner for this achievement")
        awarded = [each for each in credentials if each.holding_id == holdings[0]]
        if version.rule is None:
            evaluation = _of_one_piece(version, awarded)
        else:
            empty = Kept(holdings[0], issuer_id, learner_id, version.key_of_all_versions)
            evaluation = evaluated(kept or empty, version, _held(credentials), self._ids)
        return Explanation(learner_id, version, rule_of(version), kept, evaluation, await self._awards(awarded))

    async def _awards(self, credentials: list[Credential]) -> tuple[ExplainedAward, ...]:
        decisions = await self._decisions.of(each.decision_id for each in credentials)
        by_id = {each.decision_id: each for each in decisions}
        return tuple(_explained(each, by_id[each.decision_id]) for each in credentials if each.decision_id in by_id)


def rule_of(version: AchievementPublished) -> Condition | Group:
    """Return the rule of a version, or that which its required level or score stands for."""
    if version.rule is not None:
        return version.rule
    if version.required_level is not None and version.required_score is not None:
        by_level = EvidenceCondition(type="evidence", level=version.required_level)
        return Either(type="any", of=[by_level, EvidenceCondition(type="evidence", score=version.required_score)])
    return EvidenceCondition(type="evidence", level=version.required_level, score=version.required_score)


def _of_one_piece(version: AchievementPublished, awarded: Iterable[Credential]) -> Evaluation:
    """Return that a badge is held, or that a piece of evidence is missing, where each is decided by itself."""
    active = [each for each in awarded if each.revocation is None]
    if not active:
        return evaluate(rule_of(version), (), ())
    levels = [each.level for each in active if each.level is not None]
    return Evaluation(True, max(levels, key=lambda level: level.rank, default=None), (), (), (), None)


def _held(credentials: Iterable[Credential]) -> dict[UUID, list[HeldAward]]:
    held: dict[UUID, list[HeldAward]] = {}
    for each in credentials:
        award = HeldAward(each.credential_id, each.level, active=each.revocation is None)
        held.setdefault(each.holding_id, []).append(award)
    return held


def _explained(credential: Credential, decision: Decision) -> ExplainedAward:
    for each in decision.stacked:
        if each.credential_id == credential.credential_id:
            counted = Counted(level=each.level, evidence=each.evidence, credentials=each.credentials)
            rules = decision.rule_version.rpartition(", ")[2]
            return ExplainedAward(credential, f"{each.achievement}, {rules}", counted)
    counted = decision.counted or Counted(level=credential.level, evidence=(decision.evidence.evidence_id,))
    return ExplainedAward(credential, decision.rule_version, counted, decision.evidence.by_hand)
