"""One URL with a page for people and JSON for programs: whoever asks for a page gets errors as a page too."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from inspect import isawaitable
from typing import Any

from fastapi import Request
from fastapi.responses import Response
from pymongo.errors import PyMongoError

from libs.common.errors import BowerbirdError, GoneError, NotAcceptableError, NotFoundError
from libs.common.problems import MEDIA_TYPE as PROBLEM
from libs.common.telemetry import get_logger
from services.verifier.pages.negotiation import choose
from services.verifier.pages.pages import Pages

HTML = "text/html"
_TRY_AGAIN_SECONDS = 5
_NO_PAGE = (
    "There is no page here",
    "The link may have been cut off, or have got a sign too many, when it was copied: ask for the whole link.",
    "A badge's page stands at /badges/ and the badge's id, with nothing behind it. Files are checked at /.",
)


@dataclass(frozen=True, slots=True)
class ErrorPage:
    """Heading and paragraphs where there is nothing at a URL, or no more, and where it cannot be looked up just now."""

    missing: tuple[str, ...]
    unavailable: tuple[str, ...]
    gone: tuple[str, ...] = ()


async def negotiate(
    request: Request,
    offers: Sequence[str],
    make: Callable[[str], Awaitable[Response]],
    pages: Pages,
    error_page: ErrorPage,
) -> Response:
    """Return what `make` returns for the representation that the client prefers; an error too, where that is HTML.

    Raises:
        BowerbirdError, PyMongoError: `make` failed, and the client prefers JSON (the HTTP edge answers).
    """
    representation = choose(", ".join(request.headers.getlist("accept")), offers)
    try:
        answer = await make(representation)
    except (BowerbirdError, PyMongoError) as error:
        if representation != HTML:
            raise
        answer = _as_page(error, pages, error_page)
    answer.headers["Vary"] = "Accept"
    return answer


def no_such_page(
    pages: Pages, otherwise: Callable[[Request, Any], Response | Awaitable[Response]]
) -> Callable[[Request, Exception], Awaitable[Response]]:
    """Return what answers for paths that nothing stands at: a page for people, for others what `otherwise` answers."""

    async def answer(request: Request, error: Exception) -> Response:
        if getattr(error, "status_code", None) != 404 or not _asks_for_page(request):
            problem = otherwise(request, error)
            return await problem if isawaitable(problem) else problem
        page = pages.message(404, *_NO_PAGE)
        page.headers["Vary"] = "Accept"
        return page

    return answer


def _asks_for_page(request: Request) -> bool:
    try:
        return choose(", ".join(request.headers.getlist("accept")), (PROBLEM, HTML)) == HTML
    except NotAcceptableError:
        return False


def _as_page(error: Exception, pages: Pages, error_page: ErrorPage) -> Response:
    if isinstance(error, NotFoundError):
        return pages.message(404, *error_page.missing)
    if isinstance(error, GoneError):
        return pages.message(410, *error_page.gone, f"{str(error).capitalize()}.")
    get_logger().warning("page unavailable", problem=type(error).__name__)
    answer = pages.message(503, *error_page.unavailable)
    answer.headers["Retry-After"] = str(_TRY_AGAIN_SECONDS)
    return answer
