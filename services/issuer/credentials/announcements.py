"""Decisions and credentials as the events that announce them: the same each time."""

from typing import Any

from libs.contracts.cloudevents import Outgoing
from libs.contracts.events import CredentialDocument, CredentialIssued, CredentialRevoked, EvidenceDecided
from services.issuer.credentials.credential import Credential, Revocation
from services.issuer.decisions.decision import Decision
from services.issuer.decisions.messages import message
from services.issuer.urls import Urls


class Announcer:
    """Makes the events; knows the public URLs."""

    def __init__(self, urls: Urls) -> None:
        self._urls = urls

    def of_decision(self, decision: Decision, credential: Credential | None, trace: str) -> list[Outgoing]:
        """Return the announcements of one recorded decision, with its credential where one was issued."""
        decided = _decided(decision)
        if credential is None:
            return [Outgoing(decided, trace)]
        issued = CredentialIssued(**self._lifecycle(credential), occurred_at=credential.issued_at)
        return [Outgoing(issued, trace), self.document(credential, trace), Outgoing(decided, trace)]

    def document(self, credential: Credential, trace: str) -> Outgoing:
        """Return the signed document with the state that the credential is in."""
        revocation = credential.revocation
        event = CredentialDocument(
            credential_id=credential.credential_id,
            issuer_id=credential.issuer_id,
            state="active" if revocation is None else "revoked",
            document=credential.document,
            changed_at=credential.issued_at if revocation is None else revocation.at,
        )
        return Outgoing(event, trace)

    def of_revocation(self, credential: Credential, revocation: Revocation, trace: str) -> list[Outgoing]:
        """Return the announcements of one revoked credential."""
        revoked = CredentialRevoked(**self._lifecycle(credential), occurred_at=revocation.at, reason=revocation.reason)
        return [Outgoing(revoked, trace), self.document(credential, trace)]

    def _lifecycle(self, credential: Credential) -> dict[str, Any]:
        return {
            "credential_id": credential.credential_id,
            "url": self._urls.credential(credential.credential_id),
            "issuer_id": credential.issuer_id,
            "learner_id": credential.learner_id,
            "achievement": credential.achievement,
            "level": credential.level,
        }


def _decided(decision: Decision) -> EvidenceDecided:
    evidence, reason = decision.evidence, decision.reason
    return EvidenceDecided(
        submission_id=evidence.submission_id,
        evidence_id=evidence.evidence_id,
        batch_id=evidence.batch_id,
        row=evidence.row,
        issuer_id=evidence.issuer_id,
        source_id=evidence.source_id,
        learner_id=evidence.learner_id,
        sequence=decision.sequence,
        outcome=decision.outcome,
        reason=None if reason is None else reason.value,
        detail=None if reason is None else message(decision.outcome, reason),
        achievement=decision.achievement,
        rule_version=decision.rule_version,
        credential_id=decision.credential_id,
        waits_until=decision.waits_until,
        decided_at=decision.decided_at,
    )
