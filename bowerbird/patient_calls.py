"""Calls of the issuer service that are safe to repeat: while it is merely busy or away they are, for some minutes."""

import asyncio
import random
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

import httpx

from bowerbird import service_api
from bowerbird.service_api import CallError

_ATTEMPTS: Final = 8
_LONGEST_PAUSE: Final = 30.0
_TRANSIENT: Final = frozenset({429, 502, 503, 504})


class PatientCalls:
    """What is asked of the issuer service, however long that takes."""

    def __init__(self, http: httpx.AsyncClient, pause: float = 0.5) -> None:
        """Take the client, and how long to wait before the first repetition, in seconds."""
        self._http = http
        self._pause = pause

    async def pages(self, path: str) -> AsyncIterator[dict[str, Any]]:
        """Yield each page of a list, from the one at this path.

        Raises:
            CallError: see `call`.
        """
        following: str | None = path
        while following is not None:
            page = await self.call("GET", following)
            yield page
            following = page["next"]

    async def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Return the JSON of a 2xx answer.

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
