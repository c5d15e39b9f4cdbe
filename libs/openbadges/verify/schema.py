"""The stage `schema`: has it the form of an Open Badge or a learner record, as it says of itself?"""

from typing import Any

from libs.openbadges.model.errors import CredentialError, LimitError
from libs.openbadges.model.findings import Finding
from libs.openbadges.model.records import check_record, is_record
from libs.openbadges.model.schema import is_achievement, validate_achievement, validate_record
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
        validate_achievement(document)
    except CredentialError as error:
        return Finding.of(error)
    return Finding("pass", "schema", "It has the form of an Open Badges 3.0 credential.")


def _check_record(document: dict[str, Any]) -> Finding:
    """Check a learner record's form. Only the final CLR 2.0 data model can find it wrong, not the older schema."""
    try:
        check_record(document)
        validate_record(document)
    except CredentialError as error:
        # Not by the class of the error: what only the older schema refuses may be right, so nothing follows from it.
        return Finding("fail" if error.code == "model" else "unknown", error.code, str(error))
    return Finding("pass", "schema", "It has the form of a Comprehensive Learner Record 2.0.")
