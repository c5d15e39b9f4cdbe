"""The route of the signed list of issuers: who is registered here, and since when, for others to trust."""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from fastapi import APIRouter, Request
from fastapi.responses import Response

from libs.common.errors import NotFoundError
from services.verifier.material.cache import ShortMemory
from services.verifier.material.records import StoredIssuerList
from services.verifier.pages.answers import READ, as_it_is, read_responses

ISSUER_LIST = "application/jwt"
_FRESH_SECONDS = 60


class IssuerListRecords(Protocol):
    """Where the list is read from."""

    async def issuer_list(self, newer_than: datetime | None = None) -> StoredIssuerList | None:
        """Return the list that was signed last; None where there is none that is newer."""
        ...


class IssuerListApi:
    """The handler. It holds one copy, since the list of thousands of issuers is megabytes of text."""

    def __init__(self, records: IssuerListRecords, *, clock: Callable[[], datetime], remembered_seconds: float) -> None:
        self._records = records
        self._clock = clock
        self._held: StoredIssuerList | None = None
        self._newest = ShortMemory(self._look, seconds=remembered_seconds, entries=1)

    def router(self) -> APIRouter:
        """Return the route."""
        router = APIRouter()
        router.add_api_route(
            "/issuers/list.jwt",
            self.issuer_list,
            methods=READ,
            name="read_issuer_list",
            tags=["issuers"],
            response_class=Response,
            responses=read_responses(ISSUER_LIST, errors=(NotFoundError,)),
        )
        return router

    async def issuer_list(self, request: Request) -> Response:
        """Every issuer that is registered here, as a compact JWS of the type `issuer-list+jwt`."""
        held = await self._newest.get("")
        if held is None:
            raise NotFoundError("no list of issuers is published here")
        left = int((held.ends_at - self._clock()).total_seconds())
        return as_it_is(request, held.text, ISSUER_LIST, f"public, max-age={max(0, min(_FRESH_SECONDS, left))}")

    async def _look(self, _key: str) -> StoredIssuerList | None:
        held = self._held
        newer = await self._records.issuer_list(None if held is None else held.published_at)
        self._held = newer or held
        return self._held
