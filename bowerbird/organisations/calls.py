"""The calls of the issuer service that make a plan true: retried, within limits, and each safe to repeat."""

import asyncio
import random
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, urlencode

import httpx

from bowerbird import service_api
from bowerbird.organisations.key_folder import KeyFolder
from bowerbird.organisations.plan import Step
from bowerbird.service_api import CallError

FIRST_KEY: Final = "First key"
"""The name of the key that an organisation is given with its file."""

_PAGE: Final = 500
_ATTEMPTS: Final = 8
_LONGEST_PAUSE: Final = 30.0
_TRANSIENT: Final = frozenset({429, 502, 503, 504})


class OrganisationCalls:
    """What is asked of the issuer service."""

    def __init__(self, http: httpx.AsyncClient, pause: float = 0.5) -> None:
        """Take the client, and how long to wait before the first repetition, in seconds."""
        self._http = http
        self._pause = pause

    async def everything(self) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, Any]]]:
        """Return every organisation that is there, and every issuer, each by id.

        Raises:
            CallError: see `call`.
        """
        return await self._pages("organisations"), await self._pages("issuers")

    async def _pages(self, kind: str) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        path: str | None = f"/v1/{kind}?{urlencode({'limit': _PAGE})}"
        while path is not None:
            page = await self.call("GET", path)
            found |= {each["id"]: each for each in page[kind]}
            path = page["next"]
        return found

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

    async def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Return the JSON of a 2xx answer; what is merely busy or away is asked again, for some minutes.

        Raises:
            CallError: it is refused, or away for too long.
        """
        pause = self._pause
        for attempt in range(_ATTEMPTS):
            try:
                answer = await self._http.request(method, path, json=body)
            except httpx.TransportError as error:
                if attempt == _ATTEMPTS - 1:
                    problem = type(error).__name__
                    raise CallError(
                        f"the issuer service at {self._http.base_url} does not answer ({problem})"
                    ) from None
                wait = pause
            else:
                if answer.status_code not in _TRANSIENT or attempt == _ATTEMPTS - 1:
                    return service_api.content_of(self._http, answer, "issuer")
                told = answer.headers.get("retry-after", "")
                wait = min(float(told), _LONGEST_PAUSE) if told.isdigit() else pause
            await asyncio.sleep(wait * random.uniform(1.0, 1.5))  # noqa: S311  # jitter
            pause = min(pause * 2, _LONGEST_PAUSE)
        raise AssertionError("the last attempt returns or raises")
