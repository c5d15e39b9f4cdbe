"""The first stage: the document without its proof in canonical form, which the stages after it look at and hash."""

from collections.abc import Sequence

from libs.openbadges.integrity.suites import VERIFY_SUITES
from libs.openbadges.jsonld.templates.canonical_document import CanonicalDocument
from libs.openbadges.model.endorsements import without_jwts
from libs.openbadges.model.errors import CredentialError
from libs.openbadges.model.findings import Finding
from libs.openbadges.model.profile import ProcessingProfile
from libs.openbadges.verify.opening import Opened
from libs.openbadges.verify.run import Context


def canonicalize(contexts: Sequence[Context]) -> Sequence[Sequence[Finding]]:
    """Give every context its canonical document; this answers no check itself."""
    for context in contexts:
        context.canonical = canonical_form(context.opened, context.run.profile)
    return [()] * len(contexts)


def canonical_form(opened: Opened, profile: ProcessingProfile) -> CanonicalDocument | CredentialError:
    """Take the proof off and look whether the contexts define all that is left; if not, return why."""
    if opened.canonical is not None:
        return opened.canonical
    # What a JWT carries is signed as it stands, so there a term without a definition hides nothing.
    document = opened.document if opened.token is None else without_jwts(opened.document)
    try:
        return VERIFY_SUITES.canonical(
            {key: value for key, value in document.items() if key != "proof"}, profile=profile
        )
    except CredentialError as error:
        return error
