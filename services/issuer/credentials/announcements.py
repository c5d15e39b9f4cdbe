"""What is stored of decisions and credentials, as the events that tell of it: the same each time it is told."""

from datetime import datetime
from typing import Any

from libs.common.mongo import Document
from libs.contracts.cloudevents import Outgoing
from libs.contracts.events import CredentialDocument, CredentialIssued, CredentialRevoked, EvidenceDecided
from libs.contracts.results import SoloLevel
from services.issuer.decisions.repository import REVOKED
from services.issuer.decisions.rules import Decision, Reason
from services.issuer.urls import Urls

MESSAGES: dict[Reason, str] = {
    Reason.UNKNOWN_ISSUER: "The issuer that this evidence was sent for is not known.",
    Reason.UNKNOWN_ACHIEVEMENT: "There is no achievement of this id that this issuer may award.",
    Reason.LEVEL_NEEDED: "This achievement is awarded by level, and the evidence gives a score.",
    Reason.SCORE_NEEDED: "This achievement is awarded by score, and the evidence gives a level.",
    Reason.CANNOT_BE_WRITTEN: "A value of this evidence, most likely its link, cannot stand in a credential.",
    Reason.SOURCE_ID_REUSED: "Other evidence was taken in under this source id before; give this one its own.",
    Reason.SENT_BEFORE: "The same evidence was taken in before.",
    Reason.BELOW_REQUIRED_LEVEL: "The level shown is below the one that this achievement asks for.",
    Reason.BELOW_REQUIRED_SCORE: "The score is below the one that this achievement asks for.",
    Reason.ALREADY_AWARDED: "The learner holds this achievement at this level already.",
    Reason.HIGHER_LEVEL_HELD: "The learner holds this achievement at a higher level already.",
}


def decided(decision: Decision, at: datetime) -> Document:
    """The decision as it is stored."""
    evidence = decision.evidence
    return {
        "_id": evidence.submission_id,
        "schema": 1,
        "evidence_id": evidence.evidence_id,
        "digest": evidence.digest,
        "owns_evidence": decision.owns_evidence,
        "batch_id": evidence.batch_id,
        "row": evidence.row,
        "issuer_id": evidence.issuer_id,
        "source_id": evidence.source_id,
        "learner_id": evidence.learner_id,
        "outcome": decision.outcome.value,
        "reason": None if decision.reason is None else decision.reason.value,
        "detail": None if decision.reason is None else MESSAGES[decision.reason],
        "rule_version": decision.rule_version,
        "credential_id": decision.credential_id,
        "decided_at": at,
    }


class Announcer:
    """Makes the events; knows the public URLs."""

    def __init__(self, urls: Urls) -> None:
        self._urls = urls

    def of_decision(self, decision: Document, credential: Document | None, trace: str) -> list[Outgoing]:
        """The announcements of one recorded decision, with its credential where one was issued."""
        told = EvidenceDecided.model_validate({**decision, "submission_id": decision["_id"]})
        if credential is None:
            return [Outgoing(told, trace)]
        issued = CredentialIssued(**self._lifecycle(credential), occurred_at=credential["issued_at"])
        return [Outgoing(issued, trace), self.document(credential, trace), Outgoing(told, trace)]

    def document(self, credential: Document, trace: str) -> Outgoing:
        """The signed document with the state that the credential is in."""
        revoked = credential["state"] == REVOKED
        event = CredentialDocument(
            credential_id=credential["_id"],
            issuer_id=credential["issuer_id"],
            state="revoked" if revoked else "active",
            document=credential["document"],
            changed_at=credential["revoked_at"] if revoked else credential["issued_at"],
        )
        return Outgoing(event, trace)

    def of_revocation(self, credential: Document, trace: str) -> list[Outgoing]:
        """The announcements of one revoked credential."""
        revoked = CredentialRevoked(
            **self._lifecycle(credential),
            occurred_at=credential["revoked_at"],
            reason=credential["revocation_reason"],
        )
        return [Outgoing(revoked, trace), self.document(credential, trace)]

    def _lifecycle(self, credential: Document) -> dict[str, Any]:
        return {
            "credential_id": credential["_id"],
            "url": self._urls.credential(credential["_id"]),
            "issuer_id": credential["issuer_id"],
            "learner_id": credential["learner_id"],
            "achievement": credential["achievement"],
            "level": None if credential["level"] is None else SoloLevel(credential["level"]),
        }
