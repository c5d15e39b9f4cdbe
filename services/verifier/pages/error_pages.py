"""One URL with a page for people and JSON for programs: whoever asks for a page gets errors as a page too."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from fastapi import Request
from fastapi.responses import Response
from pymongo.errors import PyMongoError

from libs.common.errors import BowerbirdError, GoneError, NotFoundError
from libs.common.telemetry import get_logger
from services.verifier.pages.negotiation import choose
from services.verifier.pages.pages import Pages

HTML = "text/html"
_TRY_AGAIN_SECONDS = 5


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


def _as_page(error: Exception, pages: Pages, error_page: ErrorPage) -> Response:
    if isinstance(error, NotFoundError):
        return pages.message(404, *error_page.missing)
    if isinstance(error, GoneError):
        return pages.message(410, *error_page.gone, f"{str(error).capitalize()}.")
    get_logger().warning("page unavailable", problem=type(error).__name__)
    answer = pages.message(503, *error_page.unavailable)
    answer.headers["Retry-After"] = str(_TRY_AGAIN_SECONDS)
    return answer
