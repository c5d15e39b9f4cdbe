"""`bowerbird setup`: create indexes, users and permissions, then topics.

Services wait for topics, so none runs without its unique indexes.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import monotonic
from typing import TypeVar

from aiokafka.errors import KafkaError
from confluent_kafka import KafkaException
from pydantic import Field
from pymongo.errors import OperationFailure, PyMongoError

from bowerbird import kafka_access
from bowerbird.kafka_access import KafkaAccess, RefusedError
from bowerbird.mongo_users import make_users
from bowerbird.registry import NAMES, find
from libs.access import repository as keys
from libs.audit import log as audit
from libs.common import mongo
from libs.common.mongo import Index
from libs.common.settings import PREFIX, Settings, SettingsError
from libs.common.store_access import kafka_admin_options, mongo_options, read_password
from libs.common.store_settings import OptionalPath
from libs.common.topic_setup import create_topics
from libs.contracts import rights

T = TypeVar("T")

_TRY_AGAIN_SECONDS = 0.5
# Unauthorized, AuthenticationFailed
_MONGO_REFUSALS = {13, 18}
FOLDER = f"{PREFIX}SERVICE_PASSWORDS"


class SetupSettings(Settings):
    """The settings of the setup step, which connects as an administrator of both stores."""

    service_passwords: OptionalPath = Field(
        default=None,
        description="folder with the files kafka-SERVICE and mongodb-SERVICE, a password each; unset: setup makes no "
        "users and no permissions",
    )


@dataclass(frozen=True)
class Access:
    """What to do with users and permissions beside making those of the services."""

    dry_run: bool = False
    remove: bool = False


async def set_up(settings: SetupSettings, patience_seconds: float, access: Access | None = None) -> list[str]:
    """Create what does not exist yet and return a line for each change; doing it again changes nothing.

    Raises:
        SettingsError: a password cannot be read, or a store does not take it.
        TimeoutError: MongoDB or Kafka did not answer in time; the text says which, and what was the matter.
    """
    access = access or Access()
    give_up_at = monotonic() + patience_seconds
    kafka = _kafka(settings)
    told = []
    if not access.dry_run:
        await _patiently(lambda: _prepare_databases(settings), f"MongoDB ({PREFIX}MONGO_URL)", give_up_at)
    if settings.kafka_security != "PLAINTEXT":
        told += await _patiently(lambda: asyncio.to_thread(_give_access, settings, access), kafka, give_up_at)
    if not access.dry_run:
        created = await _patiently(lambda: create_topics(settings), kafka, give_up_at)
        told.append(f"topics created: {', '.join(created) or 'none, all were there'}")
    return told


async def partner_access(settings: SetupSettings, name: str, password: str, access: Access) -> list[str]:
    """Make a partner's user and permissions, and return a line for each change.

    Raises:
        ValueError: the name cannot be a partner's.
        SettingsError: the administrator's password cannot be read, or Kafka does not take it.
        TimeoutError: Kafka does not answer, or has no authorizer.
    """
    user = rights.partner(name).principal

    def give() -> list[str]:
        cluster = KafkaAccess(kafka_admin_options(settings))
        return kafka_access.apply(cluster, {user: password}, [user], dry_run=access.dry_run, remove=False)

    return await _patiently(lambda: asyncio.to_thread(give), _kafka(settings), monotonic())


async def withdraw_partner(settings: SetupSettings, name: str) -> None:
    """Take away a partner's permissions and password: it reads nothing more, though a connection may still be open.

    Raises:
        ValueError: the name cannot be a partner's.
        SettingsError: the administrator's password cannot be read, or Kafka does not take it.
        TimeoutError: Kafka does not answer, or knows no such user.
    """
    user = rights.partner(name).principal

    def withdraw() -> None:
        cluster = KafkaAccess(kafka_admin_options(settings))
        cluster.delete(each for each in cluster.bindings() if each.principal == f"User:{user}")
        cluster.remove_user(user)

    await _patiently(lambda: asyncio.to_thread(withdraw), _kafka(settings), monotonic())


def indexes_of(service: str) -> list[Index]:
    """Return every index that the service's database must have."""
    return [*find(service).indexes, *audit.INDEXES, *keys.INDEXES]


def _kafka(settings: SetupSettings) -> str:
    return f"Kafka at {settings.kafka_bootstrap} ({PREFIX}KAFKA_BOOTSTRAP)"


def _passwords(settings: SetupSettings, store: str) -> dict[str, str]:
    assert settings.service_passwords is not None, "set_up asks"  # noqa: S101  # canary
    return {name: read_password(settings.service_passwords / f"{store}-{name}", FOLDER) for name in NAMES}


def _give_access(settings: SetupSettings, access: Access) -> list[str]:
    if settings.service_passwords is None:
        KafkaAccess(kafka_admin_options(settings)).check()
        return []
    users = {rights.SERVICES[name].principal: each for name, each in _passwords(settings, "kafka").items()}
    cluster = KafkaAccess(kafka_admin_options(settings))
    return kafka_access.apply(cluster, users, [], dry_run=access.dry_run, remove=access.remove)


async def _prepare_databases(settings: SetupSettings) -> None:
    client = mongo.connect(settings.mongo_url.get_secret_value(), "bowerbird-setup", mongo_options(settings))
    try:
        for name in NAMES:
            await mongo.create_indexes(client[name], indexes_of(name))
        if settings.service_passwords is not None:
            await make_users(client, _passwords(settings, "mongodb"))
    finally:
        await mongo.close(client)


async def _patiently(step: Callable[[], Awaitable[T]], where: str, give_up_at: float) -> T:
    while True:
        try:
            return await step()
        except (PyMongoError, KafkaError, KafkaException, RefusedError, OSError) as error:
            if refusal := _refusal(error):
                raise SettingsError(f"{where} refuses us: {refusal}") from error
            if monotonic() > give_up_at:
                raise TimeoutError(f"{where} did not answer in time: {_reason(error)}") from error
            await asyncio.sleep(_TRY_AGAIN_SECONDS)


def _refusal(error: Exception) -> str | None:
    """Return what a store says of a wrong password or certificate, which waiting does not mend; else None."""
    if isinstance(error, RefusedError):
        return str(error)
    if isinstance(error, OperationFailure) and error.code in _MONGO_REFUSALS:
        return str((error.details or {}).get("codeName", error.code))
    return "its certificate is not trusted" if "CERTIFICATE_VERIFY_FAILED" in str(error) else None


def _reason(error: Exception) -> str:
    return str(error.args[0].str()) if isinstance(error, KafkaException) else type(error).__name__
