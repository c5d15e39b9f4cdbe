"""The HTTP route that lists achievements: an issuer's own, or those that are shared with it."""

from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime, BaseModel, Field

from libs.access.api_keys import ApiKeys, Caller
from libs.access.scopes import Scope
from libs.common.errors import NotFoundError
from libs.common.fields import SoughtText
from libs.common.problems import documented
from libs.contracts.events import AchievementLevel, AchievementPublished
from libs.contracts.results import SoloLevel
from libs.contracts.rules import Rule
from services.issuer.catalogue.repository import Catalogue
from services.issuer.rules.words import rule_words

MOST_WHOLE: Final = 100
"""So many achievements a page has at most where they are told whole: that is some megabytes of text at most."""


class AchievementContent(BaseModel):
    """All that a version was published with: sent by POST, it publishes the same."""

    id: str = Field(examples=["resilience"])
    version: int = Field(ge=1, examples=[1])
    name: str = Field(examples=["Resilience"])
    description: str = Field(examples=["Goes on when it is hard."])
    criteria: str = Field(examples=["Shows it in Values Week, at relational or above."])
    levels: list[AchievementLevel] = Field(description="the lowest first")
    required_level: SoloLevel | None
    required_score: float | None
    rule: Rule | None = Field(description="with what is to be held as OWNER/ID")
    repeatable: bool
    revoked_with_holdings: bool
    shared: bool


class AchievementEntry(BaseModel):
    """An achievement as its newest version has it."""

    id: str = Field(description="to be written in evidence", examples=["resilience"])
    owner: str = Field(description="the issuer that published it", examples=["wattle-grove"])
    version: int = Field(ge=1, examples=[1])
    key: str = Field(description="names this version", examples=["wattle-grove/resilience/1"])
    name: str = Field(examples=["Resilience"])
    shared: bool = Field(description="whether issuers below may award it")
    repeatable: bool = Field(description="whether each piece of evidence earns it anew")
    required_level: SoloLevel | None = Field(description="the lowest level that earns it")
    required_score: float | None = Field(description="the lowest score that earns it")
    rule_in_words: str | None = Field(description="what its rule asks for", examples=["at relational or above"])
    published_at: AwareDatetime
    whole: AchievementContent | None = Field(
        default=None, description="all that it was published with, where `whole` is asked for"
    )


class AchievementPage(BaseModel):
    """Some achievements, sorted by id."""

    organisation: str = Field(description="whose they are, or with whom they are shared", examples=["wattle-grove"])
    achievements: list[AchievementEntry]
    next: str | None = Field(description="the path of the next page; none where this is the last")


class OfferedAchievements:
    """What an issuer can award."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    async def page(
        self, issuer_id: str, *, shared_with: bool, text: str | None, after: str, limit: int
    ) -> list[AchievementPublished]:
        """Return the issuer's own, or where `shared_with`, those that the issuer above shares; sorted by id."""
        owner: str | None = issuer_id
        if shared_with:
            issuer = (await self._catalogue.issuers([issuer_id])).get(issuer_id)
            owner = None if issuer is None else issuer.parent
        if owner is None:
            return []
        return await self._catalogue.achievements_page(
            owner, shared_alone=shared_with, text=text, after=after, limit=limit
        )


def achievement_list_routes(keys: ApiKeys, offered: OfferedAchievements) -> APIRouter:
    """GET /v1/achievements."""
    router = APIRouter(tags=["achievements"])

    @router.get("/v1/achievements", responses=documented(NotFoundError))
    async def list_achievements(
        caller: Annotated[Caller, Depends(keys.reading(Scope.CATALOGUE_READ))],
        *,
        shared_with: Annotated[
            bool, Query(description="those that the issuer above shares with you, instead of your own")
        ] = False,
        whole: Annotated[
            bool,
            Query(description=f"each with all that it was published with; then a page has {MOST_WHOLE} at most"),
        ] = False,
        q: Annotated[SoughtText | None, Query(description="stands in the name, whatever its case")] = None,
        after: Annotated[str, Query(max_length=64, description="where a page starts: taken from `next`")] = "",
        limit: Annotated[int, Query(ge=1, le=500, description="most achievements of a page")] = 100,
    ) -> AchievementPage:
        """Your achievements, each in its newest version, which decides on evidence from now on.

        An achievement of your own takes the place of a shared one of the same id.
        """
        limit = min(limit, MOST_WHOLE) if whole else limit
        page = await offered.page(caller.issuer_id, shared_with=shared_with, text=q, after=after, limit=limit)
        query = {
            "shared_with": str(shared_with).lower(),
            "whole": str(whole).lower(),
            **({} if q is None else {"q": q}),
        }
        following = {**query, "organisation": caller.issuer_id, "limit": str(limit)}
        following["after"] = page[-1].achievement_id if page else ""
        return AchievementPage(
            organisation=caller.issuer_id,
            achievements=[_entry(each, whole=whole) for each in page],
            next=f"/v1/achievements?{urlencode(following)}" if len(page) == limit else None,
        )

    return router


def _entry(version: AchievementPublished, *, whole: bool) -> AchievementEntry:
    said = version.model_dump(include=AchievementEntry.model_fields.keys() - {"id", "key", "rule_in_words", "whole"})
    words = None if version.rule is None else rule_words(version.rule)
    return AchievementEntry(
        id=version.achievement_id,
        key=version.version_key,
        rule_in_words=words,
        whole=_content(version) if whole else None,
        **said,
    )


def _content(version: AchievementPublished) -> AchievementContent:
    said = version.model_dump(include=AchievementContent.model_fields.keys() - {"id"})
    return AchievementContent(id=version.achievement_id, **said)
