"""What is verified with a credential: its newer edition, the credentials in a learner record, endorsements."""

from libs.openbadges.crypto.did import controller_of
from libs.openbadges.integrity.check import proofs_of
from libs.openbadges.jose.checks import owner_of
from libs.openbadges.model.errors import CredentialError
from libs.openbadges.model.records import embedded_of
from libs.openbadges.verify.endorsements import opened_endorsements
from libs.openbadges.verify.opening import Opened, open_parsed
from libs.openbadges.verify.refresh import Given, newer_editions


def all_in(opened: Opened, refreshed: Given) -> tuple[list[Opened], list[Opened]]:
    """Open a credential and all that is verified with it, as far as it can be read.

    Args:
        opened: the credential.
        refreshed: what refresh services answered, as far as they were asked.

    Returns:
        What may be refreshed, and newer editions, which are not refreshed again.
    """
    newer = newer_editions([opened], refreshed)
    inner = [one for root in (opened, *newer) for one in _embedded_in(root)]
    newer += newer_editions(inner, refreshed)
    endorsing = [one for each in (opened, *inner, *newer) for one in opened_endorsements(each.document)]
    return [opened, *inner, *endorsing], newer + newer_editions(endorsing, refreshed)


def owners_of(opened: Opened) -> list[str]:
    """Answer whose documents must hold the keys that a credential was signed with."""
    if opened.token is not None:
        return [owner_of(opened.token) or ""]
    return [controller_of(str(proof.get("verificationMethod", ""))) for proof in proofs_of(opened.document)]


def _embedded_in(opened: Opened) -> list[Opened]:
    found = []
    for one in embedded_of(opened.document):
        try:
            found += [open_parsed(one)] if isinstance(one, dict) else []
        except CredentialError:
            continue
    return found
