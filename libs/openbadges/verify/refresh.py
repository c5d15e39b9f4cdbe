"""The stage `refresh`: the version of a credential that its issuer refreshed, verified once in its place.

Open Badges 3.0, verification: a credential whose proof is good and that names a refresh service is refreshed, once;
the refreshed version is then verified as the first was. "If the refresh is not successful", the first one counts.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from libs.openbadges.model.errors import CredentialError
from libs.openbadges.model.findings import Finding
from libs.openbadges.model.members import issuer_of, moment_of, subject_of, types_of, validity_names
from libs.openbadges.model.profile import PRODUCTION, ProcessingProfile
from libs.openbadges.verify.opening import Opened, open_document
from libs.openbadges.verify.run import Answers, Context

KIND: Final = "1EdTechCredentialRefresh"
"""The one kind of refresh service that is used; it returns the refreshed version to a plain GET."""

NOT_NAMED: Final = Finding("pass", "refresh_none", "It names no place for a refreshed version.")
REFRESHED: Final = Finding("pass", "refreshed", "The version that its issuer refreshed was verified in its place.")
NOT_PROVEN: Final = Finding(
    "unknown", "refresh_unproven", "What its refresh service returned does not verify; the one given was verified."
)
NOT_TRIED: Final = Finding(
    "unknown", "refresh_not_tried", "It is not proven who named its refresh service, so that was not used."
)


def refresh(contexts: Sequence[Context]) -> list[tuple[Finding]]:
    """Put refreshed versions in the place of credentials that are proven themselves."""
    return [(_refresh(one),) for one in contexts]


def _refresh(context: Context) -> Finding:
    if "refreshService" not in context.document:
        return NOT_NAMED
    if not _passes(context):
        return NOT_TRIED
    found = refreshed_version(context.document, context.run.inputs.refreshed, context.run.profile)
    if isinstance(found, Finding):
        return found
    newer = Context(found, context.run, context.budget)
    context.run.prove([newer])
    if not _passes(newer):
        return NOT_PROVEN
    context.opened, context.canonical, context.findings = newer.opened, newer.canonical, newer.findings
    return REFRESHED


def _passes(context: Context) -> bool:
    return all(finding.outcome == "pass" for finding in context.findings.values())


def refresh_url(document: Mapping[str, Any]) -> str | None:
    """Return where the refreshed version of a credential stands; None where it names no service of a kind in use."""
    services = document.get("refreshService")
    if services is None:
        return None
    for one in services if isinstance(services, list) else [services]:
        if isinstance(one, dict) and isinstance(one.get("id"), str) and KIND in types_of(one):
            return str(one["id"])
    return None


def refreshed_version(
    document: Mapping[str, Any], given: Answers, profile: ProcessingProfile = PRODUCTION
) -> Opened | Finding:
    """Read the refreshed version of a proven credential, to be verified next; or return why there is none to verify.

    It must be a version of the same credential: of the same id, types, issuer and subject, and not older.
    """
    url = refresh_url(document)
    if url is None:
        return Finding("pass", "refresh_kind", "It names a refresh service of a kind that is not used here.")
    if url not in given:
        return Finding(
            "pass",
            "refresh_unavailable",
            f"A refreshed version may stand at {url}; it is not available, so this one counts.",
        )
    try:
        opened = open_document(given[url], profile=profile)
        _check_same(document, opened.document)
    except CredentialError as error:
        # Unknown whatever the error: what a refresh service returned makes the credential that was given no worse.
        code = error.code if error.code.startswith("refresh_") else "refresh_unread"
        return Finding("unknown", code, f"What its refresh service returned is not used: {error}")
    return opened


def refreshed_versions(documents: list[Opened], given: Answers, profile: ProcessingProfile) -> list[Opened]:
    """Return the refreshed versions of documents, as far as they are given and can be read."""
    if not given:
        return []
    named = [one.document for one in documents if "refreshService" in one.document]
    return [found for one in named if isinstance(found := refreshed_version(one, given, profile), Opened)]


def _check_same(first: Mapping[str, Any], newer: Mapping[str, Any]) -> None:
    for name, one, other in (
        ("id", first.get("id"), newer.get("id")),
        # Were types to change, a credential in a record could become a record around itself.
        ("type", _types(first), _types(newer)),
        ("issuer", issuer_of(first), issuer_of(newer)),
        ("subject", subject_of(first), subject_of(newer)),
    ):
        if one != other:
            raise CredentialError(f"refresh_{name}", f"It has another {name}.")
    begins, begins_newer = _begins(first), _begins(newer)
    if begins is not None and begins_newer is not None and begins_newer < begins:
        raise CredentialError("refresh_older", "It is older.")


def _types(document: Mapping[str, Any]) -> set[str]:
    return {str(one) for one in types_of(document)}


def _begins(document: Mapping[str, Any]) -> datetime | None:
    return moment_of(document, validity_names(document)[0])
