"""Refreshing: the newer edition of a credential that its issuer holds ready, verified once in its place.

Open Badges 3.0, verification: a credential whose proof is good and that names a refresh service is refreshed, once;
the newer edition is then verified as the first was. "If the refresh is not successful", the first one counts.
"""

from collections.abc import Mapping
from typing import Any, Final

from libs.openbadges.integrity.check import Finding, issuer_of
from libs.openbadges.jose.claims import identifier_of, validity_names
from libs.openbadges.model import times
from libs.openbadges.model.errors import CredentialError
from libs.openbadges.verify.opening import Opened, open_document

KIND: Final = "1EdTechCredentialRefresh"
"""The one kind of refresh service that is used; it answers the newer edition to a plain GET."""

Given = Mapping[str, str | bytes | dict[str, Any]]
"""What the refresh services answered, by their addresses."""

NOT_NAMED: Final = Finding("pass", "refresh_none", "It names no place for a newer edition.")
REFRESHED: Final = Finding("pass", "refreshed", "Its issuer's newer edition was verified in its place.")
NOT_PROVEN: Final = Finding(
    "unknown", "refresh_unproven", "What its refresh service answered does not verify; the one given was verified."
)
NOT_TRIED: Final = Finding(
    "unknown", "refresh_not_tried", "It is not proven who named its refresh service, so that was not used."
)


def refresh_address(document: Mapping[str, Any]) -> str | None:
    """Answer where the newer edition of a credential stands; None where it names no service of a kind that is used."""
    services = document.get("refreshService")
    if services is None:
        return None
    for one in services if isinstance(services, list) else [services]:
        if isinstance(one, dict) and isinstance(one.get("id"), str):
            types = one.get("type")
            if KIND in (types if isinstance(types, list) else [types]):
                return str(one["id"])
    return None


def newer_edition(document: Mapping[str, Any], given: Given) -> Opened | Finding:
    """Read the newer edition of a proven credential, to be verified next; or answer why there is none to verify.

    It must be an edition of the same credential: of the same id, types, issuer and subject, and not older.
    """
    address = refresh_address(document)
    if address is None:
        return Finding("pass", "refresh_kind", "It names a refresh service of a kind that is not used here.")
    if address not in given:
        return Finding(
            "pass",
            "refresh_unavailable",
            f"A newer edition may stand at {address}; it was not had, so this one counts.",
        )
    try:
        opened = open_document(given[address])
        _check_same(dict(document), opened.document)
    except CredentialError as error:
        code = error.code if error.code.startswith("refresh_") else "refresh_unread"
        return Finding("unknown", code, f"What its refresh service answered is not used: {error}")
    return opened


def newer_editions(documents: list[Opened], given: Given) -> list[Opened]:
    """Answer the newer editions of documents, as far as they are given and can be read."""
    if not given:
        return []
    named = [one.document for one in documents if "refreshService" in one.document]
    return [found for one in named if isinstance(found := newer_edition(one, given), Opened)]


def _check_same(first: dict[str, Any], newer: dict[str, Any]) -> None:
    for name, one, other in (
        ("id", first.get("id"), newer.get("id")),
        # Were types to change, a credential in a record could become a record around itself.
        ("type", _types(first), _types(newer)),
        ("issuer", issuer_of(first), issuer_of(newer)),
        ("subject", _subject(first), _subject(newer)),
    ):
        if one != other:
            raise CredentialError(f"refresh_{name}", f"It has another {name}.")
    begins, begins_newer = _begins(first), _begins(newer)
    if begins is not None and begins_newer is not None and begins_newer < begins:
        raise CredentialError("refresh_older", "It is older.")


def _types(document: dict[str, Any]) -> set[str]:
    types = document.get("type")
    return {str(one) for one in (types if isinstance(types, list) else [types])}


def _subject(document: dict[str, Any]) -> Any:
    subject = document.get("credentialSubject")
    return identifier_of(subject) if isinstance(subject, dict) else None


def _begins(document: dict[str, Any]) -> Any:
    name = validity_names(document)[0]
    return times.read(document[name], f"/{name}") if name in document else None
