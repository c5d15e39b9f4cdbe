"""Issuing in two steps: preparing checks a document and gives a single-use token; signing takes only a token."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from libs.openbadges.crypto.keys import Signer
from libs.openbadges.integrity.create import issued_suite, secure
from libs.openbadges.integrity.suites import SIGN_SUITES
from libs.openbadges.jsonld.parsing import LIMITS, write
from libs.openbadges.jsonld.resources import check_resources
from libs.openbadges.jsonld.templates.canonical_document import CanonicalDocument
from libs.openbadges.model.context_urls import CREDENTIALS_V1, DATA_INTEGRITY_V2, EXAMPLES_V2
from libs.openbadges.model.datamodel import check_credential
from libs.openbadges.model.datamodel.forms import is_url
from libs.openbadges.model.datamodel.status import is_status_entry
from libs.openbadges.model.errors import CredentialError, LimitError
from libs.openbadges.model.profile import PRODUCTION, ProcessingProfile
from libs.openbadges.model.records import check_record, is_record
from libs.openbadges.model.schema import form_of, is_achievement, validate_achievement

_MAKER: Final = object()

# Forms of badges (`form_of`) that were prepared, the oldest first, and by which profile: of another award of the same
# form, only the texts that differ are looked at.
_KNOWN: Final[dict[bytes, ProcessingProfile]] = {}
_MOST_KNOWN: Final = 256


class Prepared:
    """A document that was checked and may be signed, once.

    Only `prepare` makes these, and `sign` takes nothing else, so a credential that nobody checked cannot be signed.
    """

    __slots__ = ("_content",)

    def __init__(self, maker: object, content: CanonicalDocument) -> None:
        """Not for callers."""
        if maker is not _MAKER:
            raise CredentialError("not_prepared", "Only prepare() makes what sign() takes.")
        self._content: list[CanonicalDocument] = [content]

    def take(self) -> CanonicalDocument:
        """Use the token up and answer what is signed.

        Raises:
            CredentialError: the token was used already.
        """
        try:
            # One atomic step, so that of two threads only one gets it.
            return self._content.pop()
        except IndexError:
            raise CredentialError("already_signed", "This document was signed already; prepare it again.") from None


def prepare(document: dict[str, Any], profile: ProcessingProfile = PRODUCTION) -> Prepared:
    """Check a document so that it may be signed: schema, defined terms and types, dates, no proof yet.

    What will be signed is its text as it is written now; what the caller does to it afterwards changes nothing.

    Raises:
        CredentialError: what is wrong, where; codes `not_json`, `schema`, `term_undefined`, `type_undefined`,
            `iri_invalid`, `proof_present`, `date_form`, `date_without_zone`, `not_a_credential` and others; of a
            learner record also `model`, where it departs from the final data model.
        UnknownContextError: a context that is not carried, or the examples' context.
        LimitError: larger than `parsing.LIMITS`.
    """
    text = write(document)
    if len(text) > LIMITS.bytes:
        raise LimitError("too_large", f"The document has {len(text)} bytes; {LIMITS.bytes} are signed at most.")
    form = form_of(document)
    known = form is not None and _KNOWN.get(form) is profile and _free_texts_hold(document)
    if not known:
        _check_envelope(document, profile)
    # Canonicalizing is what finds undefined terms and types, and what is too deep or too much for anything else.
    content = SIGN_SUITES.canonical(document, text, profile)
    if not known:
        check_resources(document, profile)
        if is_achievement(document):
            validate_achievement(document)
            if form is not None:
                _remember(form, profile)
        elif is_record(document):
            check_record(document)
    # What cannot be canonicalized in time is refused here and not when it is signed, among others.
    content.rdf_hash()
    return Prepared(_MAKER, content)


def sign(
    prepared: Prepared,
    signer: Signer,
    verification_method: str,
    created: datetime,
    *,
    cryptosuite: str = "eddsa-rdfc-2022",
) -> str:
    """Sign a prepared document and answer the credential as compact JSON.

    Args:
        prepared: from `prepare`; used up.
        signer: holds the private key.
        verification_method: the DID URL of the public key.
        created: the moment of signing, with a zone.
        cryptosuite: how; one of `SIGN_SUITES`.

    Raises:
        CredentialError: used already, an unknown cryptosuite, a moment without a zone.
    """
    return sign_all([prepared], signer, verification_method, created, cryptosuite=cryptosuite)[0]


def sign_all(
    prepared: Sequence[Prepared],
    signer: Signer,
    verification_method: str,
    created: datetime,
    *,
    cryptosuite: str = "eddsa-rdfc-2022",
) -> list[str]:
    """Sign several prepared documents with one key for less than one by one; see `sign`.

    Raises:
        CredentialError: see `sign`; nothing is signed then, and all that came before a used one is used up as well.
    """
    suite = issued_suite(cryptosuite)
    return secure([one.take() for one in prepared], suite, signer, verification_method, created)


def _free_texts_hold(document: dict[str, Any]) -> bool:
    """Return whether the texts that a form leaves out are such as every credential has."""
    status = document.get("credentialStatus")
    bearers = (document, document.get("credentialSubject"), status)
    if not all(is_url(one["id"]) for one in bearers if type(one) is dict and "id" in one):
        return False
    return type(status) is not dict or is_status_entry(status)


def _remember(form: bytes, profile: ProcessingProfile) -> None:
    if len(_KNOWN) >= _MOST_KNOWN:
        _KNOWN.pop(next(iter(_KNOWN)), None)
    _KNOWN[form] = profile


def _check_envelope(document: dict[str, Any], profile: ProcessingProfile) -> None:
    """Check what every credential has, badge or not (VCDM 2.0, section 4)."""
    check_credential(document)
    contexts = document["@context"]
    if EXAMPLES_V2 in contexts and not profile.examples_context:
        raise CredentialError(
            "context_examples", "The examples' context defines every term; nothing is issued with it.", "/@context"
        )
    if contexts[0] == CREDENTIALS_V1 and DATA_INTEGRITY_V2 not in contexts:
        raise CredentialError(
            "context_missing", f"A 1.1 credential needs the context {DATA_INTEGRITY_V2} too.", "/@context"
        )
    if "proof" in document:
        raise CredentialError("proof_present", "The document carries a proof already.", "/proof")
