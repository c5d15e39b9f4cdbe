"""What a Comprehensive Learner Record must be, the same for issuing and for verifying, and what stands in one."""

from typing import Any, Final

from libs.openbadges.model.context_urls import CREDENTIALS_V2
from libs.openbadges.model.documents import read_model
from libs.openbadges.model.errors import LimitError
from libs.openbadges.model.members import first_context, types_of

MOST_EMBEDDED: Final = 100
"""Credentials of a record that are verified; a record with more is neither issued nor answered with a pass."""


def is_record(document: dict[str, Any]) -> bool:
    """Return whether a document says of itself that it is a learner record."""
    return "ClrCredential" in types_of(document)


def embedded_of(document: dict[str, Any]) -> list[Any]:
    """Return the credentials in a learner record, one more than `MOST_EMBEDDED` at most; none of another document."""
    if not is_record(document):
        return []
    subject = document.get("credentialSubject")
    held: list[Any] = []
    for one in subject if isinstance(subject, list) else [subject]:
        credentials = one.get("verifiableCredential", []) if isinstance(one, dict) else []
        held += credentials[: MOST_EMBEDDED + 1] if isinstance(credentials, list) else [credentials]
    return held[: MOST_EMBEDDED + 1]


def check_record(document: dict[str, Any]) -> None:
    """Check a record by the final data model (CLR 2.0, class ClrCredential).

    The official schema is of an older version, so what it alone refuses may be right; see `schema.validate_record`.

    Raises:
        CredentialError: `model`, with the path of the first value that the data model does not allow.
        LimitError: `too_many_embedded`, more than `MOST_EMBEDDED` credentials.
    """
    if first_context(document) == CREDENTIALS_V2:
        read_model(document)
    if len(embedded_of(document)) > MOST_EMBEDDED:
        raise LimitError("too_many_embedded", f"The record holds more than {MOST_EMBEDDED} credentials.")
