"""The stage `schema`: has it the form of an Open Badge or a learner record, as it says of itself?"""

from typing import Any

from libs.openbadges.model.errors import CredentialError, LimitError
from libs.openbadges.model.findings import Finding
from libs.openbadges.model.records import check_record, is_record
from libs.openbadges.model.schema import (
    ACHIEVEMENT_SCHEMA,
    is_achievement,
    names_schema,
    renewed,
    validate_achievement,
    validate_record,
)
from libs.openbadges.verify.run import Context


def check_schema(context: Context) -> Finding:
    """Check by the schema of what the document says it is; of anything else it asks nothing."""
    document = context.document
    if isinstance(context.canonical, LimitError):
        return Finding.of(context.canonical)
    if is_record(document):
        return _check_record(document)
    if not is_achievement(document):
        return Finding("pass", "schema_none", "It is no Open Badge, so their schema does not apply.")
    try:
        validate_achievement(renewed(document))
    except CredentialError as error:
        if error.code != "schema" or names_schema(document, ACHIEVEMENT_SCHEMA) or _says_more_than_its_rdf(document):
            return Finding.of(error)
        # Open Badges 3.0 (verification, step 2) asks for the schema where the credential names it. What departs from
        # it otherwise is odd, and says nothing against the proof, the dates and the status.
        message = f"It departs from the schema of Open Badges 3.0, which it does not name: {error}"
        return Finding("pass", "schema_departs", message)
    return Finding("pass", "schema", "It has the form of an Open Badges 3.0 credential.")


def _says_more_than_its_rdf(value: Any) -> bool:
    """Return whether there is a null, or an inner context without contexts: in no RDF, so no proof speaks of them."""
    if isinstance(value, dict):
        return value.get("@context") in ([], {}) or any(_says_more_than_its_rdf(one) for one in value.values())
    if isinstance(value, list):
        return any(_says_more_than_its_rdf(one) for one in value)
    return value is None


def _check_record(document: dict[str, Any]) -> Finding:
    """Check a learner record's form. Only the final CLR 2.0 data model can find it wrong, not the older schema."""
    try:
        check_record(document)
        validate_record(document)
    except CredentialError as error:
        # Not by the class of the error: what only the older schema refuses may be right, so nothing follows from it.
        return Finding("fail" if error.code == "model" else "unknown", error.code, str(error))
    return Finding("pass", "schema", "It has the form of a Comprehensive Learner Record 2.0.")
