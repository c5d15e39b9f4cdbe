"""Credentials as the events that announce them: the same each time."""

from typing import Any

from libs.contracts.cloudevents import Outgoing
from libs.contracts.events import CredentialDocument, CredentialIssued, CredentialRevoked
from services.issuer.credentials.credential import Credential, Revocation
from services.issuer.urls import Urls


class Announcer:
    """Makes the events; knows the public URLs."""

    def __init__(self, urls: Urls) -> None:
        self._urls = urls

    def of_issue(self, credential: Credential, trace: str) -> list[Outgoing]:
        """Return the announcements of one issued credential."""
        issued = CredentialIssued(**self._lifecycle(credential), occurred_at=credential.issued_at)
        return [Outgoing(issued, trace), self.document(credential, trace)]

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
