"""The issuer's settings."""

from datetime import timedelta
from pathlib import Path

from pydantic import Field

from libs.common.authority_secret import AuthoritySettings
from libs.common.contact_details import ContactPolicy
from services.issuer.renewal.publication import Freshness


class ServiceSettings(AuthoritySettings):
    """The settings of the issuer service."""

    kek_file: Path = Field(
        default=Path("var/secrets/kek"),
        description="file with the key that encrypts the issuers' signing keys: 32 bytes in base64, mode 0600",
    )
    other_kek_file: Path | None = Field(
        default=None,
        description="file with a second such key, which opens what it sealed and seals nothing: while the signing keys "
        "are sealed anew (`bowerbird rewrap`)",
    )
    grant_secret_file: Path = Field(
        default=Path("var/secrets/grant-secret"),
        description="file with the secret that signs grants of API keys: 32 bytes in base64, mode 0600; this service's "
        "alone",
    )
    admin_keys_file: Path | None = Field(
        default=None,
        description="file with the administrators, a line NAME SHA256 for each of their API keys, and the last day on "
        "which it works (2027-06-30, in UTC) where it has an end; without the file there is none",
    )
    issuer_list_key_file: Path | None = Field(
        default=None,
        description="file with the key that signs the list of issuers: 32 bytes in base64, mode 0600; this service's "
        "alone; without it no list is published",
    )
    issuer_list_valid_seconds: float = Field(
        default=7 * 86_400,
        ge=3600,
        le=31_536_000,
        description="how long the signed list of issuers is valid; it is signed again when half of that is over",
    )
    status_list_valid_seconds: float = Field(
        default=7 * 86_400,
        ge=3600,
        le=31_536_000,
        description="how long a signed status list is valid; it is signed again when half of that is over",
    )
    status_list_ttl_seconds: float = Field(
        default=60,
        ge=1,
        le=86_400,
        description="how long others may keep a status list before they fetch it again: longest until they see a"
        " revocation",
    )
    partners_link_learners: bool = Field(
        default=False,
        description="whether events tell partners, by a pseudonym, which credentials are one learner's",
    )
    waiting_seconds: float = Field(
        default=86_400,
        ge=0,
        le=31_536_000,
        description="longest time that evidence waits for its issuer or achievement to be published; 0: not at all",
    )
    suspended_waiting_days: float = Field(
        default=30,
        ge=0,
        le=365,
        description="longest time that evidence waits for its suspended issuer to be resumed, in days",
    )
    waiting_commands_days: float = Field(
        default=14,
        gt=0,
        le=365,
        description="longest time that a command to revoke or take down waits for its credential, in days",
    )
    waiting_commands_most: int = Field(
        default=10_000,
        ge=1,
        le=1_000_000,
        description="most commands that wait for their credentials; one more is set aside as a dead letter",
    )

    contact_details: ContactPolicy = Field(
        default=ContactPolicy.WARN,
        description="what an e-mail address, a telephone number or a link that opens something in an achievement's "
        "texts leads to: `warn` in the answer, or `refuse` the version",
    )
    closing_notes_days: float = Field(
        default=730,
        ge=1,
        le=36_500,
        description="how long what a school wrote when it revoked a credential or took it down is kept, in days",
    )

    @property
    def notes_life(self) -> timedelta:
        """`closing_notes_days`."""
        return timedelta(days=self.closing_notes_days)

    @property
    def commands_wait(self) -> timedelta:
        """`waiting_commands_days`."""
        return timedelta(days=self.waiting_commands_days)

    @property
    def freshness(self) -> Freshness:
        """For how long signed status lists are valid, and may be kept."""
        return Freshness(
            timedelta(seconds=self.status_list_valid_seconds), timedelta(seconds=self.status_list_ttl_seconds)
        )
