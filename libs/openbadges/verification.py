"""Verifying a credential from its text and what was looked up for it, the same online, offline and in a test."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from libs.openbadges import times
from libs.openbadges.contexts import CREDENTIALS_V1, CREDENTIALS_V2
from libs.openbadges.datamodel import check_credential
from libs.openbadges.did import controller_of
from libs.openbadges.errors import CredentialError, LimitError, UnknownContextError, UnreadFormError
from libs.openbadges.jose.checks import check_token, owner_of
from libs.openbadges.jose.claims import check_token_dates
from libs.openbadges.parsing import Limits
from libs.openbadges.proofchecks import Finding, check_proofs, issuer_of, proofs_of
from libs.openbadges.proofs import OFFERED, Known
from libs.openbadges.reading import Opened, open_document, open_parsed
from libs.openbadges.recipient import Recipient, check_recipient
from libs.openbadges.recordforms import check_record, embedded_of, is_record
from libs.openbadges.report import CHECKS, RECIPIENT, Check, Outcome, Report
from libs.openbadges.resources import check_resources
from libs.openbadges.schema import is_achievement, validate_achievement, validate_record
from libs.openbadges.statuschecks import check_status, status_lists_of

STATUS_LIST_LIMITS = Limits(bytes=8 * 1024 * 1024)
"""A status list credential is one long text; everything else about it is small."""


@dataclass(frozen=True, slots=True)
class Material:
    """What was looked up for a verification; what is missing here makes a check unknown, never failed.

    Attributes:
        did_documents: by DID (or the address of a controller document). A did:key needs none.
        status_lists: signed status list credentials, by their address, as text or parsed.
    """

    did_documents: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    status_lists: Mapping[str, str | bytes | dict[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Needs:
    """What `verify` would like to be given for a document."""

    dids: frozenset[str]
    status_lists: frozenset[str]


def needs(document: str | bytes | dict[str, Any]) -> Needs:
    """Tell what must be looked up to verify a document; nothing for one that cannot be read."""
    try:
        return needs_of(open_document(document))
    except CredentialError:
        return Needs(frozenset(), frozenset())


def needs_of(opened: Opened) -> Needs:
    """Tell what must be looked up for a document that was read, and for the credentials in a learner record."""
    documents = [opened, *_embedded_in(opened)]
    owners = {owner for one in documents for owner in _owners(one)}
    return Needs(
        frozenset(owner for owner in owners if owner and not owner.startswith("did:key:")),
        frozenset(url for one in documents for url in status_lists_of(one.document)),
    )


def _owners(opened: Opened) -> list[str]:
    if opened.token is not None:
        return [owner_of(opened.token) or ""]
    return [controller_of(str(proof.get("verificationMethod", ""))) for proof in proofs_of(opened.document)]


def _embedded_in(opened: Opened) -> list[Opened]:
    """Open the credentials in a learner record, as far as they can be read."""
    found = []
    for one in embedded_of(opened.document):
        try:
            found += [open_parsed(one)] if isinstance(one, dict) else []
        except CredentialError:
            continue
    return found


def verify(
    document: str | bytes | dict[str, Any], material: Material, now: datetime, *, recipient: Recipient | None = None
) -> Report:
    """Verify a credential: format, context, schema, proof, issuer, dates, status; and recipient, where asked.

    Of a learner record, each credential in it is verified in turn (CLR 2.0, verification), with a report of its own.
    Nothing is fetched and nothing raises for what a document can hold: whatever stands in the way of an answer
    makes that check unknown.

    Args:
        document: the credential as it came: JSON, a compact JWT, an envelope with one, or a PNG or SVG file with
            either baked into it (as bytes). Text is better than parsed, since it shows keys that stand twice.
        material: what `needs` asked for.
        now: the moment to judge dates by, with a zone.
        recipient: whom it must be about (of a learner record, the record as a whole); None does not ask.
    """
    try:
        opened = open_document(document)
    except CredentialError as error:
        return Report(unreadable(error, now, CHECKS if recipient is None else (*CHECKS, RECIPIENT)), None)
    return verify_opened(opened, material, now, recipient)


def verify_opened(opened: Opened, material: Material, now: datetime, recipient: Recipient | None = None) -> Report:
    """Verify a credential that was read; see `verify`."""
    read = opened.document
    unsecured = without_proof(read)
    proven, issued = check_security(opened, unsecured, material, now)
    findings = {
        "format": _check_envelope(read, opened),
        "context": check_context(read, unsecured),
        "schema": _check_schema(read, unsecured),
        "proof": proven,
        "issuer": issued,
        "dates": _check_dates(opened, now),
        "status": check_status(read, lambda url: _status_list(url, read, material, now)),
    }
    if recipient is not None:
        findings[RECIPIENT] = check_recipient(read, recipient)
    embedded = [] if isinstance(unsecured, LimitError) else embedded_of(read)
    return Report(
        listed(findings, tuple(findings), now), read, tuple(_embedded(one, material, now) for one in embedded)
    )


def _embedded(one: Any, material: Material, now: datetime) -> Report:
    """Verify a credential in a learner record; a record within a record is not opened."""
    try:
        if not isinstance(one, dict):
            raise UnreadFormError("embedded_unread", "A credential in the record has a form that is not read here.")
        opened = open_parsed(one)
        if is_record(opened.document):
            raise UnreadFormError("record_in_record", "A learner record within another is not read here.")
    except CredentialError as error:
        return Report(unreadable(error, now, CHECKS), None)
    return verify_opened(opened, material, now)


def listed(findings: Mapping[str, Finding], names: Sequence[str], now: datetime) -> tuple[Check, ...]:
    """Write findings as checks, in order."""
    found = [(name, findings[name]) for name in names]
    return tuple(Check(name, one.outcome, one.code, one.sentence, one.at or now) for name, one in found)


def check_security(
    opened: Opened,
    unsecured: Known | CredentialError,
    material: Material,
    now: datetime,
    purpose: str = "assertionMethod",
) -> tuple[Finding, Finding]:
    """Check the JWT around a document, or else the proofs in it; then whose key it was."""
    if opened.token is not None:
        return check_token(opened.token, material.did_documents)
    return check_proofs(opened.document, unsecured, material.did_documents, now, purpose=purpose)


def unreadable(error: CredentialError, now: datetime, names: Sequence[str]) -> tuple[Check, ...]:
    """A document beyond the limits or in a form not read here may be good; one that is not JSON is no credential."""
    outcome: Outcome = "unknown" if isinstance(error, LimitError | UnreadFormError) else "fail"
    checks = [Check("format", outcome, error.code, str(error), now)]
    checks += [
        Check(name, "unknown", "not_read", "The document could not be read.", now) for name in names if name != "format"
    ]
    return tuple(checks)


def _check_envelope(document: dict[str, Any], opened: Opened) -> Finding:
    """Check what the data model asks of every credential (VCDM 2.0, section 4)."""
    if opened.token is not None and opened.token.profile == "vp+jwt":
        return Finding("fail", "not_a_credential", "It is a presentation, where a credential was expected.")
    try:
        check_credential(document)
    except CredentialError as error:
        return Finding("fail", error.code, str(error))
    if opened.picture is not None:
        where = f"baked into a {opened.picture.upper()}"
        return Finding("pass", "credential_baked", f"It is a verifiable credential, {where}.")
    if opened.token is not None:
        return Finding("pass", "credential_jwt", "It is a verifiable credential as a JSON Web Token.")
    return Finding("pass", "credential", "It is a verifiable credential in JSON.")


def without_proof(document: dict[str, Any]) -> Known | CredentialError:
    """Take the proof off and look whether the contexts define all that is left; if not, answer why."""
    try:
        return OFFERED.unsecured({key: value for key, value in document.items() if key != "proof"})
    except CredentialError as error:
        return error


def check_context(document: dict[str, Any], unsecured: Known | CredentialError) -> Finding:
    """Check that every context is carried and defines every term and type, or else they are not in what is signed."""
    if _contexts(document)[0] not in (CREDENTIALS_V1, CREDENTIALS_V2):
        return Finding("fail", "context_first", "The first context is not that of verifiable credentials.")
    if isinstance(unsecured, CredentialError):
        unknown = isinstance(unsecured, UnknownContextError | LimitError)
        return Finding("unknown" if unknown else "fail", unsecured.code, str(unsecured))
    try:
        check_resources(document)
    except CredentialError as error:
        return Finding("fail", error.code, str(error))
    return Finding("pass", "contexts_known", "All its terms have one known meaning.")


def _contexts(document: dict[str, Any]) -> list[Any]:
    """Answer the contexts as a list that has a first."""
    contexts = document.get("@context")
    return contexts if isinstance(contexts, list) and contexts else [contexts]


def _check_schema(document: dict[str, Any], unsecured: Known | CredentialError) -> Finding:
    if isinstance(unsecured, LimitError):
        return Finding("unknown", unsecured.code, str(unsecured))
    if is_record(document):
        return _check_record(document)
    if not is_achievement(document):
        return Finding("pass", "schema_none", "It is no Open Badge, so their schema does not apply.")
    try:
        validate_achievement(document)
    except CredentialError as error:
        return Finding("fail", error.code, str(error))
    return Finding("pass", "schema", "It has the form of an Open Badges 3.0 credential.")


def _check_record(document: dict[str, Any]) -> Finding:
    """Check a learner record's form. Only the final CLR 2.0 data model can find it wrong, not the older schema."""
    try:
        check_record(document)
        validate_record(document)
    except CredentialError as error:
        return Finding("fail" if error.code == "model" else "unknown", error.code, str(error))
    return Finding("pass", "schema", "It has the form of a Comprehensive Learner Record 2.0.")


def _check_dates(opened: Opened, now: datetime) -> Finding:
    """Check validFrom and validUntil, the same under their names in VCDM 1.1, and a JWT's own dates."""
    document = opened.document
    try:
        for name in ("validFrom", "issuanceDate"):
            if name in document and (begins := times.read(document[name], f"/{name}")) > now:
                return Finding("fail", "not_yet_valid", f"It is valid only from {times.write(begins)}.")
        for name in ("validUntil", "expirationDate"):
            if name in document and (ends := times.read(document[name], f"/{name}")) <= now:
                return Finding("fail", "expired", f"It was valid until {times.write(ends)}.")
        if opened.token is not None:
            check_token_dates(opened.token, now)
    except CredentialError as error:
        return Finding("fail", error.code, str(error))
    return Finding("pass", "in_force", "The date lies within its validity.")


def _status_list(url: str, credential: dict[str, Any], material: Material, now: datetime) -> dict[str, Any]:
    """Answer a status list credential that is this address's, this issuer's, proven and in force.

    Raises:
        CredentialError: `STATUS_RETRIEVAL_ERROR` where it is missing, else `STATUS_VERIFICATION_ERROR`.
    """
    given = material.status_lists.get(url)
    if given is None:
        raise CredentialError("STATUS_RETRIEVAL_ERROR", f"The status list {url} could not be had.")
    try:
        opened = open_document(given, STATUS_LIST_LIMITS)
        listing = opened.document
    except CredentialError as error:
        raise CredentialError("STATUS_VERIFICATION_ERROR", f"The status list cannot be read: {error}") from error
    if listing.get("id", url) != url or issuer_of(listing) != issuer_of(credential):
        raise CredentialError("STATUS_VERIFICATION_ERROR", "The status list is that of another address or issuer.")
    for finding in (
        *check_security(opened, without_proof(listing), material, now),
        _check_dates(opened, now),
    ):
        if finding.outcome != "pass":
            raise CredentialError("STATUS_VERIFICATION_ERROR", f"The status list does not verify: {finding.sentence}")
    return listing
