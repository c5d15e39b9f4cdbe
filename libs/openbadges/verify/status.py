"""The stage `status`: was it revoked or suspended? With the status lists that tell, each verified once a run."""

from typing import Any, Final

from libs.openbadges.crypto.did import stands_below
from libs.openbadges.jose.plain import read_json
from libs.openbadges.jsonld.parsing import Limits
from libs.openbadges.model.errors import CredentialError
from libs.openbadges.model.findings import Finding
from libs.openbadges.model.members import issuer_of
from libs.openbadges.status.check import MOST_ENTRIES, check_entries, status_lists_of
from libs.openbadges.verify.canonicalization import canonical_form
from libs.openbadges.verify.dates import check_dates
from libs.openbadges.verify.opening import open_document
from libs.openbadges.verify.proof import check_proofs
from libs.openbadges.verify.run import Answers, Context, EndorsementBudget, Run

STATUS_LIST_LIMITS: Final = Limits(bytes=8 * 1024 * 1024, nodes=200_000)
"""A status list credential is one long text; a revocation list has an object for each credential on it."""


TAKEN_DOWN: Final = Finding("fail", "revoked", "It was revoked when it was taken down.")
MISSPELT: Final = Finding(
    "fail", "status_foreign", "It names a status list at the address of this installation, written as none of ours is."
)


def check_status(context: Context) -> Finding:
    """Check every status entry; see `status.check.check_entries`.

    What was published here and taken down is revoked, whatever a list says that was looked up before. A list of ours
    that is named otherwise than we write it would not be found, and stands in nothing that was published here.
    """
    known, document = context.run.inputs.publications, context.document
    if known is None:
        return check_entries(document, context.run.status_lists)
    if any(known.misspells(url) for url in status_lists_of(document)[:MOST_ENTRIES]):
        return MISSPELT
    found = check_entries(document, context.run.status_lists, known.issuers)
    identifier = document.get("id")
    is_gone = isinstance(identifier, str) and known.why_taken_down(identifier) is not None
    return TAKEN_DOWN if found.outcome != "fail" and is_gone and issuer_of(document) in known.issuers else found


def unsigned_list(url: str, run: Run) -> dict[str, Any]:
    """Return the revocation list of a URL, which carries no proof.

    Raises:
        CredentialError: `STATUS_RETRIEVAL_ERROR` where it is missing, else `STATUS_VERIFICATION_ERROR`.
    """
    given = run.inputs.status_lists.get(url)
    if given is None:
        raise CredentialError("STATUS_RETRIEVAL_ERROR", f"The revocation list {url} is not available.")
    try:
        return read_json(given, STATUS_LIST_LIMITS)
    except CredentialError as error:
        raise CredentialError("STATUS_VERIFICATION_ERROR", f"The revocation list cannot be read: {error}") from error


def status_list_signers(lists: Answers) -> set[str]:
    """Return the did:webs whose documents must be looked up for lists that whoever owns their address signed.

    Args:
        lists: what stands at the URLs of status lists; what cannot be read names nobody.
    """
    signers = set()
    for url, given in lists.items():
        try:
            signer = issuer_of(open_document(given, STATUS_LIST_LIMITS).document)
        except CredentialError:
            continue
        if signer is not None and stands_below(url, signer):
            signers.add(signer)
    return signers


def verified_status_list(url: str, run: Run) -> dict[str, Any]:
    """Return the status list credential of a URL, proven and in force.

    Raises:
        CredentialError: `STATUS_RETRIEVAL_ERROR` where it is missing, else `STATUS_VERIFICATION_ERROR`.
    """
    given = run.inputs.status_lists.get(url)
    if given is None:
        raise CredentialError("STATUS_RETRIEVAL_ERROR", f"The status list {url} is not available.")
    try:
        opened = open_document(given, STATUS_LIST_LIMITS, run.profile)
    except CredentialError as error:
        raise CredentialError("STATUS_VERIFICATION_ERROR", f"The status list cannot be read: {error}") from error
    context = Context(opened, run, EndorsementBudget(0))
    context.canonical = canonical_form(opened, run.profile)
    for finding in (*check_proofs([context])[0], check_dates(context)):
        if finding.outcome != "pass":
            raise CredentialError("STATUS_VERIFICATION_ERROR", f"The status list does not verify: {finding.message}")
    return opened.document
