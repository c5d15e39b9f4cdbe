"""A catalogue in memory, as the issuer's routes of achievements ask for it, and a client that reaches them."""

from collections.abc import Iterable
from typing import Any

import httpx
from fastapi import FastAPI

from libs.access.api_keys import ApiKeys
from libs.common.errors import ConflictError
from libs.common.health import Health
from libs.common.http import create_app
from libs.contracts.events import AchievementPublished, IssuerPublished
from libs.contracts.rules import asked_for
from services.issuer.catalogue.achievement_api import achievement_routes
from services.issuer.catalogue.achievement_list_api import OfferedAchievements, achievement_list_routes
from services.issuer.catalogue.achievements import Achievements
from services.issuer.catalogue.publications import same_content, subject_of
from services.issuer.urls import Urls
from tests.issuer_doubles import NOW, issuer
from tests.keys_in_memory import MemoryKeys


class MemoryCatalogue:
    """Every version that was published, by a department and a school below it."""

    def __init__(self) -> None:
        self.versions: dict[str, AchievementPublished] = {}
        self.published: list[str] = []
        self.trouble: dict[str, Exception] = {}

    def put(self, *versions: AchievementPublished) -> None:
        """Have these versions published, as somebody else would."""
        self.versions |= {each.version_key: each for each in versions}

    async def issuers(self, _ids: Iterable[str]) -> dict[str, IssuerPublished]:
        return {"department": issuer("department"), "wattle": issuer("wattle", parent="department")}

    async def newest_version(self, owner: str, achievement_id: str) -> AchievementPublished | None:
        return self._newest(owner).get(achievement_id)

    async def newest(self, subject: str) -> AchievementPublished | None:
        """Return the newest version that was ever claimed, as publications have it."""
        claimed = sorted(self.versions.values(), key=lambda each: each.version)
        return next((each for each in reversed(claimed) if subject_of(each) == subject), None)

    async def stacking(self, owner: str) -> set[str]:
        return {id_ for id_, each in self._newest(owner).items() if each.rule and asked_for(each.rule)}

    async def achievements_page(
        self, owner: str, *, shared_alone: bool, text: str | None, after: str, limit: int
    ) -> list[AchievementPublished]:
        newest = sorted(self._newest(owner).items())
        assert text is None
        return [each for id_, each in newest if id_ > after and (each.shared or not shared_alone)][:limit]

    async def publish(
        self, event: AchievementPublished, _trace: str, *, otherwise: str, **_: object
    ) -> tuple[AchievementPublished, bool]:
        if (problem := self.trouble.pop(event.achievement_id, None)) is not None:
            raise problem
        stored = self.versions.setdefault(event.version_key, event)
        if not same_content(stored, event):
            raise ConflictError(otherwise)
        if stored is event:
            self.published.append(event.version_key)
        return stored, stored is event

    def _newest(self, owner: str) -> dict[str, AchievementPublished]:
        known = sorted(self.versions.values(), key=lambda each: each.version)
        return {each.achievement_id: each for each in known if each.owner == owner}

    def served(self, keys: MemoryKeys) -> FastAPI:
        """Return the issuer's own routes over it."""
        fake: Any = self
        app, known = create_app("issuer", Health()), ApiKeys(keys)
        achievements = Achievements(
            catalogue=fake, publications=fake, urls=Urls("https://badges.example"), clock=lambda: NOW
        )
        app.include_router(achievement_routes(known, achievements, lambda: NOW))
        app.include_router(achievement_list_routes(known, OfferedAchievements(fake)))
        return app


def client_of(app: FastAPI, url: str, key: str) -> httpx.AsyncClient:
    """Return a client of an app in this process that sends a key."""
    headers = {"Authorization": f"Bearer {key}"}
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=url, headers=headers)
