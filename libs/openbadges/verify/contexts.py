"""The stage `context`: do its contexts define every term and type, or else they are not in what is signed?"""

from libs.openbadges.jsonld.resources import check_resources
from libs.openbadges.model.context_urls import CREDENTIALS_V1, CREDENTIALS_V2
from libs.openbadges.model.errors import CredentialError
from libs.openbadges.model.findings import Finding
from libs.openbadges.model.members import first_context
from libs.openbadges.verify.run import Context


def check_contexts(context: Context) -> Finding:
    """Check that every context is bundled and that together they define all that the document says."""
    if first_context(context.document) not in (CREDENTIALS_V1, CREDENTIALS_V2):
        return Finding("fail", "context_first", "The first context is not that of verifiable credentials.")
    if isinstance(context.canonical, CredentialError):
        return Finding.of(context.canonical)
    try:
        check_resources(context.document, context.run.profile)
    except CredentialError as error:
        return Finding.of(error)
    return Finding("pass", "contexts_known", "All its terms have one known meaning.")
