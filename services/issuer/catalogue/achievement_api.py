"""The HTTP route of achievements: publishing versions of them."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field, model_validator

from libs.access.api_keys import ApiKeys, Caller
from libs.access.audited import cause_of
from libs.access.scopes import Scope
from libs.common.errors import ConflictError
from libs.common.fields import Line, NumberInJson, Text, Truth
from libs.common.http import request_trace
from libs.common.problems import FieldError, documented
from libs.contracts.events import AchievementLevel, AchievementPublished
from libs.contracts.results import SoloLevel
from libs.contracts.rules import Rule
from services.issuer.catalogue.achievements import Achievements
from services.issuer.catalogue.api import EXISTING, Body, Slug
from services.issuer.rules.words import rule_words


class LevelRequest(Body):
    """What one SOLO level of the achievement looks like."""

    level: SoloLevel
    name: Line | None = Field(default=None, description="what the school calls it", examples=["Puts it together"])
    description: Text = Field(examples=["Links what was tried to why it helped."])


class AchievementRequest(Body):
    """A version of an achievement. Without `version`: the newest if the content is the same, else the next."""

    id: Slug = Field(description="its id in the catalogue of its issuer", examples=["resilience"])
    version: Annotated[int, Field(ge=1, le=10_000), NumberInJson] | None = Field(
        default=None, description="the newest, or the next"
    )
    name: Line = Field(examples=["Resilience"])
    description: Text = Field(description="what somebody who holds it can do", examples=["Goes on when it is hard."])
    criteria: Text = Field(
        description="what must be shown", examples=["Shows it in Values Week, at relational or above."]
    )
    levels: Annotated[list[LevelRequest], Field(max_length=5)] = Field(
        default=[], description="what the SOLO levels look like here, each at most once"
    )
    required_level: SoloLevel | None = Field(default=None, description="the lowest level that earns it")
    required_score: Annotated[float, Field(ge=0, le=100, allow_inf_nan=False), NumberInJson] | None = Field(
        default=None, description="the lowest score that earns it"
    )
    rule: Rule | None = Field(
        default=None,
        description="what earns it, where several pieces of evidence count together, or other achievements are to be "
        "held; then neither `required_level` nor `required_score`, nor `repeatable`",
        examples=[
            {
                "type": "all",
                "of": [
                    {"type": "evidence", "level": "relational", "activities": 2, "within": "term"},
                    {"type": "holds", "achievement": "teamwork"},
                ],
            }
        ],
    )
    repeatable: Truth = Field(default=False, description="each piece of evidence earns it anew")
    revoked_with_holdings: Truth = Field(
        default=False,
        description="whether a badge of it is revoked too, when one that its rule asks to hold is revoked and without "
        "that the rule is not met; else it stays",
    )
    shared: Truth = Field(default=False, description="the schools of the owner may award it too")

    @model_validator(mode="after")
    def _can_be_earned(self) -> "AchievementRequest":
        described = {each.level for each in self.levels}
        if len(described) != len(self.levels):
            raise ValueError("each level is described once")
        if self.required_level is not None and self.required_score is not None:
            raise ValueError("a level or a score is required, not both: evidence has one of them")
        required = self.required_level
        if described and required is not None and max(each.rank for each in described) < required.rank:
            raise ValueError("no level that is described reaches the required level: nobody could earn it")
        return self


class AchievementAnswer(BaseModel):
    """Where the version stands in the catalogue."""

    id: str = Field(examples=["resilience"])
    version: int = Field(ge=1, examples=[1])
    owner: str = Field(description="the issuer that published it", examples=["wattle-grove"])
    key: str = Field(description="names this version", examples=["wattle-grove/resilience/1"])
    rule: Rule | None = Field(default=None, description="its rule, with what is to be held as OWNER/ID")
    rule_in_words: str | None = Field(
        default=None,
        description="what the rule asks for",
        examples=["relational or above in at least two activities within one term, and holds teamwork"],
    )
    warnings: list[FieldError] = Field(
        default=[],
        description="e-mail addresses, telephone numbers and links that open something in its texts, which become"
        " public for good",
    )


def achievement_routes(keys: ApiKeys, achievements: Achievements, clock: Callable[[], datetime]) -> APIRouter:
    """POST /v1/achievements."""
    router = APIRouter(tags=["achievements"])

    @router.post(
        "/v1/achievements",
        status_code=201,
        responses={200: {"model": AchievementAnswer, **EXISTING}, **documented(ConflictError)},
    )
    async def add_achievement(
        request: Request,
        response: Response,
        asked: AchievementRequest,
        caller: Annotated[Caller, Depends(keys.allowed(Scope.CATALOGUE_WRITE))],
    ) -> AchievementAnswer:
        """Publish a version of an achievement; a published version never changes."""
        content = achievement_of(asked, caller.issuer_id, clock())
        published, new, warnings = await achievements.publish(
            content, asked.version, request_trace(request), cause_of(request)
        )
        response.status_code = 201 if new else 200
        return AchievementAnswer(
            id=published.achievement_id,
            version=published.version,
            owner=published.owner,
            key=published.version_key,
            rule=published.rule,
            rule_in_words=None if published.rule is None else rule_words(published.rule),
            warnings=[FieldError(**each) for each in warnings],
        )

    return router


def achievement_of(asked: AchievementRequest, owner: str, at: datetime) -> AchievementPublished:
    """Return the version that is asked for; its rule still names what is to be held as the request does."""
    levels = sorted(asked.levels, key=lambda each: each.level.rank)
    return AchievementPublished(
        owner=owner,
        achievement_id=asked.id,
        version=asked.version or 1,
        shared=asked.shared,
        name=asked.name,
        description=asked.description,
        criteria=asked.criteria,
        levels=[
            AchievementLevel(level=each.level, name=each.name or each.level.label, description=each.description)
            for each in levels
        ],
        required_level=asked.required_level,
        required_score=asked.required_score,
        rule=asked.rule,
        repeatable=asked.repeatable,
        revoked_with_holdings=asked.revoked_with_holdings,
        published_at=at,
    )
