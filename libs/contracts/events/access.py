"""Events about access: grants, withdrawals and uses of API keys, and sealed copies of signing keys."""

from typing import Literal

from pydantic import AwareDatetime, Field

from libs.contracts import topics
from libs.contracts.events.event import Event


class SignedEvent(Event):
    """A fact about access, which counts only if the issuer service signed it (ADR 16).

    The signature covers every field but itself, so a field more is a new type.
    """

    signed_by: str = Field(default="", description="the Ed25519 public key, a Multikey")
    signature: str = Field(default="", description="Ed25519, base64url; over the type, a line feed, and the other data")


class ApiKeyGranted(SignedEvent):
    """An API key may do this until it ends. Only the key's SHA-256 travels. A grant never changes."""

    type = "org.bowerbirdbadges.access.key-granted.v2"
    topic = topics.ACCESS_KEYS
    key_prefix = "granted:"
    key_fields = ("key_sha256",)
    time_field = "granted_at"

    key_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    issuer_id: str = Field(description="the tenant it is bound to")
    name: str = Field(description="what uses it, as its issuer calls that")
    scopes: tuple[str, ...] = Field(description="sorted")
    granted_at: AwareDatetime
    granted_by: str = Field(description="who made it: administrator:NAME or key:ISSUER/NAME")
    granted_with: str | None = Field(default=None, description="the id of the API key that made it, if one did")
    expires_at: AwareDatetime


class ApiKeyWithdrawn(SignedEvent):
    """An API key ends at this moment. Of several the earliest holds, so an older one brings nothing back."""

    type = "org.bowerbirdbadges.access.key-withdrawn.v1"
    topic = topics.ACCESS_KEYS
    key_prefix = "withdrawn:"
    # Each under a key of its own: compaction keeps them all, so none is displaced by a later record.
    key_fields = ("key_sha256", "ends_at")
    time_field = "requested_at"

    key_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    issuer_id: str
    ends_at: AwareDatetime
    reason: str = Field(description="a stable code")
    requested_at: AwareDatetime


class ApiKeyUsed(Event):
    """An API key was used in this hour. At most one for a key, service, process and hour."""

    type = "org.bowerbirdbadges.access.key-used.v1"
    topic = topics.ACCESS_USE
    key_fields = ("key_sha256", "service")
    id_fields = ("key_sha256", "service", "hour")
    time_field = "hour"

    key_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    service: str
    hour: AwareDatetime = Field(description="its beginning")


SigningKeyState = Literal["next", "active", "retiring", "retired", "compromised"]


class SigningKeySealed(Event):
    """A signing key as its issuer's service keeps it: the copy from which a database that lost it gets it back.

    The secret is sealed under the key-encryption key, together with the id of the key and of its issuer, and opens for
    no other. Of one key the last record is kept; a state never goes back (`services.issuer.keys.states`).
    """

    type = "org.bowerbirdbadges.signing-key.sealed.v1"
    topic = topics.SIGNING_KEYS
    key_fields = ("key_id",)
    id_fields = ("key_id", "copied_at")
    time_field = "copied_at"

    key_id: str = Field(description="the public key, a Multikey")
    issuer_id: str
    state: SigningKeyState
    times: dict[SigningKeyState, AwareDatetime] = Field(description="when it entered each state that it was ever in")
    distrusted_from: AwareDatetime | None = Field(
        default=None, description="of a compromised key, the moment from which its signatures are not trusted"
    )
    kek_id: str = Field(description="the id of the key-encryption key that sealed the secret")
    sealed: str = Field(description="the sealed secret, in base64")
    copied_at: AwareDatetime
