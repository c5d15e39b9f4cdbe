"""The calls of the issuer service that read a catalogue and publish in it, each safe to repeat."""

from typing import Any, Final
from urllib.parse import urlencode

from pydantic import TypeAdapter, ValidationError

from bowerbird.catalogue.plan import Here, Step
from bowerbird.patient_calls import PatientCalls
from bowerbird.service_api import CallError
from libs.contracts.events import AchievementPublished
from services.issuer.catalogue.achievement_list_api import MOST_WHOLE
from services.issuer.catalogue.api import Slug

# Ids become names of files.
_ID: Final = TypeAdapter[str](Slug)


class CatalogueCalls(PatientCalls):
    """What is asked of the issuer service for a folder of achievements."""

    async def here(self) -> Here:
        """Return what is published: the issuer's own achievements, and those that are shared with it.

        Raises:
            CallError: see `call`.
        """
        organisation, own = await self._newest(shared_with=False)
        _, shared = await self._newest(shared_with=True)
        return Here(organisation, own, shared)

    async def publish(self, step: Step) -> None:
        """Publish a version; where that is published already, nothing changes.

        Raises:
            CallError: see `call`.
        """
        await self.call("POST", "/v1/achievements", step.request())

    async def _newest(self, *, shared_with: bool) -> tuple[str, dict[str, AchievementPublished]]:
        query = {"shared_with": str(shared_with).lower(), "whole": "true", "limit": MOST_WHOLE}
        organisation, found = "", dict[str, AchievementPublished]()
        async for page in self.pages(f"/v1/achievements?{urlencode(query)}"):
            try:
                organisation = _ID.validate_python(page["organisation"])
                found |= {(version := _version(each)).achievement_id: version for each in page["achievements"]}
            except (KeyError, TypeError, ValidationError) as error:
                problem = type(error).__name__
                told = f"the issuer service lists what this version of bowerbird cannot read ({problem})"
                raise CallError(told) from None
        return organisation, found


def _version(entry: dict[str, Any]) -> AchievementPublished:
    said = {**entry["whole"], "owner": entry["owner"], "published_at": entry["published_at"]}
    return AchievementPublished(achievement_id=_ID.validate_python(said.pop("id")), **said)
