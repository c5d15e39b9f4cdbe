"""The page at /: anybody checks a file, a picture or a link by a plain form, without a script."""

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from pymongo.errors import PyMongoError

from libs.common.body_limits import body_limit
from libs.common.errors import BowerbirdError, InvalidRequestError
from libs.common.telemetry import get_logger
from services.verifier.material.affiliation import Affiliations
from services.verifier.pages.answers import READ
from services.verifier.pages.pages import Pages
from services.verifier.verification.form import read_form
from services.verifier.verification.submission import MOST_PICTURE_BYTES, badge_id_of
from services.verifier.verification.verifier import Verifier

# The file and the parts around it.
_MOST_FORM_BYTES = MOST_PICTURE_BYTES + 64 * 1024
_TRY_AGAIN_SECONDS = 5


class CheckPage:
    """The form, and the verdicts on what is sent by it. Nothing that is sent is kept, and nothing is fetched."""

    def __init__(self, verifier: Verifier, pages: Pages, affiliations: Affiliations, *, public_base: str) -> None:
        self._verifier = verifier
        self._pages = pages
        self._affiliations = affiliations
        self._public_base = public_base

    def router(self) -> APIRouter:
        """Both routes; a page for people, so no part of the OpenAPI document."""
        router = APIRouter(include_in_schema=False)
        router.add_api_route("/", self.form, methods=READ)
        router.add_api_route("/", self.check, methods=["POST"], dependencies=[body_limit(_MOST_FORM_BYTES)])
        return router

    async def form(self) -> Response:
        """The form."""
        return self._pages.check(self._public_base)

    async def check(self, request: Request) -> Response:
        """The verdicts on a file, or the page of the badge that a link stands for."""
        try:
            form = read_form(await request.body(), request.headers.get("content-type", ""))
            if bool(form.file) == bool(form.link):
                raise InvalidRequestError("Choose a file or paste a link, one of the two.")
            if form.link:
                return RedirectResponse(f"badges/{self._badge_id(form.link)}", 303)
            report = await self._verifier.verify(form.file)
            party = None if report.signer is None else report.signer.party
            affiliation = await self._affiliations.of(None if party is None else party.issuer_id)
            return self._pages.checked(report, affiliation)
        except (BowerbirdError, PyMongoError) as error:
            return self._problem(error)

    def _badge_id(self, link: str) -> str:
        try:
            return str(badge_id_of(link, self._public_base))
        except InvalidRequestError:
            raise InvalidRequestError(
                "This is not the link of a badge that was issued here. Nothing is fetched from other sites: save the"
                " credential or its picture from there as a file, and check that."
            ) from None

    def _problem(self, error: Exception) -> Response:
        if isinstance(error, BowerbirdError) and error.status < 500:
            words = str(error)
            return self._pages.check(
                self._public_base, status=error.status, problem=words[:1].upper() + words[1:].removesuffix(".") + "."
            )
        get_logger().warning("page unavailable", problem=type(error).__name__)
        words = "It could not be checked just now, which is neither a yes nor a no. Try again in a moment."
        answer = self._pages.check(self._public_base, status=503, problem=words)
        answer.headers["Retry-After"] = str(_TRY_AGAIN_SECONDS)
        return answer
