"""The stage `endorsement`: what others say, signed by themselves, of a credential, its issuer and its achievement.

They are credentials within the credential (Open Badges 3.0, class EndorsementCredential), and verified like it. Those
that stand on an endorsement in turn are not opened: the verification of an endorsement does not ask for them.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from libs.openbadges.model.context_urls import CREDENTIALS_V2
from libs.openbadges.model.documents import read_model
from libs.openbadges.model.errors import CredentialError, LimitError, UnreadFormError
from libs.openbadges.model.findings import Finding
from libs.openbadges.model.members import first_context
from libs.openbadges.model.profile import PRODUCTION, ProcessingProfile
from libs.openbadges.verify.context import Context, Placed
from libs.openbadges.verify.opening import Opened, open_document, open_parsed
from libs.openbadges.verify.report import Endorsement

MOST_ENDORSEMENTS: Final = 32
"""Endorsements that are verified in one verification, those within a learner record's credentials included."""

NONE: Final = Finding("pass", "endorsement_none", "It carries no endorsement.")
NESTED: Final = Finding("pass", "endorsement_nested", "Endorsements of an endorsement are not opened.")
NOT_OPENED: Final = Finding("unknown", "endorsement_not_opened", "It is too much to open the endorsements in it.")

_MEMBERS: Final = ("endorsement", "endorsementJwt")


def check_endorsements(context: Context) -> Finding:
    """Verify the endorsements on a credential, as far as its budget goes, and say what their reports come to."""
    placed = endorsements_of(context.document)
    if not placed:
        return NONE
    if isinstance(context.canonical, LimitError):
        return NOT_OPENED
    opened, left_out = placed[: context.budget.left], placed[context.budget.left :]
    context.budget.left -= len(opened)
    reports = context.run.verify_endorsements(opened, context)
    context.endorsements = tuple(Endorsement(one.pointer, report) for one, report in zip(opened, reports, strict=True))
    return _summary(context.endorsements, len(left_out))


def check_nested(context: Context) -> Finding:
    """Say of an endorsement whether it is endorsed in turn, which is not looked into."""
    return NESTED if endorsements_of(context.document) else NONE


def endorsements_of(document: dict[str, Any]) -> list[Placed]:
    """Return the endorsements in a credential, one more than `MOST_ENDORSEMENTS` at most.

    On the credential itself one may speak of the credential and of the achievement and profiles in it; on a profile or
    an achievement, of that alone (Open Badges 3.0, the properties `endorsement` and `endorsementJwt`).
    """
    found: list[Placed] = []
    for thing, place in _endorsable(document):
        for name in _MEMBERS:
            if name in thing:
                subjects = _ids([thing] if place else [document, *(one for one, _ in _endorsable(document))])
                held = thing[name] if isinstance(thing[name], list) else [thing[name]]
                places = enumerate(held[: MOST_ENDORSEMENTS + 1 - len(found)])
                found += [Placed(f"{place}/{name}/{number}", subjects, one) for number, one in places]
    return found


def open_endorsement(placed: Placed, profile: ProcessingProfile = PRODUCTION) -> Opened:
    """Read an endorsement: an object with its proof, an envelope, or (as `endorsementJwt`) a compact JWS.

    Raises:
        CredentialError, LimitError, UnreadFormError: see `opening.open_document`.
    """
    is_jwt = "/endorsementJwt/" in placed.pointer
    if is_jwt and isinstance(placed.given, str):
        return open_document(placed.given, profile=profile)
    if not is_jwt and isinstance(placed.given, dict):
        return open_parsed(placed.given, profile=profile)
    raise UnreadFormError("endorsement_unread", "An endorsement here has a form that is not read.", placed.pointer)


def opened_endorsements(document: dict[str, Any], profile: ProcessingProfile) -> list[Opened]:
    """Return the endorsements in a credential, as far as they can be read."""
    found = []
    for placed in endorsements_of(document)[:MOST_ENDORSEMENTS]:
        try:
            found.append(open_endorsement(placed, profile))
        except CredentialError:
            continue
    return found


def check_subject(context: Context) -> Finding:
    """Check that it is an endorsement, and of what it stands on."""
    endorsement = context.document
    types = endorsement.get("type")
    if "EndorsementCredential" not in (types if isinstance(types, list) else [types]):
        return Finding("fail", "endorsement_type", "It does not say of itself that it is an endorsement.")
    try:
        if first_context(endorsement) == CREDENTIALS_V2:
            read_model(endorsement)
    except CredentialError as error:
        return Finding.of(error)
    if context.placed is None or not _ids([endorsement.get("credentialSubject")]) & context.placed.subjects:
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


def without_jwts(document: dict[str, Any]) -> dict[str, Any]:
    """Leave out every `endorsementJwt`, which Open Badges 3.0 defines and its context does not.

    For a credential in a JWT, which is signed as it stands: there the missing term leaves nothing unsigned.
    """
    if not any("endorsementJwt" in thing for thing, _ in _endorsable(document)):
        return document
    copy: dict[str, Any] = _copied(document)
    for thing, _ in _endorsable(copy):
        thing.pop("endorsementJwt", None)
    return copy


def _endorsable(document: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """Go through what endorsements may stand on, with JSON Pointers: the credential, profiles, achievements."""
    yield document, ""
    issuer = document.get("issuer")
    if isinstance(issuer, dict):
        yield issuer, "/issuer"
    for subject, place in _objects(document.get("credentialSubject"), "/credentialSubject"):
        if isinstance(source := subject.get("source"), dict):
            yield source, f"{place}/source"
        for achievement, where in _objects(subject.get("achievement"), f"{place}/achievement"):
            yield achievement, where
            if isinstance(creator := achievement.get("creator"), dict):
                yield creator, f"{where}/creator"


def _objects(value: Any, place: str) -> list[tuple[dict[str, Any], str]]:
    """Return one object or several with their places."""
    if isinstance(value, list):
        return [(one, f"{place}/{number}") for number, one in enumerate(value) if isinstance(one, dict)]
    return [(value, place)] if isinstance(value, dict) else []


def _ids(things: list[Any]) -> frozenset[str]:
    return frozenset(one["id"] for one in things if isinstance(one, dict) and isinstance(one.get("id"), str))


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _copied(one) for name, one in value.items()}
    return [_copied(one) for one in value] if isinstance(value, list) else value
