"""The place of one credential in a status list."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StatusEntry:
    """The entry of one credential in a status list (Bitstring Status List, section 2.1)."""

    list_id: str
    index: int
