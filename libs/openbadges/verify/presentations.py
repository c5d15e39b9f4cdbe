"""Verifying a presentation and each credential in it, from its text and what was looked up for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final

from libs.openbadges.model.budget import shared_budget
from libs.openbadges.model.datamodel import check_presentation
from libs.openbadges.model.endorsements import ids_of
from libs.openbadges.model.errors import CredentialError
from libs.openbadges.model.findings import Finding, Outcome, worst
from libs.openbadges.model.members import holder_of
from libs.openbadges.model.profile import PRODUCTION, ProcessingProfile
from libs.openbadges.verify.canonicalization import canonicalize
from libs.openbadges.verify.contexts import check_contexts
from libs.openbadges.verify.dependencies import Dependencies, dependencies_of
from libs.openbadges.verify.mechanisms import Binding, mechanism_of
from libs.openbadges.verify.opening import open_document
from libs.openbadges.verify.pipeline import new_run, verify_all
from libs.openbadges.verify.proof import check_proofs
from libs.openbadges.verify.report import Check, Report, checks_of, unreadable
from libs.openbadges.verify.run import (
    Context,
    EndorsementBudget,
    ResolvedInputs,
    Stage,
    per_document,
    run_stages,
)

MOST_CREDENTIALS: Final = 32
"""Credentials that are verified for one presentation."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who shows the credentials; whether somebody may show those of another is for whoever asks to decide.

    Attributes:
        id: whom the presentation names as its holder; where it names none, whose key signed it.
        proven: whether that party signed it.
        subject_of: of each credential, whether the holder is its subject; None where it names no subject by id.
    """

    id: str | None
    proven: bool
    subject_of: tuple[bool | None, ...]

    @property
    def message(self) -> str:
        """All this in a sentence."""
        who = f"{self.id or 'Nobody who is named'}{'' if self.proven else ', which is not proven,'}"
        return f"{who} shows them, and is the subject of {self.subject_of.count(True)} of {len(self.subject_of)}."

    def to_dict(self) -> dict[str, Any]:
        """Write it as JSON has it."""
        return {
            "id": self.id,
            "proven": self.proven,
            "subject_of": list(self.subject_of),
            "message": self.message,
        }


@dataclass(frozen=True, slots=True)
class PresentationReport:
    """What was found about a presentation, and about each credential in it, in the presentation's order.

    Attributes:
        checks: those of `PRESENTATION_CHECKS`.
        credentials: one report each.
        presentation: as it was read; None where it could not be.
        holder: who shows it; None where it could not be read.
    """

    checks: tuple[Check, ...]
    credentials: tuple[Report, ...]
    presentation: Mapping[str, Any] | None
    holder: Holder | None = None

    @property
    def verdict(self) -> Outcome:
        """Any check or credential that fails: fail. Else any that is unknown: unknown. Else pass."""
        outcomes = [check.outcome for check in self.checks]
        return worst(outcomes + [report.verdict for report in self.credentials])

    def check(self, name: str) -> Check:
        """Return the check of that name."""
        return next(check for check in self.checks if check.name == name)

    def to_dict(self) -> dict[str, Any]:
        """Write the report as JSON has it, without the presentation."""
        return {
            "verdict": self.verdict,
            "holder": None if self.holder is None else self.holder.to_dict(),
            "checks": [check.to_dict() for check in self.checks],
            "credentials": [report.to_dict() for report in self.credentials],
        }


def presentation_dependencies(
    presentation: str | bytes | dict[str, Any], profile: ProcessingProfile = PRODUCTION
) -> Dependencies:
    """Return what must be looked up for a presentation and all credentials in it; nothing if it cannot be read."""
    try:
        opened = open_document(presentation, profile=profile)
    except CredentialError:
        return Dependencies()
    held = _credentials(opened.document)[:MOST_CREDENTIALS]
    inner = [dependencies_of(one, profile=profile) for one in held if isinstance(one, dict)]
    return Dependencies(dependencies_of(opened, profile=profile).dids).union(inner)


def verify_presentation(
    presentation: str | bytes | dict[str, Any],
    inputs: ResolvedInputs,
    now: datetime,
    *,
    challenge: str | None = None,
    domain: str | None = None,
    profile: ProcessingProfile = PRODUCTION,
) -> PresentationReport:
    """Verify a presentation (VCDM 2.0, sections 4.13 and 7.1) and each credential in it.

    Nothing is fetched and nothing raises for what a document can hold. The presentation and its credentials share one
    budget of work; see `pipeline.verify_all`.

    Args:
        presentation: JSON with a Data Integrity proof for authentication, a compact `vp+jwt`
            (VC-JOSE-COSE 1.0, section 3.1.2), or an envelope with one.
        inputs: what `presentation_dependencies` asked for.
        now: the moment to judge dates by, with a zone.
        challenge: what the holder was asked to repeat; None if nothing was.
        domain: for whom the presentation must be; None if that was not asked.
        profile: which documents are read.
    """
    with shared_budget():
        try:
            opened = open_document(presentation, profile=profile)
        except CredentialError as error:
            return PresentationReport(unreadable(error, now, PRESENTATION_CHECKS), (), None)
        context = Context(opened, new_run(inputs, now, profile), EndorsementBudget(0))
        run_stages(_stages(Binding(challenge, domain)), [context])
        held = [one for one in _credentials(opened.document)[:MOST_CREDENTIALS] if isinstance(one, dict)]
        reports = tuple(verify_all(held, inputs, now, profile=profile, in_presentation=True))
        holder = _holder(context, reports)
        return PresentationReport(checks_of(context.findings, now), reports, opened.document, holder)


def _holder(context: Context, reports: Sequence[Report]) -> Holder:
    owners = mechanism_of(context.opened).owners(context.opened)
    holder = holder_of(context.document) or next(iter(owners), None)
    proven = all(context.findings[check].outcome == "pass" for check in ("proof", "holder"))
    return Holder(holder, proven, tuple(_is_subject(holder, report.credential or {}) for report in reports))


def _is_subject(holder: str | None, credential: Mapping[str, Any]) -> bool | None:
    given = credential.get("credentialSubject")
    ids = ids_of(given if isinstance(given, list) else [given])
    return holder in ids if ids else None


def _credentials(document: dict[str, Any]) -> list[Any]:
    given = document.get("verifiableCredential", [])
    return given if isinstance(given, list) else [given]


def _check_format(context: Context) -> Finding:
    """Check what the data model asks of a presentation, and that all its credentials were looked at."""
    token = context.opened.token
    if token is not None and token.profile != "vp+jwt":
        return Finding("fail", "not_a_presentation", "The token does not say that it holds a presentation.")
    try:
        check_presentation(context.document)
    except CredentialError as error:
        code = "not_a_presentation" if error.code == "not_a_credential" else error.code
        return Finding.of(error)._replace(code=code)
    credentials = _credentials(context.document)
    if len(credentials) > MOST_CREDENTIALS:
        return Finding("unknown", "too_many_credentials", f"More than {MOST_CREDENTIALS} credentials are not checked.")
    return Finding("pass", "presentation", f"It is a presentation of {len(credentials)} credentials.")


def _check_proofs(contexts: Sequence[Context]) -> list[tuple[Finding, Finding]]:
    """Check whether holders signed, for authentication and at a time when their signatures are in force."""
    found = check_proofs(contexts, "authentication")
    return [(_dates_wrong(one) or proven, held) for one, (proven, held) in zip(contexts, found, strict=True)]


def _dates_wrong(context: Context) -> Finding | None:
    """Return what is wrong with the dates of the mechanism that secures a presentation, if anything is."""
    try:
        mechanism_of(context.opened).check_dates(context.opened, context.run.now)
    except CredentialError as error:
        return Finding.of(error)
    return None


def _check_binding(context: Context, asked: Binding) -> Finding:
    """Check that the presentation was made for this verifier and this moment, by every signature on it."""
    challenge, domain = asked
    if challenge is None and domain is None:
        return Finding("pass", "binding_not_asked", "It was not asked for whom it was made.")
    for repeated, audience in mechanism_of(context.opened).bindings(context.opened) or [Binding(None, None)]:
        if challenge is not None and repeated != challenge:
            return Finding("fail", "challenge_mismatch", "It does not repeat what it was asked to repeat.")
        if domain is not None and domain not in (audience if isinstance(audience, list) else [audience]):
            return Finding("fail", "domain_mismatch", "It was made for somebody else.")
    return Finding("pass", "binding", "It was made for this verifier, as asked.")


def _stages(asked: Binding) -> tuple[Stage, ...]:
    return (
        Stage((), canonicalize),
        per_document("format", _check_format),
        per_document("context", check_contexts),
        Stage(("proof", "holder"), _check_proofs),
        per_document("binding", partial(_check_binding, asked=asked)),
    )


PRESENTATION_CHECKS: Final = tuple(name for stage in _stages(Binding(None, None)) for name in stage.checks)
"""Every report on a presentation has these checks, in this order."""
