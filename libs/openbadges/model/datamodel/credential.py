"""What a credential must be (VCDM 2.0, section 4; VCDM 1.1, section 4)."""

from typing import Any, Final

from libs.openbadges.model import times
from libs.openbadges.model.context_urls import CREDENTIALS_V1, CREDENTIALS_V2
from libs.openbadges.model.datamodel.forms import (
    check_contexts_form,
    check_id,
    check_text,
    checked_types,
    refuse,
    require_url,
    things,
)
from libs.openbadges.model.datamodel.status import check_status_entry, check_status_list
from libs.openbadges.model.members import moment_of

# Property, whether its id is required in 2.0, and whether it is in 1.1.
_TYPED: Final = (
    ("credentialSchema", True, True),
    ("refreshService", False, True),
    ("termsOfUse", False, False),
    ("evidence", False, False),
    ("confidenceMethod", False, False),
    ("renderMethod", False, False),
)


def check_credential(document: dict[str, Any]) -> None:
    """Check a credential of either version; its proof, if it has one, is not looked at.

    Raises:
        CredentialError: the first rule that it breaks, with the place; code `not_a_credential`, or that of a date.
    """
    older = check_contexts_form(document, CREDENTIALS_V2, CREDENTIALS_V1) == CREDENTIALS_V1
    types = checked_types(document, "")
    if "VerifiableCredential" not in types:
        raise refuse("The type of a credential has VerifiableCredential in it.", "/type")
    check_id(document, "")
    _check_issuer(document)
    for name in ("name", "description"):
        if name in document:
            check_text(document[name], f"/{name}")
    _check_subjects(document, types)
    _check_period(document, *(("issuanceDate", "expirationDate") if older else ("validFrom", "validUntil")))
    if older and "issuanceDate" not in document:
        raise refuse("A credential of version 1.1 has an issuanceDate.", "/issuanceDate")
    if "credentialStatus" in document:
        for one, path in things(document["credentialStatus"], "/credentialStatus"):
            checked_types(one, path)
            check_id(one, path, required=older)
            check_status_entry(one, path)
    for name, in_new, in_old in _TYPED:
        if name in document:
            for one, path in things(document[name], f"/{name}"):
                checked_types(one, path)
                check_id(one, path, required=in_old if older else in_new)
    if "relatedResource" in document:
        for one, path in things(document["relatedResource"], "/relatedResource"):
            check_id(one, path, required=True)


def _check_issuer(document: dict[str, Any]) -> None:
    issuer = document.get("issuer")
    if not isinstance(issuer, dict):
        require_url(issuer, "/issuer")
        return
    check_id(issuer, "/issuer", required=True)
    for name in ("name", "description"):
        if name in issuer:
            check_text(issuer[name], f"/issuer/{name}")


def _check_subjects(document: dict[str, Any], types: list[str]) -> None:
    for subject, path in things(document.get("credentialSubject"), "/credentialSubject"):
        check_id(subject, path)
        check_status_list(subject, types, path)


def _check_period(document: dict[str, Any], first: str, last: str) -> None:
    """Check the dates and that they are in order (VCDM 2.0, section 4.9)."""
    begins, ends = moment_of(document, first), moment_of(document, last)
    if begins is not None and ends is not None and ends < begins:
        raise refuse(f"It would end before it begins; {last} is not earlier than {first}.", f"/{last}")
    if "awardedDate" in document:
        times.read(document["awardedDate"], "/awardedDate")
