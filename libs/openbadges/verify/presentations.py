"""Verifying a presentation and each credential in it, from its text and what was looked up for it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from libs.openbadges.integrity.check import Finding, proofs_of
from libs.openbadges.jose.claims import check_token_dates
from libs.openbadges.model.datamodel import check_presentation
from libs.openbadges.model.errors import CredentialError
from libs.openbadges.verify.form import check_context, without_proof
from libs.openbadges.verify.opening import Opened, open_document
from libs.openbadges.verify.pipeline import (
    Material,
    Needs,
    check_security,
    listed,
    needs,
    needs_of,
    unreadable,
    verify_all,
)
from libs.openbadges.verify.report import Check, Outcome, Report, worst

PRESENTATION_CHECKS: Final = ("format", "context", "proof", "holder", "binding")
"""Every report on a presentation has these checks, in this order."""

MOST_CREDENTIALS: Final = 32
"""Credentials that are verified for one presentation."""


@dataclass(frozen=True, slots=True)
class PresentationReport:
    """What was found about a presentation, and about each credential in it, in the presentation's order.

    Attributes:
        checks: those of `PRESENTATION_CHECKS`.
        credentials: one report each.
        presentation: as it was read; None where it could not be.
    """

    checks: tuple[Check, ...]
    credentials: tuple[Report, ...]
    presentation: Mapping[str, Any] | None

    @property
    def verdict(self) -> Outcome:
        """Any check or credential that fails: fail. Else any that is unknown: unknown. Else pass."""
        outcomes = [check.outcome for check in self.checks]
        return worst(outcomes + [report.verdict for report in self.credentials])

    def check(self, name: str) -> Check:
        """Answer the check of that name."""
        return next(check for check in self.checks if check.name == name)

    def to_dict(self) -> dict[str, Any]:
        """Write the report as JSON has it, without the presentation."""
        return {
            "verdict": self.verdict,
            "checks": [check.to_dict() for check in self.checks],
            "credentials": [report.to_dict() for report in self.credentials],
        }


def presentation_needs(presentation: str | bytes | dict[str, Any]) -> Needs:
    """Tell what must be looked up to verify a presentation and all credentials in it; nothing if it cannot be read."""
    try:
        opened = open_document(presentation)
    except CredentialError:
        return Needs(frozenset(), frozenset())
    inner = [needs(one) for one in _credentials(opened.document)[:MOST_CREDENTIALS] if isinstance(one, dict)]
    return Needs(
        needs_of(opened).dids.union(*(one.dids for one in inner)),
        frozenset().union(*(one.status_lists for one in inner)),
        frozenset().union(*(one.refreshed for one in inner)),
    )


def verify_presentation(
    presentation: str | bytes | dict[str, Any],
    material: Material,
    now: datetime,
    *,
    challenge: str | None = None,
    domain: str | None = None,
) -> PresentationReport:
    """Verify a presentation (VCDM 2.0, sections 4.13 and 7.1) and each credential in it.

    Nothing is fetched and nothing raises for what a document can hold.

    Args:
        presentation: JSON with a Data Integrity proof for authentication, a compact `vp+jwt`
            (VC-JOSE-COSE 1.0, section 3.1.2), or an envelope with one.
        material: what `presentation_needs` asked for.
        now: the moment to judge dates by, with a zone.
        challenge: what the holder was asked to repeat; None if nothing was.
        domain: for whom the presentation must be; None if that was not asked.
    """
    try:
        opened = open_document(presentation)
    except CredentialError as error:
        return PresentationReport(unreadable(error, now, PRESENTATION_CHECKS), (), None)
    read = opened.document
    unsecured = without_proof(read)
    proven, held = check_security(opened, unsecured, material, now, "authentication")
    findings = {
        "format": _check_form(opened),
        "context": check_context(read, unsecured),
        "proof": _check_token_dates(opened, now) or proven,
        "holder": held,
        "binding": _check_binding(opened, challenge, domain),
    }
    credentials = _credentials(read)[:MOST_CREDENTIALS]
    reports = tuple(verify_all([one for one in credentials if isinstance(one, dict)], material, now))
    return PresentationReport(listed(findings, PRESENTATION_CHECKS, now), reports, read)


def _credentials(document: dict[str, Any]) -> list[Any]:
    given = document.get("verifiableCredential", [])
    return given if isinstance(given, list) else [given]


def _check_form(opened: Opened) -> Finding:
    """Check what the data model asks of a presentation, and that all its credentials were looked at."""
    if opened.token is not None and opened.token.profile != "vp+jwt":
        return Finding("fail", "not_a_presentation", "The token does not say that it holds a presentation.")
    try:
        check_presentation(opened.document)
    except CredentialError as error:
        code = "not_a_presentation" if error.code == "not_a_credential" else error.code
        return Finding("fail", code, str(error))
    credentials = _credentials(opened.document)
    if len(credentials) > MOST_CREDENTIALS:
        return Finding("unknown", "too_many_credentials", f"More than {MOST_CREDENTIALS} credentials are not checked.")
    return Finding("pass", "presentation", f"It is a presentation of {len(credentials)} credentials.")


def _check_token_dates(opened: Opened, now: datetime) -> Finding | None:
    """Answer what is wrong with the dates of the token around a presentation, if anything is."""
    try:
        if opened.token is not None:
            check_token_dates(opened.token, now)
    except CredentialError as error:
        return Finding("fail", error.code, str(error))
    return None


def _check_binding(opened: Opened, challenge: str | None, domain: str | None) -> Finding:
    """Check that the presentation was made for this verifier and this moment.

    In a proof that is `challenge` and `domain` (Data Integrity 1.0, section 2.1), in every proof of a set; in a token
    `nonce` and `aud` (RFC 7519, section 4.1.3).
    """
    if challenge is None and domain is None:
        return Finding("pass", "binding_not_asked", "It was not asked for whom it was made.")
    if opened.token is not None:
        bound = [(opened.token.claims.get("nonce"), opened.token.claims.get("aud"))]
    else:
        bound = [(proof.get("challenge"), proof.get("domain")) for proof in proofs_of(opened.document)]
    for repeated, audience in bound or [(None, None)]:
        if challenge is not None and repeated != challenge:
            return Finding("fail", "challenge_mismatch", "It does not repeat what it was asked to repeat.")
        if domain is not None and domain not in (audience if isinstance(audience, list) else [audience]):
            return Finding("fail", "domain_mismatch", "It was made for somebody else.")
    return Finding("pass", "binding", "It was made for this verifier, as asked.")
