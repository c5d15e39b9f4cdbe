"""The stage `publication`: does a credential under one of an installation's own ids say what was published there?"""

from typing import Any, Final

from libs.openbadges.integrity.suites import VERIFY_SUITES
from libs.openbadges.jsonld.parsing import parse
from libs.openbadges.jsonld.templates.canonical_document import CanonicalDocument
from libs.openbadges.model.errors import CredentialError
from libs.openbadges.model.findings import Finding
from libs.openbadges.model.members import issuer_of, types_of
from libs.openbadges.trust.publications import Publications
from libs.openbadges.verify.run import Context

NOT_ASKED: Final = Finding("pass", "publication_not_asked", "It was not compared with what anybody published.")
NOT_OWN: Final = Finding("pass", "publication_elsewhere", "Its id is none of those that are published here.")
PUBLISHED: Final = Finding("pass", "published", "It says what was published here under its id.")
DIFFERS: Final = Finding("fail", "publication_differs", "Under its id, something else was published here.")
FOREIGN: Final = Finding(
    "fail",
    "publication_foreign",
    "Its id stands below the address of this installation, and its issuer is nobody from here.",
)
FOREIGN_ISSUER: Final = Finding(
    "fail",
    "issuer_foreign",
    "Its issuer's id stands below the address of this installation, where nobody has that id.",
)
MISSING: Final = Finding(
    "unknown", "publication_missing", "Its issuer is registered here, and its text is not published here."
)
UNAVAILABLE: Final = Finding(
    "unknown", "publication_unavailable", "What was published here under its id could not be looked up."
)

_LISTS: Final = frozenset({"BitstringStatusListCredential"})
"""Published under one URL in ever newer versions, so that an older one is no forgery."""


def check_publication(context: Context) -> Finding:
    """Compare what the document says, whatever secures it, with the published text.

    Whatever else stands below our address is nobody's but ours, and nobody else is an issuer there. Of a credential of
    an issuer that is registered here only a published one passes: whoever steals a key and dates back is found out so.
    That one is not here yet may also mean that it was issued a moment ago, so that is unknown.
    """
    publications = context.run.inputs.publications
    if publications is None:
        return NOT_ASKED
    document = context.document
    identifier = document.get("id")
    identifier = identifier if isinstance(identifier, str) else ""
    issuer = issuer_of(document)
    registered = issuer in publications.issuers
    if not publications.claims(identifier):
        own_list = registered and not _LISTS.isdisjoint(map(str, types_of(document)))
        if own_list or not (registered or _is_below_us(publications, identifier, issuer)):
            return NOT_OWN
    text = publications.text(identifier)
    if text is not None:
        return PUBLISHED if _says_the_same(context, text) else DIFFERS
    if not publications.available:
        return UNAVAILABLE
    if not registered:
        return FOREIGN_ISSUER if issuer is not None and publications.imitates_issuer(issuer) else FOREIGN
    reason = publications.why_taken_down(identifier)
    return MISSING if reason is None else _taken_down(reason)


def _is_below_us(publications: Publications, identifier: str, issuer: str | None) -> bool:
    """Return whether a credential, or its issuer, has an id below our address."""
    return publications.has_address_of(identifier) or (issuer is not None and publications.imitates_issuer(issuer))


def _taken_down(reason: str) -> Finding:
    return Finding("fail", "taken_down", f"It was published here and was taken down for good; the reason is {reason}.")


def _says_the_same(context: Context, text: str) -> bool:
    """Return whether a document says what a published one does, neither with its proofs.

    As text, else as JSON, else as RDF: written otherwise it is still the same statement, and what was signed.
    """
    canonical = context.canonical
    if isinstance(canonical, CanonicalDocument) and text.encode().startswith(canonical.text[:-1] + b',"proof":'):
        return True
    try:
        published = _without_proof(parse(text))
        if _without_proof(context.document) == published:
            return True
        if isinstance(canonical, CredentialError):
            return False
        other = VERIFY_SUITES.canonical(published, profile=context.run.profile)
        return canonical.rdf_hash() == other.rdf_hash()
    except CredentialError:
        return False


def _without_proof(document: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name != "proof"}
