"""The step between status and endorsements: the credentials in a learner record, each verified with its own report."""

from collections.abc import Sequence
from typing import Any

from libs.openbadges.model.errors import CredentialError, LimitError, UnreadFormError
from libs.openbadges.model.findings import Finding
from libs.openbadges.model.profile import ProcessingProfile
from libs.openbadges.model.records import embedded_of, is_record
from libs.openbadges.verify.opening import Opened, open_parsed
from libs.openbadges.verify.run import Context


def verify_embedded(contexts: Sequence[Context]) -> Sequence[Sequence[Finding]]:
    """Verify what stands in learner records (CLR 2.0, verification); this answers no check of theirs."""
    for context in contexts:
        if not isinstance(context.canonical, LimitError) and (held := embedded_of(context.document)):
            opened = [open_embedded(one, context.run.profile) for one in held]
            context.embedded = tuple(context.run.verify_embedded(opened, context))
    return [()] * len(contexts)


def open_embedded(given: Any, profile: ProcessingProfile) -> Opened | CredentialError:
    """Open a credential in a learner record, or return why not; a record within a record is not opened."""
    try:
        if not isinstance(given, dict):
            return UnreadFormError("embedded_unread", "A credential in the record has a form that is not read here.")
        opened = open_parsed(given, profile=profile)
    except CredentialError as error:
        return error
    if is_record(opened.document):
        return UnreadFormError("record_in_record", "A learner record within another is not read here.")
    return opened
