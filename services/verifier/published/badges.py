"""The routes of badges: page, signed document, pictures. All are open to anybody."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response

from libs.common.errors import GoneError, NotAcceptableError, NotFoundError
from libs.openbadges.jsonld.parsing import parse
from libs.openbadges.model.errors import CredentialError
from services.verifier.material.affiliation import Affiliations
from services.verifier.material.lookup import PublicRecords
from services.verifier.material.records import StoredCredential, TakenDown
from services.verifier.pages.answers import FOR_A_MINUTE, READ, as_it_is, gone, read_responses
from services.verifier.pages.error_pages import HTML, ErrorPage, negotiate
from services.verifier.pages.pages import Pages
from services.verifier.pages.pictures import Pictures
from services.verifier.verification.submission import parse_badge_id
from services.verifier.verification.verifier import Verifier

SIGNED = "application/vc+ld+json"
SVG, PNG = "image/svg+xml", "image/png"
# The page first: a client without preferences is a person who follows a link.
REPRESENTATIONS = (HTML, SIGNED, "application/vc", "application/ld+json", "application/json")
BadgeId = Annotated[str, Path(description="the UUID of the badge", examples=["0d8e4a52-95a8-4f43-9a0d-7a3c5f0e8d11"])]
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


class BadgeApi:
    """The handlers, with what they depend on."""

    def __init__(
        self,
        repository: PublicRecords,
        verifier: Verifier,
        pages: Pages,
        affiliations: Affiliations,
        pictures: Pictures,
        *,
        public_base: str,
    ) -> None:
        self._repository = repository
        self._verifier = verifier
        self._pages = pages
        self._pictures = pictures
        self._affiliations = affiliations
        self._public_base = public_base

    def router(self) -> APIRouter:
        """All routes of badges."""
        router = APIRouter()
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
            ("qr.svg", SVG, self.qr_code, "read_badge_qr_code"),
        ):
            router.add_api_route(
                f"/badges/{{badge_id}}/{part}",
                handler,
                name=name,
                responses=read_responses(kind, errors=(NotFoundError, GoneError)),
                **described,
            )
        return router

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

    async def qr_code(self, request: Request, badge_id: BadgeId) -> Response:
        """The URL of the badge's page as a QR code, for print."""
        stored = await self._stored(badge_id)
        code = await self._pictures.qr_code(f"{self._public_base}/badges/{stored.id}")
        return as_it_is(request, code, SVG, FOR_A_MINUTE)

    async def _stored(self, badge_id: str) -> StoredCredential:
        known = parse_badge_id(badge_id)
        stored = None if known is None else await self._repository.credential(known)
        if stored is None:
            raise NotFoundError("there is no badge of this id here")
        if isinstance(stored, TakenDown):
            raise gone(stored)
        return stored

    async def _page(self, stored: StoredCredential) -> Response:
        report = await self._verifier.verify_stored(stored)
        document = report.credential if report.credential is not None else _readable(stored)
        affiliation = await self._affiliations.of(stored.issuer_id)
        return self._pages.badge(
            stored.id,
            document,
            report,
            self._public_base,
            affiliation,
            revocation_reason=stored.revocation_reason,
            superseded_by=stored.superseded_by,
        )


def _readable(stored: StoredCredential) -> Mapping[str, Any]:
    """The document as far as it can be read; one that cannot be read has nothing to show."""
    try:
        return parse(stored.text)
    except CredentialError:
        return {}
