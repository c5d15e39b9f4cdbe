"""Verifying a credential from its text and what was looked up for it, the same online, offline and in a test.

A document goes through `STAGES` in their order; each is a module of its own that takes the context and returns
findings. A check is added by writing its stage and listing it here; what shows it, see docs/architecture.md.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final

from libs.openbadges.model.budget import shared_budget
from libs.openbadges.model.endorsements import MOST_ENDORSEMENTS
from libs.openbadges.model.errors import CredentialError, UndecidedError
from libs.openbadges.model.profile import PRODUCTION, ProcessingProfile
from libs.openbadges.verify.canonicalization import canonicalize
from libs.openbadges.verify.contexts import check_contexts
from libs.openbadges.verify.dates import check_dates
from libs.openbadges.verify.document_format import check_format
from libs.openbadges.verify.embedded import verify_embedded
from libs.openbadges.verify.endorsements import check_endorsements, check_nested, check_subject
from libs.openbadges.verify.opening import Opened, open_document
from libs.openbadges.verify.proof import check_proofs
from libs.openbadges.verify.publication import check_publication
from libs.openbadges.verify.recipient import Recipient, check_recipient
from libs.openbadges.verify.refresh import refresh
from libs.openbadges.verify.report import Report
from libs.openbadges.verify.run import EndorsementBudget, Pipeline, ResolvedInputs, Run, Stage, per_document
from libs.openbadges.verify.schema import check_schema
from libs.openbadges.verify.signer import identify_signers
from libs.openbadges.verify.status import check_status, unsigned_list, verified_status_list

_PROVING: Final = (
    Stage((), canonicalize),
    per_document("format", check_format),
    per_document("context", check_contexts),
    per_document("schema", check_schema),
    Stage(("proof", "issuer"), check_proofs),
)

_STATE: Final = (
    Stage(("refresh",), refresh),
    per_document("publication", check_publication),
    Stage((), identify_signers),
    per_document("dates", check_dates),
    per_document("status", check_status),
)

STAGES: Final = (
    *_PROVING,
    *_STATE,
    Stage((), verify_embedded),
    per_document("endorsement", check_endorsements),
)
ENDORSEMENT_STAGES: Final = (
    *_PROVING,
    *_STATE,
    per_document("endorsement", check_nested),
    per_document("subject", check_subject),
)
"""Of an endorsement neither endorsements on it nor credentials in it are opened; it must speak of what it stands on."""

_PIPELINE: Final = Pipeline(_PROVING, STAGES, ENDORSEMENT_STAGES, verified_status_list, unsigned_list)

CHECKS: Final = tuple(name for stage in STAGES for name in stage.checks)
"""Every report has these checks, in this order."""

_PRESENTATION: Final = UndecidedError(
    "not_a_credential",
    "This is a presentation, in which a holder shows credentials, and was not verified as one. Verify it as a"
    " presentation, or hand in the credentials in it.",
)

RECIPIENT: Final = "recipient"
"""The check that a report has last, where it was asked whether the credential is about a certain person."""


def verify(
    document: str | bytes | dict[str, Any] | Opened,
    inputs: ResolvedInputs,
    now: datetime,
    *,
    recipient: Recipient | None = None,
    profile: ProcessingProfile = PRODUCTION,
) -> Report:
    """Verify a credential: format, context, schema, proof, issuer, refresh, publication, dates, status, endorsement.

    Of a learner record, each credential in it is verified in turn (CLR 2.0, verification), with a report of its own,
    and so is each endorsement on a credential. Where `inputs` has a refreshed version, that is what is verified.
    Nothing is fetched and nothing raises for what a document can hold: whatever stands in the way of an answer
    makes that check unknown.

    Args:
        document: the credential as it came: JSON, a compact JWT, an envelope with one, or a PNG or SVG file with
            either baked into it (as bytes). Text is better than parsed, since it shows keys that stand twice. One that
            `opening.open_document` read is not read again.
        inputs: what `dependencies_of` asked for.
        now: the moment to judge dates by, with a zone.
        recipient: whom it must be about (of a learner record, the record as a whole); None does not ask.
        profile: which documents are read.
    """
    return verify_all([document], inputs, now, recipient=recipient, profile=profile)[0]


def verify_all(
    documents: Sequence[str | bytes | dict[str, Any] | Opened],
    inputs: ResolvedInputs,
    now: datetime,
    *,
    recipient: Recipient | None = None,
    profile: ProcessingProfile = PRODUCTION,
    in_presentation: bool = False,
) -> list[Report]:
    """Verify several credentials for less than one by one; see `verify`. A status list is proven once for all.

    `in_presentation`: they stand where a presentation has credentials, and nothing else may (VCDM 2.0, section 4.13).

    All of them share one budget of work: that of the caller (`budget.shared_budget`), else one of their own. What it
    does not reach is unknown, `too_costly`.
    """
    run = new_run(inputs, now, profile)
    stages: tuple[Stage, ...] = STAGES
    if recipient is not None:
        stages = (*STAGES, per_document(RECIPIENT, partial(check_recipient, asked=recipient)))
    with shared_budget():
        opened = [_opened(one, profile) for one in documents]
        if not in_presentation:
            opened = [_PRESENTATION if _is_presentation(one) else one for one in opened]
        contexts = [run.context(one, EndorsementBudget(MOST_ENDORSEMENTS)) for one in opened]
        return run.reports(contexts, stages)


def new_run(inputs: ResolvedInputs, now: datetime, profile: ProcessingProfile) -> Run:
    """Begin a verification by the stages above."""
    return Run(inputs, now, profile, _PIPELINE)


def _opened(document: str | bytes | dict[str, Any] | Opened, profile: ProcessingProfile) -> Opened | CredentialError:
    try:
        return document if isinstance(document, Opened) else open_document(document, profile=profile)
    except CredentialError as error:
        return error


def _is_presentation(opened: Opened | CredentialError) -> bool:
    if isinstance(opened, CredentialError):
        return False
    types = opened.document.get("type")
    named = types if isinstance(types, list) else [types]
    is_one = (opened.token is not None and opened.token.profile == "vp+jwt") or "VerifiablePresentation" in named
    return is_one and "VerifiableCredential" not in named
