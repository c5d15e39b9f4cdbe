"""Credentials as the events that announce them: the same each time."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from libs.contracts.cloudevents import Outgoing
from libs.contracts.events import CredentialDocument, CredentialIssued, CredentialRevoked, CredentialTakenDown
from libs.contracts.unchecked import unchecked
from services.issuer.credentials.credential import Credential
from services.issuer.credentials.sealing import RecordSealing
from services.issuer.urls import Urls

_issued, _document = unchecked(CredentialIssued), unchecked(CredentialDocument)


class Announcer:
    """Makes the events; knows the public URLs."""

    def __init__(self, urls: Urls, sealing: RecordSealing, pseudonym: Callable[[UUID], UUID] | None = None) -> None:
        """Take the URLs, what seals the issuer's own records, and how a learner is named to partners.

        `pseudonym` is for those who may link a learner's awards; None: a learner is not named at all.
        """
        self._urls = urls
        self._sealing = sealing
        self._pseudonym = pseudonym

    def of_issue(self, credential: Credential, trace: str) -> list[Outgoing]:
        """Return the announcements of one issued credential."""
        issued = _issued(
            **self._lifecycle(credential), supersedes=credential.supersedes, occurred_at=credential.issued_at
        )
        return [Outgoing(issued, trace), self.document(credential, trace)]

    def document(self, credential: Credential, trace: str) -> Outgoing:
        """Return the signed document with the state that the credential is in; the state alone, if taken down."""
        event = _document(
            credential_id=credential.credential_id,
            issuer_id=credential.issuer_id,
            state=_state(credential),
            document=credential.document,
            reason=None if credential.take_down is None else credential.take_down.reason,
            revocation_reason=None if credential.revocation is None else credential.revocation.reason,
            # The page of one that was taken down tells nothing.
            superseded_by=None if credential.take_down is not None else credential.superseded_by,
            record=self._sealing.seal(credential),
            changed_at=_changed_at(credential),
        )
        return Outgoing(event, trace)

    def of_closing(self, credential: Credential, trace: str) -> list[Outgoing]:
        """Return the announcements of one credential that was revoked, or taken down, which revokes it too."""
        events: list[Outgoing] = []
        if (revocation := credential.revocation) is not None:
            revoked = CredentialRevoked(
                **self._lifecycle(credential),
                occurred_at=revocation.at,
                reason=revocation.reason,
                superseded_by=revocation.successor_id,
            )
            events.append(Outgoing(revoked, trace))
        if (take_down := credential.take_down) is not None:
            taken_down = CredentialTakenDown(
                **self._lifecycle(credential), occurred_at=take_down.at, reason=take_down.reason
            )
            events.append(Outgoing(taken_down, trace))
        return [*events, self.document(credential, trace)]

    def _lifecycle(self, credential: Credential) -> dict[str, Any]:
        return {
            "credential_id": credential.credential_id,
            "url": self._urls.credential(credential.credential_id),
            "issuer_id": credential.issuer_id,
            "learner_pseudonym": None if self._pseudonym is None else self._pseudonym(credential.learner_id),
            "achievement": credential.achievement,
            "level": credential.level,
        }


def _changed_at(credential: Credential) -> datetime:
    newest = credential.take_down or credential.revocation
    return credential.issued_at if newest is None else newest.at


def _state(credential: Credential) -> Literal["active", "revoked", "taken_down"]:
    if credential.take_down is not None:
        return "taken_down"
    return "active" if credential.revocation is None else "revoked"
