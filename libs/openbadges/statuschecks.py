"""Is a credential revoked or suspended? Read from status lists that were verified before."""

from collections.abc import Callable
from typing import Any

from libs.openbadges import times
from libs.openbadges.errors import CredentialError
from libs.openbadges.proofchecks import Finding
from libs.openbadges.statuslist import StatusList

_SET = {
    "revocation": Finding("fail", "revoked", "The issuer has revoked it."),
    "suspension": Finding("fail", "suspended", "The issuer has suspended it."),
    "refresh": Finding("pass", "refresh_available", "It is good, and a newer one can be had."),
    "message": Finding("pass", "message", "It is good, and the issuer has left a message about it."),
}


def entries_of(document: dict[str, Any]) -> list[Any]:
    """Answer a credential's status entries, one or many."""
    status = document.get("credentialStatus", [])
    return status if isinstance(status, list) else [status]


def status_lists_of(document: dict[str, Any]) -> list[str]:
    """Answer the addresses of the status lists that a credential names."""
    named = [one.get("statusListCredential") for one in entries_of(document) if isinstance(one, dict)]
    return [url for url in named if isinstance(url, str)]


def check_status(document: dict[str, Any], listing: Callable[[str], dict[str, Any]]) -> Finding:
    """Check every status entry; one that is set to revoked or suspended rules, then one that cannot be read.

    Args:
        document: the credential.
        listing: answers the verified status list credential of an address, or raises CredentialError.
    """
    entries = entries_of(document)
    if not entries:
        return Finding("pass", "status_none", "It names no status list, so it cannot be taken back.")
    if len(entries) > 16:
        return Finding("unknown", "too_many_statuses", "The credential names more statuses than are checked.")
    findings = [_check_entry(one, listing) for one in entries]
    order = ("fail", "unknown", "pass")
    return min(findings, key=lambda one: (order.index(one.outcome), one.code == "not_set"))


def _check_entry(one: Any, listing: Callable[[str], dict[str, Any]]) -> Finding:
    if not isinstance(one, dict) or one.get("type") != "BitstringStatusListEntry":
        kind = one.get("type") if isinstance(one, dict) else one
        return Finding("unknown", "status_kind", f"A status of the kind {kind} is not checked here.")
    try:
        credential = listing(str(one.get("statusListCredential")))
        purpose, is_set = _read(one, credential)
        at = times.read(credential["validFrom"]) if "validFrom" in credential else None
    except CredentialError as error:
        return Finding("unknown", error.code, str(error))
    found = _SET.get(purpose) if is_set else Finding("pass", "not_set", "It has not been taken back.")
    if found is None:
        return Finding("unknown", "status_purpose", f"What a status for the purpose {purpose} means is not known here.")
    return Finding(found.outcome, found.code, found.sentence, at)


def _read(one: dict[str, Any], credential: dict[str, Any]) -> tuple[str, bool]:
    """Read one bit (Bitstring Status List 1.0, section 3.2).

    Raises:
        CredentialError: the list is for another purpose or in another form, or too short.
    """
    subject = credential.get("credentialSubject")
    if not isinstance(subject, dict) or subject.get("type") != "BitstringStatusList":
        raise CredentialError("STATUS_VERIFICATION_ERROR", "What stands at the address is not a status list.")
    purpose, purposes = one.get("statusPurpose"), subject.get("statusPurpose")
    if not isinstance(purpose, str) or purpose not in (purposes if isinstance(purposes, list) else [purposes]):
        raise CredentialError("STATUS_VERIFICATION_ERROR", f"The list is not one for the purpose {purpose}.")
    if one.get("statusSize", 1) != 1 or subject.get("statusSize", 1) != 1:
        raise CredentialError("MALFORMED_VALUE_ERROR", "Statuses of more than one bit are not read here.")
    index = one.get("statusListIndex")
    if not isinstance(index, str) or not index.isascii() or not index.isdigit() or len(index) > 12:
        raise CredentialError("MALFORMED_VALUE_ERROR", f"{index!r} is not an index.")
    return purpose, StatusList.decode(subject.get("encodedList", "")).get(int(index))
