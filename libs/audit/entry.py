"""An entry of the audit log: who did what, why and from where; it names no learner."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Protocol

import orjson

from libs.common.clock import in_milliseconds

Details = Mapping[str, str | int | Mapping[str, str | int]]

FIRST_PREVIOUS = "0" * 64
"""What stands in the first entry in place of the hash of the one before."""

_RECORDED_AS = "recorded_as"


class Action(StrEnum):
    """What is done, or was refused."""

    AUTHORITY_PUBLISHED = "authority.published"
    ISSUER_PUBLISHED = "issuer.published"
    ISSUER_SUSPENDED = "issuer.suspended"
    ISSUER_RESUMED = "issuer.resumed"
    ACHIEVEMENT_PUBLISHED = "achievement.published"
    ORGANISATION_PUBLISHED = "organisation.published"
    ORGANISATION_RENAMED = "organisation.renamed"
    ORGANISATION_CLOSED = "organisation.closed"
    ORGANISATION_REOPENED = "organisation.reopened"
    SIGNING_KEY_ADDED = "signing-key.added"
    SIGNING_KEY_CHANGED = "signing-key.changed"
    SIGNING_KEYS_REWRAPPED = "signing-keys.rewrapped"
    SIGNING_KEYS_ADOPTED = "signing-keys.adopted"
    API_KEY_GRANTED = "api-key.granted"
    API_KEY_WITHDRAWN = "api-key.withdrawn"
    API_KEYS_SIGNED_ANEW = "api-keys.signed-anew"
    EVIDENCE_RELEASED = "evidence.released"
    AWARDED_BY_HAND = "credentials.awarded-by-hand"
    EVIDENCE_WITHDRAWN = "evidence.withdrawn"
    CREDENTIALS_SIGNED = "credentials.signed"
    STATUS_LIST_SIGNED = "status-list.signed"
    ISSUER_LIST_SIGNED = "issuer-list.signed"
    CREDENTIAL_REVOKED = "credential.revoked"
    CREDENTIAL_TAKEN_DOWN = "credential.taken-down"
    CREDENTIALS_EXPORTED = "credentials.exported"
    MAIL_DOMAINS_SET = "mail-domains.set"
    MAIL_SENT_AGAIN = "mail.sent-again"
    CONTACT_ERASED = "contact.erased"
    MAILS_RELEASED = "mails.released"
    MAILS_DISCARDED = "mails.discarded"
    PARTNER_ADMITTED = "partner.admitted"
    PARTNER_WITHDRAWN = "partner.withdrawn"
    STORE_ACCESS_CHANGED = "store-access.changed"
    ADMINISTRATOR_ADDED = "administrator.added"
    ADMINISTRATOR_REMOVED = "administrator.removed"
    ADMINISTRATOR_USED = "administrator.used"
    DATABASES_BACKED_UP = "databases.backed-up"
    DATABASES_RESTORED = "databases.restored"
    TOPICS_REPUBLISHED = "topics.republished"
    TOPICS_REPAIRED = "topics.repaired"
    DEAD_LETTER_SHOWN = "dead-letter.shown"
    DEAD_LETTERS_SENT_AGAIN = "dead-letters.sent-again"
    ACCESS_REFUSED = "access.refused"


@dataclass(frozen=True, slots=True)
class Cause:
    """By whom and through what something is done.

    Attributes:
        principal: `administrator:NAME`, `key:ISSUER/NAME`, `service:NAME`, `operator:USER` of a command, or `nobody`
            where no key was shown.
        trace: the trace id (32 hexadecimal digits) that request, events and log lines share.
        key: the first 16 digits of the API key's SHA-256.
        client: the address that the request came from, or the name of the machine that a command ran on.
    """

    principal: str
    trace: str
    key: str | None = None
    client: str | None = None

    @classmethod
    def of_service(cls, service: str, trace: str) -> "Cause":
        """Return the cause of what a service does by itself."""
        return cls(f"service:{service}", trace)


@dataclass(frozen=True, slots=True)
class Entry:
    """What is to be recorded.

    Attributes:
        tenants: the issuers that it concerns; each may read it.
        subject: what it is done to: a kind and an id, such as `credential UUID`.
        reason: why, as a code or in the words that were given.
        details: further facts, by name. A mapping within it is by tenant, each of which reads its own part.
    """

    action: Action
    cause: Cause
    tenants: tuple[str, ...]
    subject: str
    reason: str | None = None
    details: Details = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Recorded:
    """An entry as it stands in the log.

    Attributes:
        sequence: 1, 2, 3 and so on, without gaps.
        at: to the millisecond, in UTC.
        previous: the hash of the entry before it.
        hash: SHA-256, hexadecimal, of everything else in this entry.
    """

    entry: Entry
    sequence: int
    at: datetime
    previous: str
    hash: str

    @property
    def identity(self) -> str:
        """The hash that the entry had first, should it have been added again after its log was set back."""
        first = self.entry.details.get(_RECORDED_AS)
        return first if isinstance(first, str) else self.hash

    @property
    def found_again(self) -> Entry:
        """The entry to add where the log was set back to before it: the same, with its first hash and time.

        Its first place is not said: an issuer would see by it how much the others do.
        """
        if _RECORDED_AS in self.entry.details:
            return self.entry
        stood = {_RECORDED_AS: self.hash, "recorded_at": self.at.isoformat()}
        return replace(self.entry, details={**self.entry.details, **stood})


class AuditWriter(Protocol):
    """Adds entries to an audit log."""

    async def record(self, *entries: Entry) -> None:
        """Add these entries. To be awaited before what they speak of is done.

        Raises:
            PyMongoError: they may not be there, so what they speak of must not be done.
        """
        ...


def chained(entry: Entry, sequence: int, at: datetime, previous: str) -> Recorded:
    """Return the entry with its place in the chain; the hash covers every other field."""
    at = in_milliseconds(at)
    covered = {
        "sequence": sequence,
        "at": at.isoformat(),
        "previous": previous,
        "action": entry.action.value,
        "principal": entry.cause.principal,
        "trace": entry.cause.trace,
        "key": entry.cause.key,
        "client": entry.cause.client,
        "tenants": list(entry.tenants),
        "subject": entry.subject,
        "reason": entry.reason,
        "details": entry.details,
    }
    text = orjson.dumps(covered, option=orjson.OPT_SORT_KEYS)
    return Recorded(entry, sequence, at, previous, hashlib.sha256(text).hexdigest())
