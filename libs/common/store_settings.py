"""Settings of the connections to Kafka and MongoDB: who the service is there, and whether strangers may listen."""

import ipaddress
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import parse_qs, urlsplit

from pydantic import BeforeValidator, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings

_PREFIX = "BOWERBIRD_"


def _none_if_empty(value: object) -> object:
    return None if value == "" else value


OptionalPath = Annotated[Path | None, BeforeValidator(_none_if_empty)]


class StoreSettings(BaseSettings):
    """Where the stores are, and how a process shows them who it is."""

    kafka_bootstrap: str = Field(default="127.0.0.1:29092", description="HOST:PORT of Kafka brokers, comma-separated")
    kafka_security: Literal["PLAINTEXT", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        default="PLAINTEXT",
        description="how to connect to Kafka: SASL_SSL (SCRAM-SHA-512 over TLS); the others serve on loopback alone",
    )
    kafka_username: str = Field(default="", description="user name at Kafka, where it asks for one")
    kafka_password_file: OptionalPath = Field(default=None, description="file with the password at Kafka, mode 0600")
    kafka_ca_file: OptionalPath = Field(
        default=None, description="certificates (PEM) that Kafka's must descend from; unset: those of the system"
    )
    mongo_url: SecretStr = Field(
        default=SecretStr("mongodb://127.0.0.1:27117/?replicaSet=bowerbird"), description="MongoDB connection string"
    )
    mongo_username: str = Field(default="", description="user name at MongoDB, unless the connection string has one")
    mongo_password_file: OptionalPath = Field(default=None, description="file with the password at MongoDB, mode 0600")
    mongo_ca_file: OptionalPath = Field(
        default=None, description="certificates (PEM) that MongoDB's must descend from; turns TLS on"
    )
    stores_unprotected: bool = Field(
        default=False,
        description="connect without passwords or TLS to stores that are not on loopback: for a network in which "
        "nobody else is",
    )

    @model_validator(mode="after")
    def _needs_whole_credentials(self) -> Self:
        if self.kafka_security != "PLAINTEXT" and not (self.kafka_username and self.kafka_password_file):
            raise ValueError(
                f"{_PREFIX}KAFKA_SECURITY={self.kafka_security} needs {_PREFIX}KAFKA_USERNAME and "
                f"{_PREFIX}KAFKA_PASSWORD_FILE"
            )
        if bool(self.mongo_username) != (self.mongo_password_file is not None):
            raise ValueError(f"set both {_PREFIX}MONGO_USERNAME and {_PREFIX}MONGO_PASSWORD_FILE, or neither")
        return self

    @model_validator(mode="after")
    def _needs_protection_on_a_network(self) -> Self:
        if self.stores_unprotected:
            return self
        allow = f"; or set {_PREFIX}STORES_UNPROTECTED=true where nobody else is on that network"
        if self.kafka_security != "SASL_SSL" and not all(map(is_loopback, _hosts(self.kafka_bootstrap))):
            raise ValueError(
                f"{_PREFIX}KAFKA_SECURITY={self.kafka_security} is for brokers on loopback: set SASL_SSL for "
                f"{self.kafka_bootstrap}{allow}"
            )
        if not self._mongo_is_protected():
            raise ValueError(
                f"{_PREFIX}MONGO_URL leads to another machine: set {_PREFIX}MONGO_USERNAME, "
                f"{_PREFIX}MONGO_PASSWORD_FILE and {_PREFIX}MONGO_CA_FILE{allow}"
            )
        return self

    def _mongo_is_protected(self) -> bool:
        url = urlsplit(self.mongo_url.get_secret_value())
        credentials, _, hosts = url.netloc.rpartition("@")
        options = {name.lower(): values for name, values in parse_qs(url.query).items()}
        asked = [value.lower() for name in ("tls", "ssl") for value in options.get(name, [])]
        encrypted = self.mongo_ca_file is not None or "true" in asked or (url.scheme == "mongodb+srv" and not asked)
        known = bool(self.mongo_username or credentials)
        return (known and encrypted and "false" not in asked) or (
            url.scheme == "mongodb" and all(map(is_loopback, _hosts(hosts)))
        )


def _hosts(addresses: str) -> list[str]:
    """Return the host of each HOST:PORT; an IPv6 address without its brackets."""
    return [urlsplit(f"//{each.strip()}").hostname or "" for each in addresses.split(",")]


def is_loopback(host: str) -> bool:
    """Return whether what is sent to this host stays on the machine; no name is looked up."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
