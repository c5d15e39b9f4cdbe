"""Is a credential revoked or suspended, and what else does its issuer say? Read from lists that were verified."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from libs.openbadges.crypto.did import stands_below
from libs.openbadges.model.datamodel.forms import is_url
from libs.openbadges.model.errors import CredentialError
from libs.openbadges.model.findings import Finding
from libs.openbadges.model.members import issuer_of, moment_of, types_of, validity_names
from libs.openbadges.status.bitstring import WIDEST, StatusList
from libs.openbadges.status.revocation_list import KIND as REVOCATION_LIST
from libs.openbadges.status.revocation_list import check_revocation_list


class VerifiedStatusList:
    """A status list credential that was verified; unpacked once, however many entries point into it."""

    def __init__(self, document: dict[str, Any]) -> None:
        """Take the credential."""
        self.document = document
        self._statuses: StatusList | CredentialError | None = None

    def statuses(self) -> StatusList:
        """Unpack the list.

        Raises:
            CredentialError, LimitError: see `StatusList.decode`.
        """
        if self._statuses is None:
            try:
                # How short it is counts only where a bit is not set: see `_check_entry`.
                self._statuses = StatusList.decode(_encoded(self.document["credentialSubject"]), minimum=0)
            except CredentialError as error:
                self._statuses = error
        if isinstance(self._statuses, CredentialError):
            raise self._statuses
        return self._statuses


class VerifiedStatusLists:
    """The status lists of one verification, each proven once: a record can point a thousand times into one."""

    def __init__(self, prove: Callable[[str], dict[str, Any]], read: Callable[[str], dict[str, Any]]) -> None:
        """Take what returns the verified status list credential of a URL, or an unsigned list; or raises."""
        self._prove = prove
        self.read = read
        self._found: dict[str, VerifiedStatusList | CredentialError] = {}

    def find(self, url: str) -> VerifiedStatusList:
        """Find a list, whosever it is.

        Raises:
            CredentialError: why it could not be proven.
        """
        if url not in self._found:
            try:
                self._found[url] = VerifiedStatusList(self._prove(url))
            except CredentialError as error:
                self._found[url] = error
        found = self._found[url]
        if isinstance(found, CredentialError):
            raise found
        return found


def _encoded(subject: dict[str, Any]) -> Any:
    """Return the bits as a Bitstring Status List has them; Status List 2021 leaves the sign of their encoding away."""
    encoded = subject.get("encodedList", "")
    if "StatusList2021" not in types_of(subject) or not isinstance(encoded, str) or encoded.startswith("u"):
        return encoded
    return "u" + encoded.rstrip("=").replace("+", "-").replace("/", "_")


_NOT_SET: Final = Finding("pass", "not_set", "It has not been revoked or suspended.")
_SET: Final = {
    "revocation": Finding("fail", "revoked", "The issuer has revoked it."),
    "suspension": Finding("fail", "suspended", "The issuer has suspended it."),
    "refresh": Finding("pass", "refresh_available", "It is good, and a newer one is available."),
    "message": Finding("pass", "message", "It is good, and the issuer has left a message about it."),
}
"""What a status that is not 0 means. A newer version or a message revokes nothing (section 2.2, statusPurpose)."""

_TAKES_BACK: Final = frozenset({"revocation", "suspension"})
_KINDS: Final = {
    "BitstringStatusListEntry": ("BitstringStatusListCredential", "BitstringStatusList"),
    "StatusList2021Entry": ("StatusList2021Credential", "StatusList2021"),
}
"""Entries whose list is a credential, with the types of that and of its subject. The second kind is the first in an
earlier edition, which hundreds of thousands of badges name."""

MOST_ENTRIES: Final = 16
"""Statuses of a credential that are checked; one with more is unknown."""

_LONGEST_MESSAGE: Final = 200
_LONGEST_REFERENCE: Final = 500


def entries_of(document: dict[str, Any]) -> list[Any]:
    """Return a credential's status entries, one or many."""
    status = document.get("credentialStatus", [])
    return status if isinstance(status, list) else [status]


def status_lists_of(document: dict[str, Any]) -> list[str]:
    """Return the URLs of the status lists that a credential names."""
    named = [
        one.get("id" if REVOCATION_LIST in types_of(one) else "statusListCredential")
        for one in entries_of(document)
        if isinstance(one, dict)
    ]
    return [url for url in named if isinstance(url, str)]


def check_entries(document: dict[str, Any], lists: VerifiedStatusLists, ours: frozenset[str] = frozenset()) -> Finding:
    """Check every status entry; one that is set to revoked or suspended takes precedence, then one that cannot be read.

    Args:
        document: the credential.
        lists: the status lists that were looked up.
        ours: the issuers of an installation, its authority among them: their lists tell of their credentials alone.
    """
    entries = entries_of(document)
    if not entries:
        return Finding("pass", "status_none", "It names no status list, so it cannot be revoked.")
    if len(entries) > MOST_ENTRIES:
        return Finding("unknown", "too_many_statuses", "The credential names more statuses than are checked.")
    findings = [_check_entry(one, document, lists, ours) for one in entries]
    order = ("fail", "unknown", "pass")
    return min(findings, key=lambda one: (order.index(one.outcome), one.code == "not_set"))


def _check_entry(one: Any, document: dict[str, Any], lists: VerifiedStatusLists, ours: frozenset[str]) -> Finding:
    types = types_of(one) if isinstance(one, dict) else [one]
    kind = next((kind for kind in _KINDS if kind in types), None)
    if kind is None and REVOCATION_LIST not in types:
        return Finding("unknown", "status_kind", f"A status {_shown(types)} is not checked here.")
    try:
        if kind is None:
            return check_revocation_list(document, str(one.get("id")), lists.read(str(one.get("id"))))
        url = str(one.get("statusListCredential"))
        status_list = lists.find(url)
        purpose, value = _read(one, status_list, *_KINDS[kind])
        if value == 0 or purpose not in _TAKES_BACK:
            _check_own(status_list.document, url, document, ours)
            if kind == "BitstringStatusListEntry":
                # Lists of 2021 had 100,000 entries as they came, and no length was asked of them.
                status_list.statuses().value(0, one.get("statusSize", 1))
        at = _moment(status_list.document)
    except CredentialError as error:
        # Unknown whatever the error: what is wrong with a list does not say that the credential was revoked.
        return Finding("unknown", error.code, str(error))
    says = _message(one, value)
    if value == 0 and not (purpose == "message" and says):
        return _NOT_SET._replace(at=at)
    found = _SET.get(purpose)
    if found is None:
        return Finding("unknown", "status_purpose", f"What a status for the purpose {purpose} means is not known here.")
    return found._replace(message=f"{found.message}{says}", at=at)


def _shown(types: list[Any]) -> str:
    return f"of the kind {str(types[0])[:100]}" if types else "without a type"


def _check_own(status_list: dict[str, Any], url: str, document: dict[str, Any], ours: frozenset[str]) -> None:
    """Check who may say that a credential was not taken back, and that the list is that of its URL.

    Any list that is proven, and that a credential names, can take it back. That it was not taken back only its own list
    tells (Bitstring Status List 1.0, section 3.2): else somebody else's, or an older one, would hide a revocation. Its
    own is one that its issuer signed, or whoever owns the address that the issuer named in it: a did:web that the list
    stands below. Where it is known who issues under that address, it tells of nobody else's. Without an id a list would
    serve at every URL.

    Raises:
        CredentialError: `STATUS_VERIFICATION_ERROR`.
    """
    signer, issuer = issuer_of(status_list), issuer_of(document)
    stranger = signer in ours and issuer not in ours and not str(issuer).startswith(f"{signer}:")
    if signer is None or (signer != issuer and (stranger or not stands_below(url, signer))):
        raise CredentialError("STATUS_VERIFICATION_ERROR", "The status list is that of another issuer.")
    if status_list.get("id") != url:
        raise CredentialError("STATUS_VERIFICATION_ERROR", "The status list is that of another URL.")


def _moment(status_list: dict[str, Any]) -> datetime | None:
    return moment_of(status_list, validity_names(status_list)[0])


def _message(one: dict[str, Any], value: int) -> str:
    """Return what the issuer says of a value, after a space; nothing where it says nothing.

    Which messages there are is fixed when the credential is issued, so they stand in it and are signed with it
    (Bitstring Status List 1.0, section 2.1). They are written for programmers, in the issuer's words.
    """
    messages = one.get("statusMessage")
    for said in messages if isinstance(messages, list) else []:
        if isinstance(said, dict) and _number(said.get("status")) == value and isinstance(said.get("message"), str):
            text = "".join(sign for sign in said["message"][: _LONGEST_MESSAGE + 1] if sign.isprintable())
            text = text if len(text) <= _LONGEST_MESSAGE else text[:_LONGEST_MESSAGE] + "…"
            return f" Its status is {value:#x}, “{text}”.{_reference(one)}"
    return f" Its status is {value:#x}, for which it has no message.{_reference(one)}" if messages else ""


def _reference(one: dict[str, Any]) -> str:
    references = one.get("statusReference")
    first = references[0] if isinstance(references, list) and references else references
    known = isinstance(first, str) and len(first) <= _LONGEST_REFERENCE and is_url(first)
    return f" See {first}" if known else ""


def _number(status: object) -> int | None:
    try:
        return int(status, 16) if isinstance(status, str) and len(status) <= 8 else None
    except ValueError:
        return None


def _read(one: dict[str, Any], status_list: VerifiedStatusList, credential: str, listing: str) -> tuple[str, int]:
    """Read the value of a status (Bitstring Status List 1.0, section 3.2).

    Raises:
        CredentialError: the list is for another purpose or in another form, or too short.
    """
    subject = status_list.document.get("credentialSubject")
    listed = isinstance(subject, dict) and listing in types_of(subject) and credential in types_of(status_list.document)
    if not isinstance(subject, dict) or not listed:
        raise CredentialError("STATUS_VERIFICATION_ERROR", "What stands at the URL is not a status list.")
    purpose, purposes = one.get("statusPurpose"), subject.get("statusPurpose")
    if not isinstance(purpose, str) or purpose not in (purposes if isinstance(purposes, list) else [purposes]):
        raise CredentialError("STATUS_VERIFICATION_ERROR", f"The list is not one for the purpose {purpose}.")
    size = one.get("statusSize", 1)
    if type(size) is not int or not 1 <= size <= WIDEST or subject.get("statusSize", size) != size:
        raise CredentialError("MALFORMED_VALUE_ERROR", "The list and its entry do not agree on a number of bits.")
    index = one.get("statusListIndex")
    # Status List 2021 had it as text too, and many wrote a number.
    index = str(index) if type(index) is int else index
    if not isinstance(index, str) or not index.isascii() or not index.isdigit() or len(index) > 12:
        raise CredentialError("MALFORMED_VALUE_ERROR", f"{index!r} is not an index.")
    return purpose, status_list.statuses().value(int(index), size, minimum=0)
