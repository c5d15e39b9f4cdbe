"""The calls of the issuer service that make a plan true, each safe to repeat."""

from typing import Any, Final
from urllib.parse import quote, urlencode

from bowerbird.organisations.key_folder import KeyFolder
from bowerbird.organisations.plan import Step
from bowerbird.patient_calls import PatientCalls

FIRST_KEY: Final = "First key"
"""The name of the key that an organisation is given with its file."""

_PAGE: Final = 500


class OrganisationCalls(PatientCalls):
    """What is asked of the issuer service for a file of organisations."""

    async def everything(self) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, Any]]]:
        """Return every organisation that is there, and every issuer, each by id.

        Raises:
            CallError: see `call`.
        """
        return await self._pages("organisations"), await self._pages("issuers")

    async def _pages(self, kind: str) -> dict[str, dict[str, Any]]:
        pages = self.pages(f"/v1/{kind}?{urlencode({'limit': _PAGE})}")
        return {each["id"]: each async for page in pages for each in page[kind]}

    async def take(self, step: Step, keys: KeyFolder | None) -> None:
        """Publish what a step is about, and give it its first key.

        Raises:
            CallError: see `call`.
            OSError: the key's file cannot be written.
        """
        if step.request is not None:
            await self.call("POST", "/v1/organisations", step.request)
        if step.key_scopes and keys is not None:
            await self._make_key(step.organisation_id, step.key_scopes, keys)

    async def _make_key(self, organisation_id: str, scopes: tuple[str, ...], keys: KeyFolder) -> None:
        path = f"/v1/issuers/{quote(organisation_id, safe='')}/keys"
        if organisation_id in keys.unfinished():
            for each in (await self.call("GET", path))["keys"]:
                if each["name"] == FIRST_KEY and each["end_reason"] is None:
                    await self.call("DELETE", f"{path}/{each['id']}?{urlencode({'reason': 'It was never received'})}")
        keys.announce(organisation_id)
        made = await self.call("POST", path, {"name": FIRST_KEY, "scopes": list(scopes)})
        keys.write(organisation_id, made["key"])
