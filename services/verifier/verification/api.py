"""The verifier's routes: verify anything, and the public documents that verifying needs. All are open to anybody."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Path, Request
from fastapi.responses import Response

from libs.common.bodies import read_body
from libs.common.body_limits import body_limit
from libs.common.errors import GoneError, NotAcceptableError, NotFoundError, RequestTimeoutError
from libs.common.openapi import file_body, json_body
from libs.common.problems import documented
from libs.openbadges.jsonld.parsing import parse
from libs.openbadges.model.errors import CredentialError
from services.verifier.material.lookup import PublicRecords
from services.verifier.material.repository import StoredCredential, StoredStatusList, TakenDown
from services.verifier.pages.answers import FOR_A_MINUTE, READ, as_it_is, read_responses
from services.verifier.pages.error_pages import HTML, ErrorPage, negotiate
from services.verifier.pages.negotiation import choose
from services.verifier.pages.pages import Pages
from services.verifier.pages.pictures import Pictures
from services.verifier.verification.models import BadgeQuestion, CredentialDocument, CredentialQuestion, ReportView
from services.verifier.verification.submission import (
    FILE_TYPES,
    JSON_TYPES,
    MEDIA_TYPES,
    MOST_PICTURE_BYTES,
    parse_badge_id,
    read_request,
)
from services.verifier.verification.verifier import Verifier

# The page first: a client without preferences is a person who follows a link.
SIGNED = "application/vc+ld+json"
SVG, PNG = "image/svg+xml", "image/png"
REPRESENTATIONS = (HTML, SIGNED, "application/vc", "application/ld+json", "application/json")
# Lists are signed by Data Integrity proofs: there is none as a JWT.
LIST_REPRESENTATIONS = (SIGNED, "application/vc", "application/ld+json", "application/json")
# Where a list does not say how long it may be kept.
_DEFAULT_TTL_SECONDS = 2.0
BadgeId = Annotated[str, Path(description="the UUID of the badge", examples=["0d8e4a52-95a8-4f43-9a0d-7a3c5f0e8d11"])]
IssuerId = Annotated[str, Path(description="the id of the issuer", examples=["wattle-grove"])]
ListId = Annotated[str, Path(description="the id of the status list", examples=["wattle-grove-1"])]
_ERROR_PAGE = ErrorPage(
    missing=(
        "There is no badge here",
        "The link may have been cut off when it was copied. Ask whoever sent it to you for the whole link.",
        "A badge that was issued moments ago can take a few seconds to appear.",
    ),
    gone=(
        "This badge was taken down",
        "What it said is not shown any more, and it is no longer good. That is for good: no copy of it is kept here.",
    ),
    unavailable=(
        "This badge could not be checked just now",
        "That is neither a yes nor a no: our own records could not be reached. Try again in a moment.",
    ),
)


class Api:
    """The handlers, with what they depend on."""

    def __init__(
        self,
        repository: PublicRecords,
        verifier: Verifier,
        pages: Pages,
        *,
        public_base: str,
        clock: Callable[[], datetime],
    ) -> None:
        self._clock = clock
        self._repository = repository
        self._verifier = verifier
        self._pages = pages
        self._pictures = Pictures()
        self._public_base = public_base

    def router(self) -> APIRouter:
        """Return all routes of the service."""
        router = APIRouter()
        router.add_api_route(
            "/v1/verify",
            self.verify,
            methods=["POST"],
            name="verify",
            tags=["verification"],
            response_model=ReportView,
            responses={
                200: {"description": "The report, whatever the verdict."},
                **documented(NotFoundError, GoneError, RequestTimeoutError),
            },
            openapi_extra=file_body(
                json_body(CredentialDocument, CredentialQuestion, BadgeQuestion, media_types=JSON_TYPES), FILE_TYPES
            ),
            dependencies=[body_limit(MOST_PICTURE_BYTES)],
        )
        described: dict[str, Any] = {"methods": READ, "tags": ["badges"], "response_class": Response}
        router.add_api_route(
            "/badges/{badge_id}",
            self.badge,
            name="read_badge",
            responses=read_responses(
                *REPRESENTATIONS, errors=(NotFoundError, GoneError, NotAcceptableError), page=True
            ),
            **described,
        )
        router.add_api_route(
            "/badges/{badge_id}/credential.json",
            self.download,
            name="download_badge",
            responses=read_responses(SIGNED, errors=(NotFoundError, GoneError)),
            **described,
        )
        for part, kind, handler, name in (
            ("image.svg", SVG, self.picture, "read_badge_image"),
            ("image.png", PNG, self.picture_png, "read_badge_image_png"),
            ("card.png", PNG, self.card, "read_badge_card"),
        ):
            router.add_api_route(
                f"/badges/{{badge_id}}/{part}",
                handler,
                name=name,
                responses=read_responses(kind, errors=(NotFoundError, GoneError)),
                **described,
            )
        router.add_api_route(
            "/issuers/{issuer_id}/did.json",
            self.did_document,
            name="read_did_document",
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

    async def verify(self, request: Request) -> Response:
        """Verify what was sent; the answer is a report with a verdict of pass, fail or unknown."""
        body = await read_body(request, MEDIA_TYPES)
        submission = read_request(body, request.headers.get("content-type", ""), self._public_base)
        if submission.badge_id is not None:
            stored = await self._repository.credential(submission.badge_id)
            if stored is None:
                raise NotFoundError("there is no badge of ours at this URL; look whether it was copied in full")
            if isinstance(stored, TakenDown):
                raise _gone(stored)
            report = await self._verifier.verify_stored(stored, submission.recipient)
        else:
            report = await self._verifier.verify(submission.text or b"", recipient=submission.recipient)
        return Response(
            orjson.dumps(report.to_dict()), media_type="application/json", headers={"Cache-Control": "no-store"}
        )

    async def badge(self, request: Request, badge_id: BadgeId) -> Response:
        """The badge's page, or the signed document where the client prefers JSON."""

        async def make(representation: str) -> Response:
            stored = await self._stored(badge_id)
            if representation == HTML:
                return await self._page(stored)
            return as_it_is(request, stored.text, representation, FOR_A_MINUTE)

        return await negotiate(request, REPRESENTATIONS, make, self._pages, _ERROR_PAGE)

    async def download(self, request: Request, badge_id: BadgeId) -> Response:
        """The signed document, byte for byte, as a file to keep."""
        stored = await self._stored(badge_id)
        answer = as_it_is(request, stored.text, SIGNED, FOR_A_MINUTE)
        answer.headers["Content-Disposition"] = f'attachment; filename="badge-{stored.id}.json"'
        return answer

    async def picture(self, request: Request, badge_id: BadgeId) -> Response:
        """The badge's picture as SVG, with the signed document baked into it."""
        stored = await self._stored(badge_id)
        return as_it_is(request, await self._pictures.svg(stored.text), SVG, FOR_A_MINUTE)

    async def picture_png(self, request: Request, badge_id: BadgeId) -> Response:
        """The badge's picture as PNG, with the signed document baked into it."""
        stored = await self._stored(badge_id)
        return as_it_is(request, await self._pictures.png(stored.text), PNG, FOR_A_MINUTE)

    async def card(self, request: Request, badge_id: BadgeId) -> Response:
        """The picture that goes with a link to the badge, 1200 by 630 pixels; it says where the badge was revoked."""
        stored = await self._stored(badge_id)
        card = await self._pictures.card(stored.text, revoked=stored.revoked_at is not None)
        return as_it_is(request, card, PNG, FOR_A_MINUTE)

    async def did_document(self, request: Request, issuer_id: IssuerId) -> Response:
        """The DID document that did:web of an issuer stands for."""
        text = await self._repository.did_document(issuer_id)
        if text is None:
            raise NotFoundError("there is no issuer of this id here")
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

    async def _stored(self, badge_id: str) -> StoredCredential:
        known = parse_badge_id(badge_id)
        stored = None if known is None else await self._repository.credential(known)
        if stored is None:
            raise NotFoundError("there is no badge of this id here")
        if isinstance(stored, TakenDown):
            raise _gone(stored)
        return stored

    async def _page(self, stored: StoredCredential) -> Response:
        report = await self._verifier.verify_stored(stored)
        document = report.credential if report.credential is not None else _readable(stored)
        return self._pages.badge(stored.id, document, report, self._public_base)


def _gone(taken_down: TakenDown) -> GoneError:
    return GoneError(f"this badge was taken down for good; the reason is {taken_down.reason}")


def _until_stale(status_list: StoredStatusList, now: datetime) -> str:
    """Return the Cache-Control of a list: as long as it says that a copy may be kept, and never beyond its end."""
    seconds = _DEFAULT_TTL_SECONDS if status_list.ttl_seconds is None else status_list.ttl_seconds
    if status_list.valid_until is not None:
        seconds = min(seconds, (status_list.valid_until - now).total_seconds())
    return f"public, max-age={max(0, int(seconds))}"


def _readable(stored: StoredCredential) -> Mapping[str, Any]:
    """The document as far as it can be read; one that cannot be read has nothing to show."""
    try:
        return parse(stored.text)
    except CredentialError:
        return {}
