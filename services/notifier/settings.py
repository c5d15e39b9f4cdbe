"""The notifier's settings."""

import ipaddress
import ssl
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from libs.common.addresses import Address
from libs.common.authority_secret import AuthoritySettings


class ServiceSettings(AuthoritySettings):
    """The settings of the notifier service."""

    smtp_host: str = Field(default="127.0.0.1", description="the mail server that takes our mail (relay)")
    smtp_port: int = Field(default=2525, ge=1, le=65535, description="its port: 25, 587 for starttls, 465 for tls")
    smtp_tls: Literal["none", "starttls", "tls"] = Field(
        default="none", description="encryption to it: none (loopback only, please), starttls, or tls from the start"
    )
    smtp_ca_file: Path | None = Field(
        default=None,
        description="PEM file of the authorities that may vouch for it, instead of the system's; for starttls and tls",
    )
    smtp_username: str | None = Field(default=None, description="user name at the mail server, if it asks for one")
    smtp_password: SecretStr | None = Field(default=None, description="password at the mail server")
    mail_from: str = Field(default="badges@bowerbird.example", description="address that mails come from")
    smtp_connections: int = Field(
        default=16, ge=1, le=500, description="mails offered at once by one process; most that a kill can send twice"
    )
    smtp_mails_per_connection: int = Field(default=200, ge=1, description="mails before a connection is renewed")
    smtp_connect_seconds: float = Field(default=10, gt=0, le=120, description="longest wait for a connection")
    smtp_command_seconds: float = Field(default=60, gt=0, le=600, description="longest wait for MAIL, RCPT and RSET")
    smtp_accept_seconds: float = Field(
        default=600, gt=0, le=1200, description="longest wait after a mail's end; giving up early sends mails twice"
    )
    domain_rate: float = Field(default=20, gt=0, le=100_000, description="mails a second to one destination domain")
    domain_burst: int = Field(default=50, ge=1, le=100_000, description="mails at once to a domain that was idle")
    recipient_mails_per_day: float = Field(
        default=24, gt=0, le=100_000, description="mails to one mailbox in a day, over time; more wait for their time"
    )
    recipient_mails_at_once: int = Field(
        default=20, ge=1, le=100_000, description="mails at once to a mailbox that had none for long"
    )
    issuer_mails_per_hour: float = Field(
        default=20_000, gt=0, le=10_000_000, description="mails of one issuer in an hour, over time; more wait"
    )
    issuer_mails_at_once: int = Field(
        default=50_000, ge=1, le=10_000_000, description="mails at once of an issuer that sent none for long"
    )
    lease_seconds: float = Field(
        default=60, ge=2, le=3600, description="how long a claimed mail waits if the process that claimed it dies"
    )
    retry_first_seconds: float = Field(
        default=60, gt=0, description="wait after a first temporary refusal (4xx); doubled with each further one"
    )
    retry_lost_seconds: float = Field(
        default=5, gt=0, description="wait after a first lost connection or timeout; doubled likewise"
    )
    retry_longest_seconds: float = Field(default=12 * 3600, gt=0, description="longest wait between two attempts")
    give_up_after_seconds: float = Field(
        default=3 * 86_400, gt=0, description="time from the first attempt to the last one"
    )

    deliveries_days: float = Field(
        default=400,
        ge=100,
        le=36_500,
        description="how long what became of a mail is kept, in days; longer than any topic keeps what led to it, lest "
        "it is mailed again",
    )
    contacts_days: float = Field(
        default=730,
        ge=30,
        le=36_500,
        description="how long the name and address of a learner are kept, in days, after a school sent them last or a "
        "mail about a badge was due",
    )

    @field_validator("mail_from")
    @classmethod
    def _is_address(cls, value: str) -> str:
        address = Address.parse(value)
        if address is None or not address.is_ascii:
            raise ValueError("this is no e-mail address in ASCII")
        return value

    @field_validator("smtp_ca_file")
    @classmethod
    def _holds_certificates(cls, value: Path | None) -> Path | None:
        if value is not None:
            try:
                ssl.create_default_context(cafile=value)
            except OSError as error:  # SSLError is one
                raise ValueError(f"{value} is no readable PEM file of certificates") from error
        return value

    @model_validator(mode="after")
    def _password_is_not_sent_in_the_clear(self) -> Self:
        if self.smtp_password is not None and self.smtp_tls == "none" and not _is_loopback(self.smtp_host):
            raise ValueError("smtp_password would travel unencrypted: set smtp_tls to starttls or tls")
        return self

    @property
    def sender_address(self) -> Address:
        """`mail_from`, read."""
        address = Address.parse(self.mail_from)
        assert address is not None  # noqa: S101  # validated above
        return address


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
