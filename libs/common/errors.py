"""The one taxonomy of errors; the edge (http.py) turns them into problem documents (RFC 9457)."""

from collections.abc import Sequence
from typing import NotRequired, TypedDict


class FieldProblem(TypedDict):
    """What is not valid in one part of a request, as `libs.common.problems.FieldError` sends and documents it."""

    field: str
    reason: str
    code: NotRequired[str]


class BowerbirdError(Exception):
    """An error that we foresaw. Its text is safe to show to whoever sent the request.

    `status` is the HTTP status at the edge, `code` the stable last part of the problem document's `type`. The first
    line of each class's docstring stands in the OpenAPI documents: it speaks to whoever calls.
    """

    status = 500
    code = "internal"
    title = "Internal error"
    # Whether somebody asked for what they have no right to; such errors go into the audit log.
    is_refusal = False


class InvalidRequestError(BowerbirdError):
    """The request cannot be understood; `errors` says which parts and why."""

    status = 400
    code = "invalid-request"
    title = "Invalid request"

    def __init__(self, detail: str, errors: Sequence[FieldProblem] = ()) -> None:
        super().__init__(detail)
        self.errors = list(errors)


class UnauthenticatedError(BowerbirdError):
    """The request has no API key, or one that is not known."""

    status = 401
    code = "unauthenticated"
    title = "Authentication required"
    is_refusal = True


class ForbiddenError(BowerbirdError):
    """The API key is valid and lacks the scope."""

    status = 403
    code = "forbidden"
    title = "Forbidden"
    is_refusal = True


class NotFoundError(BowerbirdError):
    """Nothing exists under this id, or it belongs to another tenant: both look the same from outside."""

    status = 404
    code = "not-found"
    title = "Not found"

    @classmethod
    def for_caller(cls, what: str = "nothing") -> "NotFoundError":
        """Return the error of an id that does not exist or is another tenant's; `what` is such as 'no batch'."""
        return cls(f"there is {what} under this id that your key may see")


class OtherTenantError(NotFoundError):
    """Nothing exists under this id, or it belongs to another tenant: both look the same from outside."""

    is_refusal = True


class NotAcceptableError(BowerbirdError):
    """None of the representations that exist is one that the Accept header takes."""

    status = 406
    code = "not-acceptable"
    title = "Not acceptable"


class RequestTimeoutError(BowerbirdError):
    """The body took too long to arrive; the detail names the limit."""

    status = 408
    code = "request-timeout"
    title = "Request timeout"


class ConflictError(BowerbirdError):
    """The request conflicts with what is stored; the detail says how."""

    status = 409
    code = "conflict"
    title = "Conflict"


class UnreadableError(ConflictError):
    """What is stored of the newest version cannot be read: it was damaged, and no next one can be told from it.

    Attributes:
        version: the number of what cannot be read, as far as it is known.
    """

    def __init__(self, document: str, version: object) -> None:
        super().__init__(
            f"{document} is stored and cannot be read; whoever runs the service puts it right "
            "(docs/runbooks/BowerbirdEvidenceParked.md, 'What is stored was damaged')"
        )
        self.version = version if isinstance(version, int) else 0


class OrganisationClosedError(ConflictError):
    """The organisation has closed, and takes evidence no longer; the detail says since when, and what follows it."""

    code = "organisation-closed"
    title = "Organisation closed"


class GoneError(BowerbirdError):
    """What stood here was taken down for good; the detail has the code of the reason."""

    status = 410
    code = "gone"
    title = "Gone"


class TooLargeError(BowerbirdError):
    """The body exceeds a limit; the detail names the limit."""

    status = 413
    code = "too-large"
    title = "Content too large"


class UnsupportedMediaError(BowerbirdError):
    """The Content-Type or Content-Encoding is not supported here; the detail names those that are."""

    status = 415
    code = "unsupported-media-type"
    title = "Unsupported media type"
    accepted: Sequence[str] = ()

    @classmethod
    def of(cls, accepted: Sequence[str], problem: str = "") -> "UnsupportedMediaError":
        """Return the error that names the media types that are taken here, also for its Accept header."""
        taken = f"send {' or '.join(accepted)}, named in the header Content-Type"
        error = cls(f"{problem}; {taken}" if problem else taken)
        error.accepted = accepted
        return error


class TooManyRequestsError(BowerbirdError):
    """More requests than the limit of the key, its issuer or the client's address allows; Retry-After says when."""

    status = 429
    code = "too-many-requests"
    title = "Too many requests"

    def __init__(self, detail: str, seconds: int) -> None:
        super().__init__(detail)
        self.seconds = seconds


class UnavailableError(BowerbirdError):
    """Something that this needs is unavailable; nothing was acknowledged, and trying again later is safe."""

    status = 503
    code = "unavailable"
    title = "Service unavailable"


ERRORS: tuple[type[BowerbirdError], ...] = (
    InvalidRequestError,
    UnauthenticatedError,
    ForbiddenError,
    NotFoundError,
    NotAcceptableError,
    RequestTimeoutError,
    ConflictError,
    GoneError,
    TooLargeError,
    UnsupportedMediaError,
    TooManyRequestsError,
    UnavailableError,
)
