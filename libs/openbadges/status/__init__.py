"""Credential status: Bitstring Status List 1.0, entries, and checks of every kind of status."""

from libs.openbadges.status.bitstring import MINIMUM_SIZE, StatusIndexes, StatusList, entry, list_document
from libs.openbadges.status.check import VerifiedStatusLists, check_entries, status_lists_of

__all__ = [
    "MINIMUM_SIZE",
    "StatusIndexes",
    "StatusList",
    "VerifiedStatusLists",
    "check_entries",
    "entry",
    "list_document",
    "status_lists_of",
]
