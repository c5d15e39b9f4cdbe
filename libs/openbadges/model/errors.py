"""The errors of the engine: what is wrong with a document, where, by which code, and what a check makes of it."""

from typing import ClassVar, Literal


class CredentialError(ValueError):
    """A document, key, list or proof that cannot be used as it stands.

    Attributes:
        outcome: what a check that meets it comes to: fail, or unknown where the document may be good all the same.
        code: stable, snake_case, for programs.
        path: where in the document, as a JSON Pointer (RFC 6901); empty for the whole.
        message: for people, without the path.
    """

    outcome: ClassVar[Literal["fail", "unknown"]] = "fail"

    def __init__(self, code: str, message: str, path: str = "") -> None:
        super().__init__(f"{path}: {message}" if path else message)
        self.code = code
        self.path = path
        self.message = message


class LimitError(CredentialError):
    """Checking this would take more than the engine allows; nothing is known about whether it is good."""

    outcome = "unknown"


class UnknownContextError(CredentialError):
    """A JSON-LD context that the engine does not bundle; what the document says cannot be determined."""

    outcome = "unknown"


class UndecidedError(CredentialError):
    """The question cannot be answered with what is there or known; neither yes nor no follows."""

    outcome = "unknown"


class UnreadFormError(CredentialError):
    """The document may be good, and has a form that is not read here."""

    outcome = "unknown"
