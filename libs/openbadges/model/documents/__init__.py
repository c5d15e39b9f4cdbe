"""The data models as classes: Open Badges 3.0, Comprehensive Learner Record 2.0 and the envelopes that they share.

Field names and cardinalities are the specifications'; what a document has beyond them is kept.
"""

from typing import Any

from pydantic import ValidationError

from libs.openbadges.model.context_urls import CREDENTIALS_V1
from libs.openbadges.model.documents.achievement import (
    Achievement,
    Alignment,
    Criteria,
    Related,
    Result,
    ResultDescription,
    RubricCriterionLevel,
)
from libs.openbadges.model.documents.base import Part
from libs.openbadges.model.documents.clr import Association, AssociationType, ClrCredential, ClrSubject
from libs.openbadges.model.documents.ob import AchievementCredential, AchievementSubject, Evidence
from libs.openbadges.model.documents.profile import (
    Address,
    EndorsementCredential,
    EndorsementSubject,
    GeoCoordinates,
    IdentifierEntry,
    IdentityObject,
    Image,
    Profile,
)
from libs.openbadges.model.documents.vcdm import (
    EnvelopedVerifiableCredential,
    Proof,
    RelatedResource,
    StatusEntry,
    VerifiableCredential,
    VerifiableCredentialV1,
    VerifiablePresentation,
)
from libs.openbadges.model.errors import CredentialError
from libs.openbadges.model.members import types_of

__all__ = [
    "Achievement",
    "AchievementCredential",
    "AchievementSubject",
    "Address",
    "Alignment",
    "Association",
    "AssociationType",
    "ClrCredential",
    "ClrSubject",
    "Criteria",
    "EndorsementCredential",
    "EndorsementSubject",
    "EnvelopedVerifiableCredential",
    "Evidence",
    "GeoCoordinates",
    "IdentifierEntry",
    "IdentityObject",
    "Image",
    "Part",
    "Profile",
    "Proof",
    "Related",
    "RelatedResource",
    "Result",
    "ResultDescription",
    "RubricCriterionLevel",
    "StatusEntry",
    "VerifiableCredential",
    "VerifiableCredentialV1",
    "VerifiablePresentation",
    "model_of",
    "read_model",
]


def model_of(document: dict[str, Any]) -> type[Part]:
    """Choose the class that a document's own types and first context ask for."""
    listed = types_of(document)
    contexts = document.get("@context")
    first = contexts[0] if isinstance(contexts, list) and contexts else contexts
    if "VerifiablePresentation" in listed:
        return VerifiablePresentation
    if "EnvelopedVerifiableCredential" in listed:
        return EnvelopedVerifiableCredential
    if first == CREDENTIALS_V1:
        return VerifiableCredentialV1
    if "ClrCredential" in listed:
        return ClrCredential
    if "AchievementCredential" in listed or "OpenBadgeCredential" in listed:
        return AchievementCredential
    return EndorsementCredential if "EndorsementCredential" in listed else VerifiableCredential


def read_model(document: dict[str, Any]) -> Part:
    """Read a document into the class that it asks for.

    Raises:
        CredentialError: code `model`, with the path of the first value that the data model does not allow.
    """
    try:
        return model_of(document).model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        path = "".join(f"/{part}" for part in first["loc"])
        raise CredentialError("model", f"{first['msg']}.".replace("..", "."), path) from error
