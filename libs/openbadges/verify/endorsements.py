"""The stage `endorsement`: what others say, signed by themselves, of a credential, its issuer and its achievement.

They are credentials within the credential (Open Badges 3.0, class EndorsementCredential), and verified like it. Those
that stand on an endorsement in turn are not opened: the verification of an endorsement does not ask for them.
"""

from collections.abc import Sequence
from typing import Any, Final

from libs.openbadges.model.context_urls import CREDENTIALS_V2
from libs.openbadges.model.documents import read_model
from libs.openbadges.model.endorsements import MOST_ENDORSEMENTS, EndorsementEntry, endorsements_of, ids_of
from libs.openbadges.model.errors import CredentialError, LimitError, UnreadFormError
from libs.openbadges.model.findings import Finding
from libs.openbadges.model.members import first_context, types_of
from libs.openbadges.model.profile import PRODUCTION, ProcessingProfile
from libs.openbadges.verify.opening import Opened, open_document, open_parsed
from libs.openbadges.verify.report import Endorsement
from libs.openbadges.verify.run import Context

NONE: Final = Finding("pass", "endorsement_none", "It carries no endorsement.")
NESTED: Final = Finding("pass", "endorsement_nested", "Endorsements of an endorsement are not opened.")
NOT_OPENED: Final = Finding("unknown", "endorsement_not_opened", "It is too much to open the endorsements in it.")


def check_endorsements(context: Context) -> Finding:
    """Verify the endorsements on a credential, as far as its budget goes, and say what their reports come to."""
    entries = endorsements_of(context.document)
    if not entries:
        return NONE
    if isinstance(context.canonical, LimitError):
        return NOT_OPENED
    opened, left_out = entries[: context.budget.left], entries[context.budget.left :]
    context.budget.left -= len(opened)
    profile = context.run.profile
    reports = context.run.verify_endorsements([(one, _opened(one, profile)) for one in opened], context)
    context.endorsements = tuple(Endorsement(one.pointer, report) for one, report in zip(opened, reports, strict=True))
    return _summary(context.endorsements, len(left_out))


def check_nested(context: Context) -> Finding:
    """Say of an endorsement whether it is endorsed in turn, which is not looked into."""
    return NESTED if endorsements_of(context.document) else NONE


def open_endorsement(entry: EndorsementEntry, profile: ProcessingProfile = PRODUCTION) -> Opened:
    """Read an endorsement: an object with its proof, an envelope, or (as `endorsementJwt`) a compact JWS.

    Raises:
        CredentialError, LimitError, UnreadFormError: see `opening.open_document`.
    """
    is_jwt = "/endorsementJwt/" in entry.pointer
    if is_jwt and isinstance(entry.given, str):
        return open_document(entry.given, profile=profile)
    if not is_jwt and isinstance(entry.given, dict):
        return open_parsed(entry.given, profile=profile)
    raise UnreadFormError("endorsement_unread", "An endorsement here has a form that is not read.", entry.pointer)


def _opened(entry: EndorsementEntry, profile: ProcessingProfile) -> Opened | CredentialError:
    try:
        return open_endorsement(entry, profile)
    except CredentialError as error:
        return error


def opened_endorsements(document: dict[str, Any], profile: ProcessingProfile) -> list[Opened]:
    """Return the endorsements in a credential, as far as they can be read."""
    found = []
    for entry in endorsements_of(document)[:MOST_ENDORSEMENTS]:
        try:
            found.append(open_endorsement(entry, profile))
        except CredentialError:
            continue
    return found


def check_subject(context: Context) -> Finding:
    """Check that it is an endorsement, and of what it stands on."""
    endorsement = context.document
    if "EndorsementCredential" not in types_of(endorsement):
        return Finding("fail", "endorsement_type", "It does not say of itself that it is an endorsement.")
    try:
        if first_context(endorsement) == CREDENTIALS_V2:
            read_model(endorsement)
    except CredentialError as error:
        return Finding.of(error)
    if context.entry is None or not ids_of([endorsement.get("credentialSubject")]) & context.entry.subjects:
        return Finding("fail", "endorsement_subject", "It speaks of something else than what it stands on.")
    return Finding("pass", "endorsement_subject", "It speaks of what it stands on.")


def _summary(endorsements: Sequence[Endorsement], left_out: int) -> Finding:
    """Return what the reports on a credential's endorsements come to; see `report.Report.verdict`."""
    verdicts = [one.report.verdict for one in endorsements]
    bad, unknown = verdicts.count("fail"), verdicts.count("unknown")
    if bad:
        return Finding("fail", "endorsement_invalid", f"Of {len(verdicts)} endorsements on it, {bad} do not hold up.")
    if left_out:
        return Finding(
            "unknown", "too_many_endorsements", f"More than {MOST_ENDORSEMENTS} endorsements are not verified."
        )
    if unknown:
        return Finding(
            "unknown", "endorsement_unknown", f"Of {len(verdicts)} endorsements, {unknown} could not be checked."
        )
    return Finding(
        "pass", "endorsed", f"It carries {len(verdicts)} endorsements, each its endorser's own and in force."
    )
