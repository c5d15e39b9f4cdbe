"""Verifying a credential from its text and what was looked up for it, the same online, offline and in a test."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from libs.openbadges.integrity.check import Finding, check_all_proofs, check_proofs
from libs.openbadges.integrity.suites import Known
from libs.openbadges.jose.checks import check_token
from libs.openbadges.jsonld.parsing import Limits
from libs.openbadges.model.errors import CredentialError, LimitError, UnreadFormError
from libs.openbadges.model.records import embedded_of, is_record
from libs.openbadges.status.check import Listings, check_status, status_lists_of
from libs.openbadges.verify import endorsements, refresh
from libs.openbadges.verify.dependencies import all_in, owners_of
from libs.openbadges.verify.form import check_context, check_dates, check_envelope, check_schema, without_proof
from libs.openbadges.verify.opening import Opened, open_document, open_parsed
from libs.openbadges.verify.recipient import Recipient, check_recipient
from libs.openbadges.verify.report import CHECKS, RECIPIENT, Check, Endorsement, Outcome, Report

STATUS_LIST_LIMITS = Limits(bytes=8 * 1024 * 1024)
"""A status list credential is one long text; everything else about it is small."""


@dataclass(frozen=True, slots=True)
class Material:
    """What was looked up for a verification; what is missing here makes a check unknown, never failed.

    Attributes:
        did_documents: by DID (or the address of a controller document). A did:key needs none.
        status_lists: signed status list credentials, by their address, as text or parsed.
        refreshed: what refresh services answered, by their address, as text or parsed. Without it the credential is
            verified as it was given.
    """

    did_documents: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    status_lists: Mapping[str, str | bytes | dict[str, Any]] = field(default_factory=dict)
    refreshed: refresh.Given = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Needs:
    """What `verify` would like to be given for a document."""

    dids: frozenset[str]
    status_lists: frozenset[str]
    refreshed: frozenset[str] = frozenset()


def needs(document: str | bytes | dict[str, Any], refreshed: refresh.Given | None = None) -> Needs:
    """Tell what must be looked up to verify a document; nothing for one that cannot be read.

    Args:
        document: see `verify`.
        refreshed: what refresh services answered, once that was asked for: newer editions have needs of their own.
    """
    try:
        return needs_of(open_document(document), refreshed)
    except CredentialError:
        return Needs(frozenset(), frozenset())


def needs_of(opened: Opened, refreshed: refresh.Given | None = None) -> Needs:
    """Tell what must be looked up for a document that was read, and for all credentials that are opened in it."""
    named, newer = all_in(opened, refreshed or {})
    documents = [*named, *newer]
    owners = {owner for one in documents for owner in owners_of(one)}
    return Needs(
        frozenset(owner for owner in owners if owner and not owner.startswith("did:key:")),
        frozenset(url for one in documents for url in status_lists_of(one.document)),
        frozenset(url for one in named if (url := refresh.refresh_address(one.document)) is not None),
    )


def verify(
    document: str | bytes | dict[str, Any], material: Material, now: datetime, *, recipient: Recipient | None = None
) -> Report:
    """Verify a credential: format, context, schema, proof, issuer, dates, status, refresh, endorsement.

    Of a learner record, each credential in it is verified in turn (CLR 2.0, verification), with a report of its own,
    and so is each endorsement on a credential. Where `material` has a newer edition, that is what is verified.
    Nothing is fetched and nothing raises for what a document can hold: whatever stands in the way of an answer
    makes that check unknown.

    Args:
        document: the credential as it came: JSON, a compact JWT, an envelope with one, or a PNG or SVG file with
            either baked into it (as bytes). Text is better than parsed, since it shows keys that stand twice.
        material: what `needs` asked for.
        now: the moment to judge dates by, with a zone.
        recipient: whom it must be about (of a learner record, the record as a whole); None does not ask.
    """
    return verify_all([document], material, now, recipient=recipient)[0]


def verify_all(
    documents: Sequence[str | bytes | dict[str, Any]],
    material: Material,
    now: datetime,
    *,
    recipient: Recipient | None = None,
) -> list[Report]:
    """Verify several credentials for less than one by one; see `verify`. A status list is proven once for all."""
    listings = _listings(material, now)
    checks = CHECKS if recipient is None else (*CHECKS, RECIPIENT)
    return [
        Report(unreadable(one, now, checks), None)
        if isinstance(one, CredentialError)
        else _Verification(material, now, listings).credential(one, recipient)
        for one in _prove_read([_opened(document) for document in documents], material, now)
    ]


def _opened(document: str | bytes | dict[str, Any]) -> Opened | CredentialError:
    try:
        return open_document(document)
    except CredentialError as error:
        return error


def verify_opened(opened: Opened, material: Material, now: datetime, recipient: Recipient | None = None) -> Report:
    """Verify a credential that was read; see `verify`."""
    proven = _prove([opened], material, now)[0]
    return _Verification(material, now, _listings(material, now)).credential(proven, recipient)


def _listings(material: Material, now: datetime) -> Listings:
    return Listings(lambda url: _status_list(url, material, now))


@dataclass(frozen=True, slots=True)
class _Proven:
    """A document with what was found about its form, its proof and whose key that was."""

    opened: Opened
    unsecured: Known | CredentialError
    findings: dict[str, Finding]

    @property
    def passes(self) -> bool:
        return all(finding.outcome == "pass" for finding in self.findings.values())


def _prove(opened: Sequence[Opened], material: Material, now: datetime) -> list[_Proven]:
    """Check what the documents themselves say, and their proofs, each step for all of them."""
    unsecured = [_unsecured(one) for one in opened]
    with_proofs = [(one.document, without) for one, without in zip(opened, unsecured, strict=True) if one.token is None]
    by_proofs = iter(check_all_proofs(with_proofs, material.did_documents, now))
    security = [
        next(by_proofs) if one.token is None else check_token(one.token, material.did_documents) for one in opened
    ]
    return [
        _Proven(
            one,
            without,
            {
                "format": check_envelope(one.document, one),
                "context": check_context(one.document, without),
                "schema": check_schema(one.document, without),
                "proof": proven,
                "issuer": issued,
            },
        )
        for one, without, (proven, issued) in zip(opened, unsecured, security, strict=True)
    ]


def _prove_read(
    opened: Sequence[Opened | CredentialError], material: Material, now: datetime
) -> list[_Proven | CredentialError]:
    """Prove those that could be read; of the others the error stays in its place."""
    proven = iter(_prove([one for one in opened if isinstance(one, Opened)], material, now))
    return [next(proven) if isinstance(one, Opened) else one for one in opened]


def _unsecured(opened: Opened) -> Known | CredentialError:
    if opened.unsecured is not None:
        return opened.unsecured
    # What a JWT carries is signed as it stands, so there a term without a definition hides nothing.
    read = opened.document
    return without_proof(read if opened.token is None else endorsements.without_jwts(read))


class _Verification:
    """One verification: what is given for it, the moment, and how many endorsements it may still open."""

    def __init__(self, material: Material, now: datetime, listings: Listings) -> None:
        self._material = material
        self._now = now
        self._left = endorsements.MOST_ENDORSEMENTS
        self._listings = listings

    def credential(self, proven: _Proven, recipient: Recipient | None = None) -> Report:
        """Judge a credential with the credentials and endorsements in it, in its newer edition where there is one."""
        proven, refreshed = self._refresh(proven)
        read = proven.opened.document
        findings = {**proven.findings, **self._state(proven), "refresh": refreshed}
        limited = isinstance(proven.unsecured, LimitError)
        embedded = () if limited else self._embedded(embedded_of(read))
        findings["endorsement"], endorsed = self._endorsed(read, limited)
        if recipient is not None:
            findings[RECIPIENT] = check_recipient(read, recipient)
        return Report(listed(findings, tuple(findings), self._now), read, embedded, endorsed)

    def _state(self, proven: _Proven) -> dict[str, Finding]:
        read = proven.opened.document
        return {
            "dates": check_dates(proven.opened, self._now),
            "status": check_status(read, self._listings),
        }

    def _refresh(self, first: _Proven) -> tuple[_Proven, Finding]:
        """Take the newer edition in place of a credential, once, and only after the credential itself is proven."""
        if "refreshService" not in first.opened.document:
            return first, refresh.NOT_NAMED
        if not first.passes:
            return first, refresh.NOT_TRIED
        found = refresh.newer_edition(first.opened.document, self._material.refreshed)
        if isinstance(found, Finding):
            return first, found
        newer = _prove([found], self._material, self._now)[0]
        return (newer, refresh.REFRESHED) if newer.passes else (first, refresh.NOT_PROVEN)

    def _embedded(self, given: Sequence[Any]) -> tuple[Report, ...]:
        """Verify the credentials in a learner record."""
        proven = _prove_read([_opened_embedded(one) for one in given], self._material, self._now)
        return tuple(
            Report(unreadable(one, self._now, CHECKS), None)
            if isinstance(one, CredentialError)
            else self.credential(one)
            for one in proven
        )

    def _endorsed(self, read: dict[str, Any], limited: bool) -> tuple[Finding, tuple[Endorsement, ...]]:
        placed = endorsements.endorsements_of(read)
        if not placed:
            return endorsements.NONE, ()
        if limited:
            return endorsements.NOT_OPENED, ()
        opened, left_out = placed[: self._left], placed[self._left :]
        self._left -= len(opened)
        reports = tuple(Endorsement(one.place, self._endorsement(one)) for one in opened)
        return endorsements.judge(reports, len(left_out)), reports

    def _endorsement(self, placed: endorsements.Placed) -> Report:
        """Verify an endorsement; neither endorsements on it nor credentials in it are opened."""
        try:
            opened = endorsements.open_endorsement(placed)
        except CredentialError as error:
            return Report(unreadable(error, self._now, endorsements.ENDORSEMENT_CHECKS), None)
        proven, refreshed = self._refresh(_prove([opened], self._material, self._now)[0])
        read = proven.opened.document
        nested = endorsements.NESTED if endorsements.endorsements_of(read) else endorsements.NONE
        findings = {**proven.findings, **self._state(proven), "refresh": refreshed, "endorsement": nested}
        findings["subject"] = endorsements.check_subject(read, placed)
        return Report(listed(findings, tuple(findings), self._now), read)


def _opened_embedded(given: Any) -> Opened | CredentialError:
    """Open a credential in a learner record; a record within a record is not opened."""
    try:
        if not isinstance(given, dict):
            return UnreadFormError("embedded_unread", "A credential in the record has a form that is not read here.")
        opened = open_parsed(given)
    except CredentialError as error:
        return error
    if is_record(opened.document):
        return UnreadFormError("record_in_record", "A learner record within another is not read here.")
    return opened


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


def _status_list(url: str, material: Material, now: datetime) -> dict[str, Any]:
    """Answer a status list credential that is this address's, proven and in force.

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
    if listing.get("id", url) != url:
        raise CredentialError("STATUS_VERIFICATION_ERROR", "The status list is that of another address.")
    for finding in (
        *check_security(opened, without_proof(listing), material, now),
        check_dates(opened, now),
    ):
        if finding.outcome != "pass":
            raise CredentialError("STATUS_VERIFICATION_ERROR", f"The status list does not verify: {finding.sentence}")
    return listing
