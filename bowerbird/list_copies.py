"""Several copies of one status list that were given: which of them counts, if any."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from libs.openbadges.model.errors import CredentialError
from libs.openbadges.model.members import issuer_of, moment_of, validity_names
from libs.openbadges.status.check import VerifiedStatusList


class Copy(NamedTuple):
    """A file with a status list: what it says, before that is proven, and its bytes."""

    document: dict[str, Any]
    text: bytes


def newest(copies: Sequence[Copy]) -> Copy | None:
    """Return the newest copy of one list, where it takes back all that any other does; None where they disagree.

    The files come in any order, and none is proven yet. An older copy, or one that nobody signed, must not hide what
    another takes back.
    """
    if all(one.text == copies[0].text for one in copies):
        return copies[0]
    try:
        read = [(_moment(one.document), _bits(one.document), one) for one in copies]
    except CredentialError:
        return None
    if len({issuer_of(one.document) for one in copies}) > 1:
        return None
    last = max(moment for moment, _bits_of_it, _copy in read)
    for moment, bits, copy in read:
        if moment == last and all(_holds(bits, others) for _moment_of_it, others, _copy in read):
            return copy
    return None


def _holds(bits: bytes, others: bytes) -> bool:
    """Return whether every bit that is set in the others is set."""
    longest = max(len(bits), len(others))
    mine, theirs = (int.from_bytes(one.ljust(longest, b"\0")) for one in (bits, others))
    return mine | theirs == mine


def _moment(document: dict[str, Any]) -> datetime:
    found = moment_of(document, validity_names(document)[0])
    if found is None:
        raise CredentialError("STATUS_VERIFICATION_ERROR", "The status list does not say since when it is valid.")
    return found


def _bits(document: dict[str, Any]) -> bytes:
    if not isinstance(document.get("credentialSubject"), dict):
        raise CredentialError("STATUS_VERIFICATION_ERROR", "It is not one status list.")
    return VerifiedStatusList(document).statuses().to_bytes()
