"""What other services published, as the verifier keeps and reads it."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from libs.contracts.reasons import RevocationReason, TakeDownReason


@dataclass(frozen=True, slots=True)
class StoredCredential:
    """A signed document as its issuer published it.

    Attributes:
        id: the credential's UUID, under which its page stands.
        text: the signed JSON, byte for byte.
        revoked_at: since when the issuer says that it is revoked, or None.
        revocation_reason: why, where it says so; the code is public.
        superseded_by: the credential that its issuer awarded in its place, if any.
    """

    id: UUID
    issuer_id: str
    text: str
    revoked_at: datetime | None
    revocation_reason: RevocationReason | None = None
    superseded_by: UUID | None = None


@dataclass(frozen=True, slots=True)
class TakenDown:
    """A credential that was taken down: that it was, and why. Nothing of what it said is kept."""

    id: UUID
    at: datetime
    reason: TakeDownReason


@dataclass(frozen=True, slots=True)
class StoredStatusList:
    """A signed status list credential, the newest version that arrived.

    Attributes:
        order: its epoch and version: of two versions the one with the higher pair holds.
        ttl_seconds: how long a copy may be kept before it is fetched again; None where it does not say.
        valid_until: until when it may be relied on; None where it does not say.
    """

    id: str
    order: tuple[int, int]
    text: str
    ttl_seconds: float | None = None
    valid_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class StoredIssuerList:
    """The signed list of issuers, as it was published last.

    Attributes:
        text: a compact JWS.
        ends_at: until when it may be relied on.
    """

    text: bytes
    published_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class Organisation:
    """An issuer's public profile.

    Attributes:
        time_zone: its name in the IANA database; None where the issuer names none.
        parent: the id of its department.
        learners_from_16: whether it says that all its learners are 16 or older.
    """

    did: str
    name: str
    url: str | None
    email: str | None
    time_zone: str | None = None
    parent: str | None = None
    learners_from_16: bool = False
