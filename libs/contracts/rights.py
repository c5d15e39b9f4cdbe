"""Who may do what on Kafka and in MongoDB: one principal a service and one a partner, each with the least rights.

Everything else is refused by the broker. `bowerbird setup` makes the access control lists from this table.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from libs.contracts import topics
from libs.contracts.topics import AUDIT_ENTRIES, DEAD_LETTERS, SENT_AGAIN, TOPICS, Topic

Resource = Literal["topic", "group"]
Operation = Literal["READ", "WRITE", "DESCRIBE"]

AUDIT: Final = "audit"
"""The collection of each database to which its service may add documents, and change and remove none."""
ADMINISTRATOR: Final = "bowerbird-setup"
"""The principal of `bowerbird setup`: a super user of the brokers."""
NODE: Final = "bowerbird-node"
"""The user by which the nodes of Kafka know each other: a super user, too."""

_PARTNER: Final = "partner-"
_PARTNER_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")


@dataclass(frozen=True, order=True)
class Acl:
    """One permission, from any host.

    Attributes:
        principal: the user's name, without Kafka's `User:`.
        name: of the topic; of groups the prefix, so that it covers each group whose id begins with it.
    """

    principal: str
    resource: Resource
    name: str
    operation: Operation

    @property
    def prefixed(self) -> bool:
        """Whether the name is a prefix."""
        return self.resource == "group"


@dataclass(frozen=True)
class Rights:
    """What one principal may do.

    Attributes:
        principal: its user name.
        reads: topics that it reads, in groups whose ids begin with `groups`.
        writes: topics that it writes. The broker lets whoever may write do so with an idempotent producer.
        database: its one MongoDB database; None of a partner.
        collections: those of the database that it reads and writes.
        ledgers: those of the database to which it may add, and change and remove nothing, as to the audit log.
        watched: the group of another service of which it may see how far it has come.
    """

    principal: str
    reads: tuple[Topic, ...]
    writes: tuple[Topic, ...]
    groups: str
    database: str | None = None
    collections: tuple[str, ...] = ()
    ledgers: tuple[str, ...] = ()
    watched: str | None = None

    def acls(self) -> frozenset[Acl]:
        """Return the permissions; who reads or writes a topic may describe it, and a reader its groups."""
        reading = {Acl(self.principal, "topic", each.name, "READ") for each in self.reads}
        writing = {Acl(self.principal, "topic", each.name, "WRITE") for each in self.writes}
        describing = {Acl(self.principal, "topic", each.name, "DESCRIBE") for each in (*self.reads, *self.writes)}
        group = {
            Acl(self.principal, "group", self.groups, "READ"),
            Acl(self.principal, "group", self.groups, "DESCRIBE"),
        }
        watching = set() if self.watched is None else {Acl(self.principal, "group", self.watched, "DESCRIBE")}
        return frozenset(reading | writing | describing | (group if self.reads else set()) | watching)


CONTACTS_GROUP: Final = "notifier-contacts"
"""The group by which the notifier reads names and addresses."""

_COMMON: Final = ("positions", "fence", "canary")
"""The collections of each service in which it keeps how far it has come, proves that they did not go back, and notes
the synthetic learner."""


def _service(
    name: str,
    reads: Iterable[Topic],
    writes: Iterable[Topic],
    collections: Iterable[str],
    *,
    ledgers: Iterable[str] = (),
    watched: str | None = None,
) -> Rights:
    # What it wrote in its audit log it takes up again where its database was set back.
    reading = (*reads, SENT_AGAIN[name], AUDIT_ENTRIES[name])
    writing = (*writes, DEAD_LETTERS[name], AUDIT_ENTRIES[name], topics.BROKER_CLOCK)
    principal, kept = f"bowerbird-{name}", (*_COMMON, *collections)
    return Rights(principal, reading, writing, f"{name}-", name, kept, (AUDIT, *ledgers), watched)


_KEYED: Final = ("api_keys", "organisations", "authority")
"""The collections of services that ask for API keys, whose organisations stand in a tree, and derive ids."""


SERVICES: Final = {
    "evidence": _service(
        "evidence",
        # Its own batches, for a database that was set back.
        reads=[topics.ACCESS_KEYS, topics.CATALOGUE, topics.EVIDENCE_DECIDED, topics.EVIDENCE_BATCHES],
        writes=[
            topics.ACCESS_USE,
            topics.EVIDENCE_SUBMITTED,
            topics.EVIDENCE_BULK,
            topics.EVIDENCE_BATCHES,
            topics.LEARNER_CONTACTS,
        ],
        collections=[*_KEYED, "batches", "rows", "row_blocks", "row_warnings", "submissions", "quotas"],
        watched=CONTACTS_GROUP,
    ),
    "issuer": _service(
        "issuer",
        reads=[
            topics.ACCESS_KEYS,
            topics.ACCESS_USE,
            topics.EVIDENCE_SUBMITTED,
            topics.EVIDENCE_BULK,
            topics.CREDENTIAL_COMMANDS,
            topics.CATALOGUE,
            topics.ISSUER_SETTINGS,
            # What it published itself, for a database that was set back.
            topics.CREDENTIAL_DOCUMENTS,
            topics.EVIDENCE_DECIDED,
            topics.SIGNING_KEYS,
            topics.STATUS_LISTS,
        ],
        writes=[
            topics.ACCESS_KEYS,
            topics.ACCESS_USE,
            topics.EVIDENCE_SUBMITTED,  # withdrawals
            topics.CREDENTIAL_COMMANDS,
            topics.CATALOGUE,
            topics.ISSUER_SETTINGS,
            topics.EVIDENCE_DECIDED,
            topics.CREDENTIAL_LIFECYCLE,
            topics.CREDENTIAL_DOCUMENTS,
            topics.STATUS_LISTS,
            topics.SIGNING_KEYS,
        ],
        collections=[
            *_KEYED,
            "decisions",
            "waiting",
            "kept_evidence",
            "published_decisions",
            "sweeps",
            "adoption",
            "refilled_topics",
            "credentials",
            "closing_requests",
            "withdrawal_requests",
            "waiting_commands",
            "status_lists",
            "epoch",
            "authority_document",
            "issuer_list",
            "issuers",
            "issuer_names",
            "organisation_turns",
            "achievements",
            "publications",
            "signing_keys",
            "mail_domains",
        ],
    ),
    "verifier": _service(
        "verifier",
        reads=[topics.CREDENTIAL_DOCUMENTS, topics.CATALOGUE, topics.STATUS_LISTS],
        writes=[],
        collections=[
            "documents",
            "issuers",
            "achievements",
            "status_lists",
            "authority_document",
            "issuer_lists",
            "registry_copies",
        ],
    ),
    "notifier": _service(
        "notifier",
        reads=[
            topics.ACCESS_KEYS,
            topics.CATALOGUE,
            topics.ISSUER_SETTINGS,
            topics.LEARNER_CONTACTS,
            topics.EVIDENCE_DECIDED,
            topics.CREDENTIAL_LIFECYCLE,
            topics.STORE_MOMENTS,
        ],
        writes=[topics.ACCESS_USE, topics.LEARNER_CONTACTS, topics.STORE_MOMENTS],
        collections=[
            *_KEYED,
            "deliveries",
            "domains",
            "allowances",
            "contacts",
            "issuers",
            "achievements",
            "mail_domains",
        ],
        ledgers=["erasures"],
    ),
}


def partner(name: str) -> Rights:
    """Return the rights of a partner: to read what is published for partners, in groups `partner-NAME.…`.

    The dot after the name keeps the groups of `north` apart from those of `north-2`.

    Raises:
        ValueError: the name is not 1 to 40 lower-case letters, digits and hyphens, a letter or digit at either end.
    """
    if not _PARTNER_NAME.fullmatch(name):
        raise ValueError(
            f"{name!r} cannot be a partner's name: 1 to 40 lower-case letters, digits and hyphens, "
            "with a letter or digit at either end"
        )
    user = f"{_PARTNER}{name}"
    return Rights(user, tuple(each for each in TOPICS if each.for_partners), (), f"{user}.")


MONITOR: Final = "bowerbird-monitor"
"""The user of the exporters: it sees how the stores do, and reads nothing of what is in them."""


BACKUP: Final = "bowerbird-backup"
"""The user of what reads everything by night: `bowerbird backup` and `bowerbird audit promises`."""
REPUBLISH: Final = "bowerbird-republish"
"""The user of `bowerbird republish`, and of audits that repair: it reads everything, and publishes."""

AUDITED: Final = (
    topics.CATALOGUE,
    topics.ACCESS_KEYS,
    topics.ISSUER_SETTINGS,
    topics.LEARNER_CONTACTS,
    topics.CREDENTIAL_DOCUMENTS,
)
"""Topics that keep the last record of each key, and are held against the stores."""

READ_BY_AUDITS: Final = (*AUDITED, topics.SIGNING_KEYS)
"""The same, and the sealed copies of signing keys."""

REPUBLISHED: Final = (
    *AUDITED,
    topics.CREDENTIAL_LIFECYCLE,
    topics.CREDENTIAL_COMMANDS,
    topics.EVIDENCE_SUBMITTED,
    topics.EVIDENCE_BULK,
    topics.EVIDENCE_DECIDED,
    topics.SIGNING_KEYS,
)
"""Topics that are filled from the stores. Status lists and the list of issuers a service signs and publishes."""


def _operating() -> frozenset[Acl]:
    """Return the permissions of the users for monitoring, backups and republishing, which no service runs as.

    Who may describe a topic or a group learns the ends of its partitions, and how far it has come.
    """
    every = (*TOPICS, *DEAD_LETTERS.values())
    users = (MONITOR, BACKUP, REPUBLISH)
    return frozenset(
        {Acl(user, "topic", each.name, "DESCRIBE") for user in users for each in every}
        | {Acl(user, "group", each.groups, "DESCRIBE") for user in users for each in SERVICES.values()}
        | {Acl(user, "topic", each.name, "READ") for user in (BACKUP, REPUBLISH) for each in READ_BY_AUDITS}
        | {Acl(REPUBLISH, "topic", each.name, "WRITE") for each in REPUBLISHED}
    )


def declared(principals: Iterable[str]) -> frozenset[Acl]:
    """Return the permissions of services and operators' users, and of those of these principals that are partners."""
    names = [each.removeprefix(_PARTNER) for each in principals if each.startswith(_PARTNER)]
    partners = [partner(each) for each in names if _PARTNER_NAME.fullmatch(each)]
    return _operating().union(*(rights.acls() for rights in (*SERVICES.values(), *partners)))
