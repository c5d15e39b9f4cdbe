"""The HTTP route that explains why a learner has, or has not yet, earned an achievement."""

from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from libs.access.api_keys import ApiKeys, Caller
from libs.access.scopes import Scope
from libs.common.errors import NotFoundError
from libs.common.problems import documented
from libs.contracts.events import ByHand
from libs.contracts.results import SoloLevel
from libs.contracts.rules import Rule
from services.issuer.credentials.credential import CredentialState
from services.issuer.decisions.explaining import ExplainedAward, Explanation, Explanations
from services.issuer.decisions.kept import KeptPiece
from services.issuer.rules.evaluation import Gap
from services.issuer.rules.words import rule_words

IssuerId = Annotated[str, Path(description="the id of the issuer", examples=["wattle-grove"])]


class ExplanationRequest(BaseModel):
    """Of whom, and of what. A student's number stands in no address: those are logged by whatever is on the way."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    learner_id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")] = Field(
        description="the learner as in your evidence: your own student number", examples=["1042"]
    )
    achievement: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")] = Field(
        description="the achievement's id as in your evidence", examples=["resilience"]
    )


class PieceAnswer(BaseModel):
    """A piece of evidence that is kept to count together with others."""

    evidence_id: UUID
    source: str = Field(examples=["file"])
    source_id: str = Field(description="as it was sent", examples=["w3-1042"])
    observed_on: date
    level: SoloLevel | None
    score: float | None
    class_id: str | None
    term: str | None
    assessor_id: UUID | None = Field(description="who assessed: the same for the same person, and no name")
    counted: bool = Field(description="whether the rule is met by it, among others")


class GapAnswer(BaseModel):
    """A condition that is not met, of those that could still be."""

    at: str = Field(description="where it stands in the rule", examples=["rule.of.0"])
    words: str = Field(examples=["one more piece of evidence at relational or above in another activity"])
    pieces: int = Field(description="so many more pieces of evidence")
    different: dict[str, int] = Field(description="so many more different ones", examples=[{"activities": 1}])
    achievement: str | None = Field(description="what is to be held, OWNER/ID")
    level: SoloLevel | None = Field(description="the lowest level that counts, of the evidence or of what is held")


class AwardAnswer(BaseModel):
    """A badge that was given, and what it is made of."""

    credential_id: UUID
    level: SoloLevel | None
    state: CredentialState
    issued_at: AwareDatetime
    rule_version: str = Field(
        description="the version of the achievement, and of the rules in code, that decided",
        examples=["wattle-grove/resilience/1, rules 5"],
    )
    evidence: list[UUID] = Field(description="the pieces of evidence that counted")
    credentials: list[UUID] = Field(description="the badges held that counted")
    by_hand: ByHand | None = Field(
        description="who awarded it by hand, why, and in the place of which credential, where somebody did"
    )
    superseded_by: UUID | None = Field(default=None, description="the credential that was awarded in its place, if any")


class ExplanationAnswer(BaseModel):
    """Why a learner has, or has not yet, earned an achievement."""

    issuer_id: str
    learner_id: UUID = Field(description="the learner, by an id that nobody can compute from outside")
    achievement: str = Field(description="the version that decides now", examples=["wattle-grove/resilience/1"])
    rule_version: str = Field(examples=["wattle-grove/resilience/1, rules 5"])
    rule: Rule = Field(description="what it asks for; a required level or score as the rule that it stands for")
    rule_in_words: str = Field(examples=["relational or above in at least two activities"])
    met: bool
    level: SoloLevel | None = Field(description="the level that it comes to, if any")
    held: list[UUID] = Field(description="the badges held that count")
    missing: list[GapAnswer]
    missing_in_words: str | None = Field(examples=["one more piece of evidence at relational or above"])
    kept: list[PieceAnswer] = Field(
        description="the evidence that counts together, by day; none where each piece is decided by itself"
    )
    awards: list[AwardAnswer] = Field(description="every badge of it that was ever given, oldest first")


def explanation_routes(keys: ApiKeys, explanations: Explanations) -> APIRouter:
    """POST /v1/issuers/{id}/explanations."""
    router = APIRouter(tags=["decisions"])

    @router.post("/v1/issuers/{issuer_id}/explanations", responses=documented(NotFoundError))
    async def explain(
        issuer_id: IssuerId,
        asked: ExplanationRequest,
        caller: Annotated[Caller, Depends(keys.reading_of_path(Scope.EVIDENCE_READ))],
    ) -> ExplanationAnswer:
        """Why one of your learners has, or has not yet, earned an achievement: what counted, and what is missing.

        It changes nothing, and is the same whenever nothing was decided in between.
        """
        caller.must_be(issuer_id)
        return answer_of(issuer_id, await explanations.explain(issuer_id, asked.learner_id, asked.achievement))

    return router


def answer_of(issuer_id: str, found: Explanation) -> ExplanationAnswer:
    """Return an explanation as it is answered."""
    evaluation = found.evaluation
    counted = set(evaluation.evidence)
    pieces = sorted(
        () if found.kept is None else found.kept.pieces, key=lambda each: (each.observed_on, each.evidence_id)
    )
    return ExplanationAnswer(
        issuer_id=issuer_id,
        learner_id=found.learner_id,
        achievement=found.version.version_key,
        rule_version=found.rule_version,
        rule=found.rule,
        rule_in_words=rule_words(found.rule),
        met=evaluation.met,
        level=evaluation.level,
        held=list(evaluation.credentials),
        missing=[_gap(each) for each in evaluation.gaps],
        missing_in_words=evaluation.missing,
        kept=[_piece(each, counted=each.evidence_id in counted) for each in pieces],
        awards=[_award(each) for each in found.awards],
    )


def _gap(gap: Gap) -> GapAnswer:
    return GapAnswer(
        at=gap.at,
        words=gap.words,
        pieces=gap.pieces,
        different=dict(gap.different),
        achievement=gap.achievement,
        level=gap.level,
    )


def _piece(piece: KeptPiece, *, counted: bool) -> PieceAnswer:
    said = {name: value for name, value in piece._asdict().items() if name in PieceAnswer.model_fields}
    return PieceAnswer(**said, counted=counted)


def _award(award: ExplainedAward) -> AwardAnswer:
    credential = award.credential
    return AwardAnswer(
        credential_id=credential.credential_id,
        level=credential.level,
        state=credential.state,
        issued_at=credential.issued_at,
        rule_version=award.rule_version,
        evidence=list(award.counted.evidence),
        credentials=list(award.counted.credentials),
        by_hand=award.by_hand,
        superseded_by=credential.superseded_by,
    )
