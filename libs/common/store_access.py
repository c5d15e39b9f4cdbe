"""How a process shows Kafka and MongoDB who it is: passwords come from files that it alone may read."""

import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any

from libs.common.secret_files import read_private
from libs.common.settings import PREFIX, Settings, SettingsError

if TYPE_CHECKING:
    from faststream.security import SASLScram512

_MECHANISM = "SCRAM-SHA-512"
_SHORTEST_PASSWORD = 16


def kafka_options(settings: Settings) -> dict[str, Any]:
    """Return aiokafka's options for this connection; none for a broker that asks for nothing.

    Raises:
        SettingsError: the password or the certificates cannot be read.
    """
    if settings.kafka_security == "PLAINTEXT":
        return {}
    options: dict[str, Any] = {
        "security_protocol": settings.kafka_security,
        "sasl_mechanism": _MECHANISM,
        "sasl_plain_username": settings.kafka_username,
        "sasl_plain_password": _kafka_password(settings),
    }
    return options | ({"ssl_context": _context(settings)} if settings.kafka_security == "SASL_SSL" else {})


def kafka_security(settings: Settings) -> "SASLScram512 | None":
    """Return the same for FastStream's broker.

    Raises:
        SettingsError: as above.
    """
    if settings.kafka_security == "PLAINTEXT":
        return None
    from faststream.security import SASLScram512  # noqa: PLC0415  # slow to import, and commands have no use for it

    context = _context(settings) if settings.kafka_security == "SASL_SSL" else None
    return SASLScram512(settings.kafka_username, _kafka_password(settings), context, use_ssl=context is not None)


def kafka_admin_options(settings: Settings) -> dict[str, str]:
    """Return the same for librdkafka's administration client, which `bowerbird setup` uses for users and permissions.

    Raises:
        SettingsError: the password cannot be read.
    """
    options = {"bootstrap.servers": settings.kafka_bootstrap, "security.protocol": settings.kafka_security}
    if settings.kafka_security == "PLAINTEXT":
        return options
    options |= {
        "sasl.mechanism": _MECHANISM,
        "sasl.username": settings.kafka_username,
        "sasl.password": _kafka_password(settings),
    }
    return options | ({"ssl.ca.location": str(settings.kafka_ca_file)} if settings.kafka_ca_file else {})


def mongo_options(settings: Settings) -> dict[str, Any]:
    """Return the driver's options for user, password and TLS; none where the connection string says it all.

    Raises:
        SettingsError: the password cannot be read.
    """
    options: dict[str, Any] = {}
    if settings.mongo_password_file is not None:
        password = read_password(settings.mongo_password_file, f"{PREFIX}MONGO_PASSWORD_FILE")
        options |= {"username": settings.mongo_username, "password": password, "authSource": "admin"}
    if settings.mongo_ca_file is not None:
        options |= {"tls": True, "tlsCAFile": str(settings.mongo_ca_file)}
    return options


def read_password(path: Path, variable: str) -> str:
    """Return the password that the file holds, without white space around it.

    Raises:
        SettingsError: the file is missing, readable by others, or holds fewer than 16 characters; says what to do.
    """
    make = f"make one with: (umask 077; head -c 32 /dev/urandom | base64 > {path})"
    password = read_private(path, variable, make).strip()
    if len(password) < _SHORTEST_PASSWORD:
        raise SettingsError(f"{variable}: {path} holds fewer than {_SHORTEST_PASSWORD} characters; {make}")
    return password


def _kafka_password(settings: Settings) -> str:
    assert settings.kafka_password_file is not None, "StoreSettings refuses this"  # noqa: S101  # canary
    return read_password(settings.kafka_password_file, f"{PREFIX}KAFKA_PASSWORD_FILE")


def trust_anew(context: ssl.SSLContext, path: Path | None, variable: str) -> None:
    """Trust what the file holds now too; what it held before stays trusted until the process ends.

    Args:
        context: of connections that exist; those that are opened from now on use it as it is then.
        path: certificates in PEM; None: those of the system.
        variable: the environment variable that names the file, for the message.

    Raises:
        SettingsError: the file cannot be used; what was trusted stays so.
    """
    try:
        if path is None:
            context.load_default_certs()
        else:
            context.load_verify_locations(cafile=path)
    except OSError as error:  # ssl.SSLError is one
        raise SettingsError(f"{variable}: {path} cannot be used ({type(error).__name__})") from error


def _context(settings: Settings) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=settings.kafka_ca_file)
    except OSError as error:  # ssl.SSLError is one
        raise SettingsError(
            f"{PREFIX}KAFKA_CA_FILE: {settings.kafka_ca_file} cannot be used ({type(error).__name__}); "
            "it holds certificates in PEM and is readable by this user"
        ) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
