"""Members of documents whose form may not have been checked yet: issuer, holder, subject, proofs, dates."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from libs.openbadges.model import times
from libs.openbadges.model.context_urls import CREDENTIALS_V1


def identifier_of(thing: Any) -> str | None:
    """Return the identifier of an issuer, holder or subject, named or described; None where it has none."""
    identifier = thing.get("id") if isinstance(thing, dict) else thing
    return identifier if isinstance(identifier, str) and identifier else None


def issuer_of(document: Mapping[str, Any]) -> str | None:
    """Return the identifier of a credential's issuer (VCDM 2.0, section 4.7)."""
    return identifier_of(document.get("issuer"))


def holder_of(document: Mapping[str, Any]) -> str | None:
    """Return the identifier of a presentation's holder (VCDM 2.0, section 4.13)."""
    return identifier_of(document.get("holder"))


def subject_of(document: Mapping[str, Any]) -> str | None:
    """Return the identifier of a credential's only subject; None where it has none or several subjects."""
    subject = document.get("credentialSubject")
    return identifier_of(subject) if isinstance(subject, dict) else None


def proofs_of(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a document's proofs, one or a set; what is not an object is none."""
    proof = document.get("proof")
    return [one for one in (proof if isinstance(proof, list) else [proof]) if isinstance(one, dict)]


def types_of(thing: Mapping[str, Any]) -> list[Any]:
    """Return the types of a document or of an object in it, one or several, as they stand (VCDM 2.0, section 4.5)."""
    types = thing.get("type")
    return types if isinstance(types, list) else [types]


def first_context(document: Mapping[str, Any]) -> Any:
    """Return the first of a document's contexts, which names its data model; None where it has none."""
    contexts = document.get("@context")
    return contexts[0] if isinstance(contexts, list) and contexts else contexts


def validity_names(document: Mapping[str, Any]) -> tuple[str, str]:
    """Return what a credential calls the ends of its validity (VCDM 2.0, section 4.9; VCDM 1.1, section 4.6)."""
    return ("issuanceDate", "expirationDate") if _is_older(document) else ("validFrom", "validUntil")


def moment_of(document: Mapping[str, Any], name: str) -> datetime | None:
    """Return a date of a credential; None where it has none of this name.

    In VCDM 1.1 it may lack its zone (section 4.6: an xsd:dateTime, where VCDM 2.0 asks for a dateTimeStamp), and is
    read as UTC then: less than a day beside what was meant.

    Raises:
        CredentialError: see `times.read`.
    """
    if name not in document:
        return None
    read = times.read_lenient if _is_older(document) else times.read
    return read(document[name], f"/{name}")


def _is_older(document: Mapping[str, Any]) -> bool:
    return bool(first_context(document) == CREDENTIALS_V1)
