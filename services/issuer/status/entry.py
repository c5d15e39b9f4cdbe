"""The place of one credential in a status list."""

from dataclasses import dataclass

import orjson


@dataclass(frozen=True, slots=True)
class StatusEntry:
    """The entry of one credential in a status list (Bitstring Status List, section 2.1)."""

    list_id: str
    index: int


def named_entry(document: str) -> StatusEntry | None:
    """Return the entry that the signed text of a credential of ours names; None where none can be read from it."""
    try:
        status = orjson.loads(document)["credentialStatus"]
        return StatusEntry(status["statusListCredential"].rpartition("/")[2], int(status["statusListIndex"]))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
