"""`bowerbird setup`: create indexes, users and permissions, then topics.

Services wait for topics, so none runs without its unique indexes.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import TypeVar

from aiokafka.errors import KafkaError
from confluent_kafka import KafkaException
from pydantic import Field
from pymongo.errors import OperationFailure, PyMongoError

from bowerbird import kafka_access, mongo_users
from bowerbird.kafka_access import KafkaAccess, RefusedError
from bowerbird.mongo_users import make_operators, make_users, set_administrators_password
from bowerbird.operator_log import operators_cause, operators_log
from bowerbird.registry import NAMES, find
from libs.access import repository as keys
from libs.audit import log as audit
from libs.audit.entry import Action, Entry
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
NEXT_STEPS = {
    "kafka-administrator": f"write it into the file that {PREFIX}KAFKA_PASSWORD_FILE of setup names",
    "mongodb-administrator": f"write it into the file that {PREFIX}MONGO_PASSWORD_FILE of setup names",
    "kafka-node": "write it into the file of passwords that the broker reads, and restart the broker",
}
"""The files that hold new passwords of those who manage the stores, and what is to be done once they are set."""
_OPERATORS = {"monitor": rights.MONITOR, "backup": rights.BACKUP, "republish": rights.REPUBLISH}
_KAFKA_USERS = {"kafka-administrator": rights.ADMINISTRATOR, "kafka-node": rights.NODE}


class SetupSettings(Settings):
    """The settings of the setup step, which connects as an administrator of both stores."""

    service_passwords: OptionalPath = Field(
        default=None,
        description="folder with the files kafka-SERVICE and mongodb-SERVICE, a password each, and the same of "
        "monitor (exporters), backup (also audits) and republish where they are wanted; unset: setup makes no users "
        "and no permissions",
    )


@dataclass(frozen=True)
class Access:
    """What to do with users and permissions beside making those of the services.

    Attributes:
        dry_run: change nothing.
        remove: delete permissions that no table declares.
        reason: why, in the operator's words, for the audit log.
    """

    dry_run: bool = False
    remove: bool = False
    reason: str | None = None


async def set_up(settings: SetupSettings, patience_seconds: float, access: Access | None = None) -> list[str]:
    """Create what does not exist yet and return a line for each change; doing it again changes nothing.

    Raises:
        SettingsError: a password cannot be read, or a store does not take it.
        TimeoutError: MongoDB or Kafka did not answer in time; the text says which, and what was the matter.
    """
    access = access or Access()
    give_up_at = monotonic() + patience_seconds
    kafka = _kafka(settings)
    databases = f"MongoDB ({PREFIX}MONGO_URL)"
    told = await _patiently(lambda: _prepare_databases(settings, access), databases, give_up_at)
    if settings.kafka_security != "PLAINTEXT":
        told += await _patiently(lambda: _give_access(settings, access), kafka, give_up_at)
    if not access.dry_run:
        created = await _patiently(lambda: create_topics(settings), kafka, give_up_at)
        told.append(f"topics created: {', '.join(created) or 'none, all were there'}")
    return told


async def partner_access(settings: SetupSettings, name: str, password: str, access: Access) -> list[str]:
    """Make a partner's user and permissions, and return a line for each change.

    Raises:
        ValueError: the name cannot be a partner's.
        SettingsError: the administrator's password cannot be read, or a store does not take it.
        TimeoutError: a store does not answer, or Kafka has no authorizer.
    """
    user = rights.partner(name).principal

    async def give() -> list[str]:
        cluster = KafkaAccess(kafka_admin_options(settings))
        planned = await asyncio.to_thread(kafka_access.plan, cluster, {user: password}, [user], remove=False)
        if not access.dry_run:
            await _record(settings, Action.PARTNER_ADMITTED, user, access.reason, planned.changes)
            await asyncio.to_thread(kafka_access.carry_out, cluster, planned)
        return planned.lines(dry_run=access.dry_run)

    return await _patiently(give, _stores(settings), monotonic())


async def withdraw_partner(settings: SetupSettings, name: str, access: Access | None = None) -> None:
    """Take away a partner's permissions and password: it reads nothing more, though a connection may still be open.

    Raises:
        ValueError: the name cannot be a partner's.
        SettingsError: the administrator's password cannot be read, or a store does not take it.
        TimeoutError: a store does not answer, or Kafka knows no such user.
    """
    user = rights.partner(name).principal

    def withdraw() -> None:
        cluster = KafkaAccess(kafka_admin_options(settings))
        cluster.delete(each for each in cluster.bindings() if each.principal == f"User:{user}")
        cluster.remove_user(user)

    async def recorded() -> None:
        await _record(settings, Action.PARTNER_WITHDRAWN, user, (access or Access()).reason, [])
        await asyncio.to_thread(withdraw)

    await _patiently(recorded, _stores(settings), monotonic())


async def change_passwords(settings: SetupSettings, folder: Path, access: Access) -> list[str]:
    """Give the administrator of the stores and Kafka's node the passwords in a folder, and return what is to do next.

    Args:
        settings: with the administrator's passwords as they are so far.
        folder: has any of the files `kafka-administrator`, `mongodb-administrator` and `kafka-node`.
        access: why.

    Raises:
        SettingsError: no such file, or one cannot be read; a store does not take the administrator's password.
        TimeoutError: a store does not answer.
    """
    found = {each: read_password(folder / each, "--new-passwords") for each in NEXT_STEPS if (folder / each).exists()}
    if not found:
        raise SettingsError(f"--new-passwords: {folder} has none of the files {', '.join(NEXT_STEPS)}")
    kafka = {_KAFKA_USERS[each]: password for each, password in found.items() if each in _KAFKA_USERS}

    def change() -> None:
        cluster = KafkaAccess(kafka_admin_options(settings))
        for user, password in kafka.items():
            cluster.set_password(user, password)

    async def recorded() -> None:
        lines = [f"password of {each} changed" for each in found]
        await _record(settings, Action.STORE_ACCESS_CHANGED, "stores", access.reason, lines)
        if kafka:
            await asyncio.to_thread(change)
        if "mongodb-administrator" in found:
            async with _mongodb(settings) as client:
                await set_administrators_password(client, found["mongodb-administrator"])

    await _patiently(recorded, _stores(settings), monotonic())
    return [f"{each}: {NEXT_STEPS[each]}" for each in found]


async def _record(
    settings: SetupSettings, action: Action, subject: str, reason: str | None, changes: Sequence[str]
) -> None:
    """Write down what is to be changed at the stores, in the issuer service's audit log, before it is."""
    details = {"changes": "; ".join(changes)} if changes else {}
    async with _mongodb(settings) as client:
        entry = Entry(action, operators_cause(), (), subject, reason, details)
        await operators_log(client["issuer"]).record(entry)


@asynccontextmanager
async def _mongodb(settings: SetupSettings) -> AsyncIterator[mongo.Client]:
    client = mongo.connect(settings.mongo_url.get_secret_value(), "bowerbird-setup", mongo_options(settings))
    try:
        yield client
    finally:
        await mongo.close(client)


def _stores(settings: SetupSettings) -> str:
    return f"MongoDB ({PREFIX}MONGO_URL) or {_kafka(settings)}"


def indexes_of(service: str) -> list[Index]:
    """Return every index that the service's database must have."""
    return [*find(service).indexes, *audit.INDEXES, *keys.INDEXES]


def _kafka(settings: SetupSettings) -> str:
    return f"Kafka at {settings.kafka_bootstrap} ({PREFIX}KAFKA_BOOTSTRAP)"


def _passwords(settings: SetupSettings, store: str) -> dict[str, str]:
    assert settings.service_passwords is not None, "set_up asks"  # noqa: S101  # canary
    return {name: read_password(settings.service_passwords / f"{store}-{name}", FOLDER) for name in NAMES}


def _operators_passwords(settings: SetupSettings, store: str) -> dict[str, str]:
    """Return the passwords of the users that serve nobody, of those that are wanted."""
    assert settings.service_passwords is not None, "set_up asks"  # noqa: S101  # canary
    paths = {user: settings.service_passwords / f"{store}-{name}" for name, user in _OPERATORS.items()}
    return {user: read_password(path, FOLDER) for user, path in paths.items() if path.exists()}


async def _give_access(settings: SetupSettings, access: Access) -> list[str]:
    cluster = KafkaAccess(kafka_admin_options(settings))
    if settings.service_passwords is None:
        await asyncio.to_thread(cluster.check)
        return []
    users = {rights.SERVICES[name].principal: each for name, each in _passwords(settings, "kafka").items()}
    users |= _operators_passwords(settings, "kafka")
    planned = await asyncio.to_thread(kafka_access.plan, cluster, users, [], remove=access.remove)
    if not access.dry_run:
        if planned.changes:
            await _record(settings, Action.STORE_ACCESS_CHANGED, "kafka", access.reason, planned.changes)
        await asyncio.to_thread(kafka_access.carry_out, cluster, planned)
    return planned.lines(dry_run=access.dry_run)


async def _prepare_databases(settings: SetupSettings, access: Access) -> list[str]:
    """Make indexes and users, unless it is a dry run; return a line for each change of users that is, or would be."""
    async with _mongodb(settings) as client:
        if not access.dry_run:
            for name in NAMES:
                await mongo.create_indexes(client[name], indexes_of(name))
        if settings.service_passwords is None:
            return []
        services, operators = _passwords(settings, "mongodb"), _operators_passwords(settings, "mongodb")
        changed = await mongo_users.changes(client, services, operators)
        if not access.dry_run:
            if changed:
                await _record(settings, Action.STORE_ACCESS_CHANGED, "mongodb", access.reason, changed)
            await make_users(client, services)
            await make_operators(client, operators)
        return [f"MongoDB: {'would be ' if access.dry_run else ''}{each}" for each in changed]


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
