"""One address, a page for people and JSON for programs: whoever came for a page is told in a page what went wrong."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from fastapi import Request
from fastapi.responses import Response
from pymongo.errors import PyMongoError

from libs.common.errors import BowerbirdError, NotFoundError
from libs.common.telemetry import get_logger
from services.verifier.pages.negotiation import choose
from services.verifier.pages.pages import Pages

HTML = "text/html"
_TRY_AGAIN_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Apology:
    """A heading and paragraphs where there is nothing at an address, and where it cannot be looked up just now."""

    missing: tuple[str, ...]
    away: tuple[str, ...]


async def represent(
    request: Request,
    offers: Sequence[str],
    make: Callable[[str], Awaitable[Response]],
    pages: Pages,
    apology: Apology,
) -> Response:
    """What `make` answers in the representation that the client would rather have; an error too, where that is HTML.

    Raises:
        BowerbirdError, PyMongoError: `make` failed, and the client prefers JSON: the edge answers a problem document.
    """
    representation = choose(", ".join(request.headers.getlist("accept")), offers)
    try:
        answer = await make(representation)
    except (BowerbirdError, PyMongoError) as error:
        if representation != HTML:
            raise
        answer = _sorry(error, pages, apology)
    answer.headers["Vary"] = "Accept"
    return answer


def _sorry(error: Exception, pages: Pages, apology: Apology) -> Response:
    if isinstance(error, NotFoundError):
        return pages.message(404, *apology.missing)
    get_logger().warning("page not possible", problem=type(error).__name__)
    answer = pages.message(503, *apology.away)
    answer.headers["Retry-After"] = str(_TRY_AGAIN_SECONDS)
    return answer
