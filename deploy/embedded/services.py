"""The table of services: what runs, by which command, on which port, with which environment, asked for health where.

The embedded stack runs this table and docker-compose.yml repeats it; a test compares the two, lest they drift.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

Broker = Literal["kafka", "tansu"]


@dataclass(frozen=True, slots=True)
class Service:
    """One row.

    Attributes:
        name: of the process here and of the container there.
        command: arguments of `python -m bowerbird`; empty where the program is not ours.
        port: the key of its port in `layout.PORTS`; None where it listens nowhere.
        environment: variables and their values, with {fields} for what depends on the place where it runs.
        health: path of the readiness check over HTTP; None where the check is another one.
        once: it does its work and ends, and the services start after it.
    """

    name: str
    command: tuple[str, ...] = ()
    port: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    health: str | None = None
    once: bool = False


_STORES: Final = {
    "BOWERBIRD_KAFKA_BOOTSTRAP": "{kafka_bootstrap}",
    "BOWERBIRD_KAFKA_IDEMPOTENCE": "{kafka_idempotence}",
    "BOWERBIRD_MONGO_URL": "{mongo_url}",
    "BOWERBIRD_KAFKA_SECURITY": "{kafka_security}",
    "BOWERBIRD_KAFKA_USERNAME": "{kafka_username}",
    "BOWERBIRD_KAFKA_PASSWORD_FILE": "{kafka_password_file}",
    "BOWERBIRD_KAFKA_CA_FILE": "{kafka_ca_file}",
    "BOWERBIRD_MONGO_USERNAME": "{mongo_username}",
    "BOWERBIRD_MONGO_PASSWORD_FILE": "{mongo_password_file}",
    "BOWERBIRD_MONGO_CA_FILE": "{mongo_ca_file}",
    "BOWERBIRD_LOG_LEVEL": "{log_level}",
}
_HTTP: Final = {
    "BOWERBIRD_HTTP_HOST": "{http_host}",
    "BOWERBIRD_HTTP_PORT": "{http_port}",
    "BOWERBIRD_HTTP_DOCS": "{http_docs}",
    "BOWERBIRD_TRUSTED_PROXIES": "{trusted_proxies}",
    "BOWERBIRD_RATE_PER_ADDRESS": "{rate_per_address}",
    "BOWERBIRD_METRICS_HOST": "{http_host}",
    "BOWERBIRD_METRICS_PORT": "{metrics_port}",
}
_PUBLIC: Final = {"BOWERBIRD_PUBLIC_URL": "{public_url}", "BOWERBIRD_LOCAL_ONLY": "{local_only}"}
_ACCESS: Final = {"BOWERBIRD_GRANT_KEYS_FILE": "{grant_keys_file}"}
_IDS: Final = {"BOWERBIRD_AUTHORITY_SECRET_FILE": "{authority_secret_file}"}
_READY: Final = "/health/ready"


def _own(name: str, environment: Mapping[str, str]) -> Service:
    return Service(name, ("run", name), name, {**_HTTP, **_STORES, **environment}, _READY)


TABLE: Final[tuple[Service, ...]] = (
    Service("mongodb", port="mongodb"),
    Service("kafka", port="kafka"),
    Service("smtp", port="smtp"),
    Service("setup", ("setup",), None, {**_STORES, "BOWERBIRD_SERVICE_PASSWORDS": "{service_passwords}"}, once=True),
    _own("evidence", {**_PUBLIC, **_IDS, **_ACCESS}),
    _own(
        "issuer",
        {
            **_PUBLIC,
            **_IDS,
            **_ACCESS,
            "BOWERBIRD_KEK_FILE": "{kek_file}",
            "BOWERBIRD_GRANT_SECRET_FILE": "{grant_secret_file}",
            "BOWERBIRD_ADMIN_KEYS_FILE": "{admin_keys_file}",
            "BOWERBIRD_ISSUER_LIST_KEY_FILE": "{issuer_list_key_file}",
        },
    ),
    _own("verifier", {**_PUBLIC, **_ACCESS}),
    _own(
        "notifier",
        {
            **_PUBLIC,
            **_IDS,
            **_ACCESS,
            "BOWERBIRD_SMTP_HOST": "{smtp_host}",
            "BOWERBIRD_SMTP_PORT": "{smtp_port}",
            "BOWERBIRD_SMTP_TLS": "none",
            "BOWERBIRD_MAIL_FROM": "{mail_from}",
        },
    ),
)

BY_NAME: Final[Mapping[str, Service]] = {service.name: service for service in TABLE}
INFRASTRUCTURE: Final = ("mongodb", "kafka", "smtp")
OWN: Final = tuple(service.name for service in TABLE if service.command and not service.once)
