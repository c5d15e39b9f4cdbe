"""The routes of what is published for verifiers: DID documents and status lists. All are open to anybody."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response

from libs.common.errors import NotAcceptableError, NotFoundError
from libs.openbadges.crypto.did import did_web, did_web_url
from services.verifier.material.lookup import PublicRecords
from services.verifier.material.records import StoredStatusList
from services.verifier.pages.answers import FOR_A_MINUTE, READ, as_it_is, read_responses
from services.verifier.pages.negotiation import choose

# Lists are signed by Data Integrity proofs: there is none as a JWT.
LIST_REPRESENTATIONS = ("application/vc+ld+json", "application/vc", "application/ld+json", "application/json")
# Where a list does not say how long it may be kept.
_DEFAULT_TTL_SECONDS = 2.0
IssuerId = Annotated[str, Path(description="the id of the issuer", examples=["wattle-grove"])]
ListId = Annotated[str, Path(description="the id of the status list", examples=["1795859640-1"])]


class IssuerApi:
    """The handlers, with what they depend on."""

    def __init__(self, repository: PublicRecords, clock: Callable[[], datetime], *, public_base: str) -> None:
        self._repository = repository
        self._clock = clock
        base = urlsplit(public_base)
        # Where did:web looks for the document of the public URL, as seen from below that.
        self._authority_path = urlsplit(did_web_url(did_web(public_base))).path.removeprefix(base.path.rstrip("/"))

    def router(self) -> APIRouter:
        """All routes."""
        router = APIRouter()
        described: dict[str, Any] = {"methods": READ, "tags": ["badges"], "response_class": Response}
        router.add_api_route(
            "/issuers/{issuer_id}/did.json",
            self.did_document,
            name="read_did_document",
            responses=read_responses("application/did+json", errors=(NotFoundError,)),
            **described,
        )
        router.add_api_route(
            self._authority_path,
            self.authority_document,
            name="read_authority_did_document",
            responses=read_responses("application/did+json", errors=(NotFoundError,)),
            **described,
        )
        router.add_api_route(
            "/status/{list_id}",
            self.status_list,
            name="read_status_list",
            responses=read_responses(*LIST_REPRESENTATIONS, errors=(NotFoundError, NotAcceptableError)),
            **described,
        )
        return router

    async def did_document(self, request: Request, issuer_id: IssuerId) -> Response:
        """The DID document that did:web of an issuer stands for."""
        text = await self._repository.did_document(issuer_id)
        if text is None:
            raise NotFoundError("there is no issuer of this id here")
        return as_it_is(request, text, "application/did+json", FOR_A_MINUTE)

    async def authority_document(self, request: Request) -> Response:
        """The DID document of the authority itself, whose keys sign status lists."""
        text = await self._repository.authority_document()
        if text is None:
            raise NotFoundError("the authority has not published its keys yet")
        return as_it_is(request, text, "application/did+json", FOR_A_MINUTE)

    async def status_list(self, request: Request, list_id: ListId) -> Response:
        """The newest version of a status list credential, byte for byte as it was signed."""
        media_type = choose(", ".join(request.headers.getlist("accept")), LIST_REPRESENTATIONS)
        held = await self._repository.status_list(list_id)
        if held is None:
            raise NotFoundError("there is no status list of this id here")
        answer = as_it_is(request, held.text, media_type, _until_stale(held, self._clock()))
        answer.headers["Vary"] = "Accept"
        return answer


def _until_stale(status_list: StoredStatusList, now: datetime) -> str:
    """Return the Cache-Control of a list: as long as it says that a copy may be kept, and never beyond its end."""
    seconds = _DEFAULT_TTL_SECONDS if status_list.ttl_seconds is None else status_list.ttl_seconds
    if status_list.valid_until is not None:
        seconds = min(seconds, (status_list.valid_until - now).total_seconds())
    return f"public, max-age={max(0, int(seconds))}"
