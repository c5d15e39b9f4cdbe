"""The one taxonomy of errors; the edge (http.py) turns them into problem documents (RFC 9457)."""


class BowerbirdError(Exception):
    """An error that we foresaw. Its text is safe to show to whoever sent the request.

    `status` is the HTTP status at the edge, `code` the stable last part of the problem document's `type`.
    """

    status = 500
    code = "internal"
    title = "Something went wrong on our side"


class InvalidRequestError(BowerbirdError):
    """What was sent cannot be understood; `errors` says which parts and why."""

    status = 400
    code = "invalid-request"
    title = "The request is not valid"

    def __init__(self, detail: str, errors: list[dict[str, str]] | None = None) -> None:
        super().__init__(detail)
        self.errors = errors or []


class UnauthenticatedError(BowerbirdError):
    """No API key, or one that we do not know."""

    status = 401
    code = "unauthenticated"
    title = "A valid API key is needed"


class ForbiddenError(BowerbirdError):
    """The API key is valid and lacks the scope."""

    status = 403
    code = "forbidden"
    title = "The API key does not allow this"


class NotFoundError(BowerbirdError):
    """There is no such thing, or it belongs to another tenant: both look the same from outside."""

    status = 404
    code = "not-found"
    title = "There is no such thing here"


class RequestTimeoutError(BowerbirdError):
    """The sender took too long; the text names the limit."""

    status = 408
    code = "request-timeout"
    title = "The request took too long"


class ConflictError(BowerbirdError):
    """The same id already stands for something else."""

    status = 409
    code = "conflict"
    title = "This contradicts what is already there"


class TooLargeError(BowerbirdError):
    """The body passes a limit; the text names the limit."""

    status = 413
    code = "too-large"
    title = "The request is too large"


class UnsupportedMediaError(BowerbirdError):
    """The content type or encoding is none that this call takes; the text names those it takes."""

    status = 415
    code = "unsupported-media-type"
    title = "This content type is not supported here"


class UnavailableError(BowerbirdError):
    """Something we depend on is away for the moment; trying again later is safe."""

    status = 503
    code = "unavailable"
    title = "Not possible at this moment"


ERRORS: tuple[type[BowerbirdError], ...] = (
    InvalidRequestError,
    UnauthenticatedError,
    ForbiddenError,
    NotFoundError,
    RequestTimeoutError,
    ConflictError,
    TooLargeError,
    UnsupportedMediaError,
    UnavailableError,
)
