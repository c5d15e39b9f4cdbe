"""Users and permissions at Kafka, made from the table of rights (`libs.contracts.rights`); what differs is told."""

from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from confluent_kafka import KafkaError
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialAlteration,
    UserScramCredentialDeletion,
    UserScramCredentialUpsertion,
)

from libs.contracts import rights
from libs.contracts.rights import Acl

T = TypeVar("T")

_SECONDS: Final = 30.0
_POLL_SECONDS: Final = 0.05
_REFUSALS: Final = {KafkaError._AUTHENTICATION, KafkaError._SSL}  # noqa: SLF001  # its public names begin so
_USER: Final = "User:"
# Kafka's own least is 4096.
_ITERATIONS: Final = 8192


class RefusedError(Exception):
    """The brokers do not take the user name and password, or their certificate is not trusted; the text says which."""


class KafkaAccess:
    """The administrator's view of one cluster.

    Each method raises `RefusedError`, or `KafkaException`: the brokers do not answer, or refuse this one thing.
    """

    def __init__(self, options: Mapping[str, str]) -> None:
        """Take librdkafka's options of the connection; the user is a super user of the brokers."""
        self._refused: KafkaError | None = None
        self._admin = AdminClient(dict[str, Any](options, error_cb=self._note, log_level=0))

    def check(self) -> None:
        """Return if the brokers answer."""
        self._done(self._admin.describe_cluster(request_timeout=_SECONDS))

    def bindings(self) -> list[AclBinding]:
        """Return every permission that the brokers know."""
        anything: Any = None  # what its signature leaves out
        every = AclBindingFilter(
            ResourceType.ANY,
            anything,
            ResourcePatternType.ANY,
            anything,
            anything,
            AclOperation.ANY,
            AclPermissionType.ANY,
        )
        return self._done(self._admin.describe_acls(every, request_timeout=_SECONDS))

    def set_password(self, user: str, password: str) -> None:
        """Make the user, or give it this password (SCRAM-SHA-512; the broker keeps a salted hash)."""
        info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, _ITERATIONS)
        self._alter(UserScramCredentialUpsertion(user, info, password.encode()))

    def remove_user(self, user: str) -> None:
        """Take the user's password away: it can connect no more. Its permissions stay."""
        self._alter(UserScramCredentialDeletion(user, ScramMechanism.SCRAM_SHA_512))

    def create(self, bindings: Iterable[AclBinding]) -> None:
        """Create permissions."""
        wanted = list(bindings)
        if wanted:
            for each in self._admin.create_acls(wanted, request_timeout=_SECONDS).values():
                self._done(each)

    def delete(self, bindings: Iterable[AclBinding]) -> None:
        """Delete exactly these permissions."""
        filters = [
            AclBindingFilter(
                each.restype,
                each.name,
                each.resource_pattern_type,
                each.principal,
                each.host,
                each.operation,
                each.permission_type,
            )
            for each in bindings
        ]
        if filters:
            for each in self._admin.delete_acls(filters, request_timeout=_SECONDS).values():
                self._done(each)

    def _alter(self, change: UserScramCredentialAlteration) -> None:
        for each in self._admin.alter_user_scram_credentials([change], request_timeout=_SECONDS).values():
            self._done(each)

    def _done(self, asked: Future[T]) -> T:
        """Wait; a refusal comes by the callback, and the question itself would only be answered by silence."""
        while not asked.done():
            self._admin.poll(_POLL_SECONDS)
            if self._refused is not None:
                raise RefusedError(self._refused.str())
        return asked.result()

    def _note(self, error: KafkaError) -> None:
        if error.code() in _REFUSALS:
            self._refused = error


@dataclass(frozen=True)
class Plan:
    """What is to be changed so that users and permissions are as the table declares.

    Attributes:
        passwords: by user name, of the users to make; an existing one gets this password.
        missing: permissions to create, by the line that tells of each.
        undeclared: permissions that the table does not declare, likewise.
        remove: delete those; else they are only named.
    """

    passwords: Mapping[str, str]
    missing: Mapping[str, AclBinding]
    undeclared: Mapping[str, AclBinding]
    remove: bool

    @property
    def changes(self) -> list[str]:
        """The permissions that are given and taken, a line for each."""
        taken = self.undeclared if self.remove else ()
        return [*(f"allowed: {each}" for each in self.missing), *(f"removed: {each}" for each in taken)]

    def lines(self, *, dry_run: bool) -> list[str]:
        """Return a line for each change or difference; of a dry run, for what would be."""
        would = "would be " if dry_run else ""
        return [
            *(f"password of {user} {would}set" for user in sorted(self.passwords)),
            *(f"{would}{each}" for each in self.changes),
            *(() if self.remove else (f"not declared: {each}" for each in self.undeclared)),
        ]


def plan(access: KafkaAccess, passwords: Mapping[str, str], partners: Iterable[str], *, remove: bool) -> Plan:
    """Compare what the brokers know with what the table declares; nothing is changed.

    Args:
        access: the cluster.
        passwords: see `Plan`.
        partners: user names of partners to give their permissions; those who have some already keep them.
        remove: see `Plan`.

    Raises:
        RefusedError, KafkaException: as of `KafkaAccess`; a broker without an authorizer is one that refuses.
    """
    there = {_line(each): each for each in access.bindings()}
    names = {each.principal.removeprefix(_USER) for each in there.values()}
    declared = {_line(each): each for each in map(_binding, rights.declared({*names, *partners}))}
    return Plan(
        passwords,
        {line: declared[line] for line in sorted(declared.keys() - there.keys())},
        {line: there[line] for line in sorted(there.keys() - declared.keys())},
        remove,
    )


def carry_out(access: KafkaAccess, planned: Plan) -> None:
    """Change what is planned.

    Raises:
        RefusedError, KafkaException: as of `KafkaAccess`; what was changed before stays so, and doing it again is safe.
    """
    for user, password in planned.passwords.items():
        access.set_password(user, password)
    access.create(planned.missing.values())
    if planned.remove:
        access.delete(planned.undeclared.values())


def _binding(acl: Acl) -> AclBinding:
    return AclBinding(
        ResourceType.TOPIC if acl.resource == "topic" else ResourceType.GROUP,
        acl.name,
        ResourcePatternType.PREFIXED if acl.prefixed else ResourcePatternType.LITERAL,
        f"{_USER}{acl.principal}",
        "*",
        AclOperation[acl.operation],
        AclPermissionType.ALLOW,
    )


def _line(binding: AclBinding) -> str:
    every = "*" if binding.resource_pattern_type is ResourcePatternType.PREFIXED else ""
    verb = "may" if binding.permission_type is AclPermissionType.ALLOW else "may not"
    host = "" if binding.host == "*" else f" from {binding.host}"
    return (
        f"{binding.principal.removeprefix(_USER)} {verb} {AclOperation(binding.operation).name.lower()} "
        f"{ResourceType(binding.restype).name.lower()} {binding.name}{every}{host}"
    )
