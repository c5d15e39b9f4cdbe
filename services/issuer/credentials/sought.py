"""Which credentials of an issuer a list has, and where a page of it begins."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from services.issuer.credentials.credential import CredentialState


class Place(NamedTuple):
    """Where a page begins: behind this credential, in the order of newest first."""

    issued_at: datetime
    credential_id: UUID


@dataclass(frozen=True, slots=True)
class SoughtCredentials:
    """Which credentials are asked for: those that meet all of it.

    Attributes:
        achievement: OWNER/ID, whatever the version, or OWNER/ID/VERSION.
        issued_from: the first moment that counts.
        issued_before: the first moment that counts no longer.
    """

    learner_id: UUID | None = None
    achievement: str | None = None
    state: CredentialState | None = None
    issued_from: datetime | None = None
    issued_before: datetime | None = None
