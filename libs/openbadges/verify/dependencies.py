"""What must be looked up to verify a document: DID documents, status lists, refreshed versions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

from libs.openbadges.model.errors import CredentialError
from libs.openbadges.model.members import issuer_of
from libs.openbadges.model.profile import PRODUCTION, ProcessingProfile
from libs.openbadges.model.records import embedded_of
from libs.openbadges.status.check import status_lists_of
from libs.openbadges.verify.endorsements import opened_endorsements
from libs.openbadges.verify.mechanisms import mechanism_of
from libs.openbadges.verify.opening import Opened, open_document, open_parsed
from libs.openbadges.verify.refresh import refresh_url, refreshed_versions
from libs.openbadges.verify.run import Answers
from libs.openbadges.verify.signer import issuer_names


@dataclass(frozen=True, slots=True)
class Dependencies:
    """What `verify` would like to be given for a document.

    Attributes:
        dids: DIDs (or URLs of controller documents) whose documents hold the keys.
        status_lists: URLs of status list credentials.
        refreshed: URLs of refresh services.
        issuers: whom they name as their issuers.
        names: what they call those.
        likenesses: of these, what to look for among registered names (`name_search`), a set for each name.
        credentials: their ids.
    """

    dids: frozenset[str] = frozenset()
    status_lists: frozenset[str] = frozenset()
    refreshed: frozenset[str] = frozenset()
    issuers: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    likenesses: frozenset[frozenset[str]] = frozenset()
    credentials: frozenset[str] = frozenset()

    def union(self, others: Sequence["Dependencies"]) -> "Dependencies":
        """Return what is needed for all of them."""
        return Dependencies(
            *(
                getattr(self, one.name).union(*(getattr(other, one.name) for other in others))
                for one in fields(Dependencies)
            )
        )


_NO_ANSWERS: Final[Mapping[str, str]] = {}


def dependencies_of(
    document: str | bytes | dict[str, Any] | Opened,
    refreshed: Answers = _NO_ANSWERS,
    profile: ProcessingProfile = PRODUCTION,
) -> Dependencies:
    """Return what must be looked up for a document and all credentials in it; nothing for one that cannot be read.

    Args:
        document: see `pipeline.verify`.
        refreshed: what refresh services returned, once that was asked for: refreshed versions depend on more.
        profile: which documents are read.
    """
    try:
        opened = document if isinstance(document, Opened) else open_document(document, profile=profile)
    except CredentialError:
        return Dependencies()
    named, newer = _all_in(opened, refreshed, profile)
    documents = [*named, *newer]
    owners = {owner for one in documents for owner in mechanism_of(one).owners(one)}
    return Dependencies(
        frozenset(owner for owner in owners if owner and not owner.startswith("did:key:")),
        frozenset(url for one in documents for url in status_lists_of(one.document)),
        frozenset(url for one in named if (url := refresh_url(one.document)) is not None),
        frozenset(issuer for one in documents if (issuer := issuer_of(one.document)) is not None),
        frozenset(name for one in documents for name in issuer_names(one.document)),
        credentials=frozenset(one.document["id"] for one in documents if isinstance(one.document.get("id"), str)),
    )


def _all_in(opened: Opened, refreshed: Answers, profile: ProcessingProfile) -> tuple[list[Opened], list[Opened]]:
    """Open a credential and all that is verified with it, as far as it can be read.

    Returns:
        What may be refreshed, and refreshed versions, which are not refreshed again.
    """
    newer = refreshed_versions([opened], refreshed, profile)
    inner = [one for root in (opened, *newer) for one in _embedded_in(root, profile)]
    newer += refreshed_versions(inner, refreshed, profile)
    endorsing = [one for each in (opened, *inner, *newer) for one in opened_endorsements(each.document, profile)]
    return [opened, *inner, *endorsing], newer + refreshed_versions(endorsing, refreshed, profile)


def _embedded_in(opened: Opened, profile: ProcessingProfile) -> list[Opened]:
    found = []
    for one in embedded_of(opened.document):
        try:
            found += [open_parsed(one, profile=profile)] if isinstance(one, dict) else []
        except CredentialError:
            continue
    return found
