"""The HTTP route that lists achievements: an issuer's own, or those that are shared with it."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime, BaseModel, Field

from libs.access.api_keys import ApiKeys, Caller
from libs.access.scopes import Scope
from libs.common.errors import NotFoundError
from libs.common.fields import SoughtText
from libs.common.problems import documented
from libs.contracts.events import AchievementPublished
from libs.contracts.results import SoloLevel
from services.issuer.catalogue.repository import Catalogue
from services.issuer.rules.words import rule_words


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


class AchievementPage(BaseModel):
    """Some achievements, sorted by id."""

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
        q: Annotated[SoughtText | None, Query(description="stands in the name, whatever its case")] = None,
        after: Annotated[str, Query(max_length=64, description="where a page starts: taken from `next`")] = "",
        limit: Annotated[int, Query(ge=1, le=500, description="most achievements of a page")] = 100,
    ) -> AchievementPage:
        """Your achievements, each in its newest version, which decides on evidence from now on.

        An achievement of your own takes the place of a shared one of the same id.
        """
        page = await offered.page(caller.issuer_id, shared_with=shared_with, text=q, after=after, limit=limit)
        query = {"shared_with": str(shared_with).lower(), **({} if q is None else {"q": q})}
        following = {**query, "organisation": caller.issuer_id, "limit": str(limit)}
        following["after"] = page[-1].achievement_id if page else ""
        return AchievementPage(
            achievements=[_entry(each) for each in page],
            next=f"/v1/achievements?{urlencode(following)}" if len(page) == limit else None,
        )

    return router


def _entry(version: AchievementPublished) -> AchievementEntry:
    said = version.model_dump(include=AchievementEntry.model_fields.keys() - {"id", "key", "rule_in_words"})
    words = None if version.rule is None else rule_words(version.rule)
    return AchievementEntry(id=version.achievement_id, key=version.version_key, rule_in_words=words, **said)
