"""Settings from the environment, prefix `BOWERBIRD_`; an unknown or invalid one stops the start, by name."""

import difflib
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Literal, Self

from pydantic import AnyHttpUrl, Field, ValidationError, model_validator
from pydantic_settings import SettingsConfigDict

from libs.common.edge_settings import EdgeSettings
from libs.common.public_url import fault_of
from libs.common.store_settings import StoreSettings

PREFIX = "BOWERBIRD_"
# The commands of the embedded stack read these themselves; a service started from the same shell does not mind.
_STACK_PREFIX = "BOWERBIRD_STACK_"
# How alike (difflib's ratio) a name must be to be suggested for a misspelt one.
_ALIKE = 0.7


def _is_ours(variable: str) -> bool:
    """Return whether a variable of the environment speaks to a service."""
    name = variable.upper()
    return name.startswith(PREFIX) and not name.startswith(_STACK_PREFIX)


class SettingsError(Exception):
    """A setting is unknown, missing or invalid; the text names the environment variable and what to do."""


class Settings(EdgeSettings, StoreSettings):
    """What every service needs. A service adds its own fields in its own subclass."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True)

    http_host: str = Field(default="127.0.0.1", description="address that the HTTP server listens on")
    http_port: int = Field(default=8100, ge=1, le=65535, description="port that the HTTP server listens on")
    tls_cert_file: Path | None = Field(
        default=None, description="certificate chain (PEM) to serve HTTPS with; together with its key, or neither"
    )
    tls_key_file: Path | None = Field(default=None, description="private key (PEM) of the certificate")
    kafka_idempotence: bool = Field(
        default=True, description="idempotent producer; off only for a broker that lacks it (Tansu)"
    )
    retention_enforced: bool = Field(
        default=True,
        description="remove what has been kept for its life; without it, metrics show what would be removed",
    )
    kafka_replication_factor: int = Field(default=1, ge=1, le=7, description="copies of each topic that setup creates")
    kafka_batch_records: int = Field(default=500, ge=1, le=5000, description="most records a consumer takes at once")
    kafka_session_seconds: float = Field(
        default=15,
        ge=1,
        le=300,
        description="silence after which a consumer counts as dead and others take over; a broker allows no less than "
        "its group.min.session.timeout.ms, which is 6 s unless set",
    )
    grant_keys_file: Path = Field(
        default=Path("var/secrets/grant-keys"),
        description="file with the public keys that sign grants of API keys, one Multikey a line; made by "
        "`bowerbird grant-keys`",
    )
    public_url: AnyHttpUrl = Field(
        default=AnyHttpUrl("http://127.0.0.1:8103"),
        description="base URL under which anybody reaches the verifier's pages; it stands in every badge, for good",
    )
    local_only: bool = Field(
        default=False,
        description="take a public_url that only this machine reaches: to try it out, since no badge that is issued "
        "then can be verified elsewhere",
    )
    clock_tolerance_seconds: float = Field(
        default=10,
        ge=1,
        le=3_600,
        description="how far this machine's clock may be from those of MongoDB and of Kafka's brokers; where half of "
        "them are further away, nothing is decided or signed",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="least level logged")
    listen_within_seconds: float = Field(
        default=10,
        ge=0,
        le=300,
        description="how long a service that starts takes no connections while it is not ready: a proxy hands what is "
        "refused to the next replica; after that it answers what it can",
    )
    listen_on_seconds: float = Field(
        default=0,
        ge=0,
        le=300,
        description="how long a service that is asked to stop still takes connections, while /health/ready says no: "
        "for what leads callers here by that answer; a proxy that tries the next replica needs none",
    )
    proxy_idle_seconds: float = Field(
        default=25,
        ge=0,
        le=300,
        description="longest wait, when asked to stop, until the connections of BOWERBIRD_TRUSTED_PROXIES have ended; "
        "longer than such a proxy keeps an idle one",
    )
    canary_seconds: float = Field(
        default=60,
        ge=0,
        le=3_600,
        description="how often a synthetic learner is sent through all services, to see that each does its part; it "
        "counts nowhere; 0: never",
    )
    shutdown_seconds: float = Field(
        default=20, gt=0, le=300, description="longest wait after that for work in flight, in seconds"
    )

    @model_validator(mode="after")
    def _has_both_halves_of_tls(self) -> Self:
        if (self.tls_cert_file is None) != (self.tls_key_file is None):
            raise ValueError(f"set both {PREFIX}TLS_CERT_FILE and {PREFIX}TLS_KEY_FILE for HTTPS, or neither")
        return self

    def require_public_url(self) -> None:
        """Refuse a `public_url` that others cannot reach, since what is issued with it can never be changed.

        Raises:
            SettingsError: it is not https, or leads to this machine or a private network.
        """
        fault = None if self.local_only else fault_of(self.public_url)
        if fault is not None:
            raise SettingsError(
                f"{PREFIX}PUBLIC_URL={self.public_url}: {fault}, and it would stand in every badge; set it to the "
                f"https URL at which anybody reaches the verifier, or set {PREFIX}LOCAL_ONLY=true to try it out"
            )

    @property
    def public_base(self) -> str:
        """`public_url` without a slash at its end."""
        return str(self.public_url).rstrip("/")

    @classmethod
    def load(cls, also_known: Callable[[], Iterable[str]] = tuple) -> Self:
        """Read the environment.

        Args:
            also_known: returns the names of other services' settings, which may stand there too; asked only where a
                variable is none of ours, since it takes loading those services.

        Raises:
            SettingsError: a variable with our prefix is no setting of this service, or a value is not valid.
        """
        known = {f"{PREFIX}{name}".upper() for name in cls.model_fields}
        if any(_is_ours(each) and each.upper() not in known for each in os.environ):
            known |= {f"{PREFIX}{name}".upper() for name in also_known()}
        for variable in sorted(os.environ):
            name = variable.upper()
            if _is_ours(variable) and name not in known:
                # Without the prefix: what all names share would make any two of them alike.
                names = [each.removeprefix(PREFIX) for each in known]
                near = difflib.get_close_matches(name.removeprefix(PREFIX), names, n=1, cutoff=_ALIKE)
                hint = f"did you mean {PREFIX}{near[0]}?" if near else "unset it, or see `bowerbird settings`."
                raise SettingsError(f"{variable} is not a setting of this service: {hint}")
        try:
            return cls()
        except ValidationError as error:
            problems = [
                f"{PREFIX}{'_'.join(map(str, problem['loc'])).upper()}: {problem['msg']}"
                if problem["loc"]
                else problem["msg"]
                for problem in error.errors(include_input=False, include_url=False)
            ]
            raise SettingsError("; ".join(problems)) from None

    def described(self) -> list[tuple[str, str, str]]:
        """Variable, value (secrets masked) and meaning of every setting."""
        return [
            (f"{PREFIX}{name.upper()}", str(getattr(self, name)), field.description or "")
            for name, field in type(self).model_fields.items()
        ]
