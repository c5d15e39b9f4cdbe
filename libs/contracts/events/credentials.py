"""Events about credentials: commands, the public lifecycle, the signed document, and status lists."""

from typing import Literal
from uuid import UUID

from pydantic import AwareDatetime, Field

from libs.contracts import topics
from libs.contracts.events.event import Event
from libs.contracts.reasons import RevocationCode, TakeDownCode
from libs.contracts.results import SoloLevel


class _CredentialCommand(Event):
    """What commands about a credential share."""

    topic = topics.CREDENTIAL_COMMANDS
    key_fields = ("credential_id",)
    time_field = "requested_at"

    credential_id: UUID
    issuer_id: str
    request_id: UUID | None = Field(
        default=None, description="the issuer's own record of the request: who asked, and why in their own words"
    )
    record: str | None = Field(
        default=None,
        description="that record, sealed, in base64: a database of the issuer that was set back takes it up from here; "
        "it tells nobody else anything",
    )
    requested_at: AwareDatetime
    proof: str | None = Field(
        default=None,
        pattern="^[0-9a-f]{64}$",
        description="HMAC-SHA-256 over all else, by the issuer service; a command without its own is not applied",
    )


class RevokeCredential(_CredentialCommand):
    """Somebody with the right to do so asks to revoke one credential."""

    type = "org.bowerbirdbadges.credential.revoke.v1"

    reason: RevocationCode


class TakeDownCredential(_CredentialCommand):
    """Somebody with the right to do so asks to withhold what one credential says, and to revoke it."""

    type = "org.bowerbirdbadges.credential.take-down.v1"

    reason: TakeDownCode


class _CredentialEvent(Event):
    """What the public lifecycle events share: thin, free of personal data, and about nobody in particular."""

    topic = topics.CREDENTIAL_LIFECYCLE
    key_fields = ("credential_id",)
    time_field = "occurred_at"

    credential_id: UUID
    url: str = Field(description="the credential's page, which answers the signed document as JSON too")
    issuer_id: str
    learner_pseudonym: UUID | None = Field(
        default=None,
        description="the same in all events about one learner's credentials from one issuer, and found nowhere else; "
        "only where the authority lets partners link them",
    )
    achievement: str = Field(
        description="OWNER/ID/VERSION; the record of the catalogue about it has the key achievement:OWNER/ID/VERSION"
    )
    level: SoloLevel | None = None
    occurred_at: AwareDatetime


class CredentialIssued(_CredentialEvent):
    """A credential was signed, stored and announced."""

    type = "org.bowerbirdbadges.credential.issued.v1"

    supersedes: UUID | None = Field(
        default=None, description="the credential whose place it takes, if any: that one is revoked as `superseded`"
    )


class CredentialRevoked(_CredentialEvent):
    """A credential was revoked; the learner stays eligible (promise 5)."""

    type = "org.bowerbirdbadges.credential.revoked.v1"

    reason: RevocationCode
    superseded_by: UUID | None = Field(
        default=None, description="where its issuer awarded another credential in its place: that one"
    )


class CredentialTakenDown(_CredentialEvent):
    """What a credential says is withheld from now on: whoever keeps a copy deletes it. It is revoked too."""

    type = "org.bowerbirdbadges.credential.taken-down.v1"

    reason: TakeDownCode


class CredentialDocument(Event):
    """The signed document as it was issued, and its state; of one that was taken down, the state alone."""

    type = "org.bowerbirdbadges.credential.document.v1"
    topic = topics.CREDENTIAL_DOCUMENTS
    key_fields = ("credential_id",)
    id_fields = ("credential_id", "state")
    time_field = "changed_at"

    credential_id: UUID
    issuer_id: str
    state: Literal["active", "revoked", "taken_down"]
    document: str | None = Field(
        default=None, description="the signed JSON text, byte for byte; none where it was taken down"
    )
    reason: TakeDownCode | None = Field(default=None, description="why it was taken down, where it was")
    revocation_reason: RevocationCode | None = Field(default=None, description="why it was revoked, where it was")
    superseded_by: UUID | None = Field(
        default=None, description="where another credential was awarded in its place: that one"
    )
    record: str | None = Field(
        default=None,
        description="the issuer's own record of it, sealed, in base64: a database of the issuer that was set back "
        "takes it up from here; it tells nobody else anything",
    )
    changed_at: AwareDatetime


class StatusListPublished(Event):
    """A Bitstring Status List credential, signed by the authority. A higher pair of epoch and version replaces a lower.

    A reader that is given a lower pair than the one it has keeps what it has.
    """

    type = "org.bowerbirdbadges.status-list.published.v2"
    topic = topics.STATUS_LISTS
    key_fields = ("list_id",)
    id_fields = ("list_id", "epoch", "version")
    time_field = "published_at"

    list_id: str = Field(description="EPOCH-NUMBER: in which epoch the list was begun, and which one of it this is")
    purpose: str = Field(description="what a set bit means (Bitstring Status List 1.0, statusPurpose)")
    epoch: int = Field(ge=0, description="in which this version was published: a later one once the store went back")
    version: int = Field(ge=0, description="grows with each change")
    credential: str = Field(description="the signed JSON text")
    published_at: AwareDatetime
    revoked_since: AwareDatetime | None = Field(
        default=None, description="when the first revocation was asked for that no earlier version tells of"
    )

    @property
    def order(self) -> tuple[int, int]:
        """Epoch and version: of two versions the one with the higher pair holds."""
        return self.epoch, self.version
