"""The one error of the engine: what is wrong with a document, where, and by which stable code."""


class CredentialError(ValueError):
    """A document, key, list or proof that cannot be used as it stands.

    Attributes:
        code: stable, snake_case, for programs.
        path: where in the document, as a JSON Pointer (RFC 6901); empty for the whole.
        message: for people, without the path.
    """

    def __init__(self, code: str, message: str, path: str = "") -> None:
        super().__init__(f"{path}: {message}" if path else message)
        self.code = code
        self.path = path
        self.message = message


class LimitError(CredentialError):
    """Checking this would take more than the engine allows; nothing is known about whether it is good."""


class UnknownContextError(CredentialError):
    """A JSON-LD context that the engine does not bundle; what the document says cannot be determined."""


class UndecidedError(CredentialError):
    """The question cannot be answered with what is there or known; neither yes nor no follows."""


class UnreadFormError(CredentialError):
    """The document may be good, and has a form that is not read here."""
