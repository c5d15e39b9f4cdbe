"""Events of running the services: moments of stores, dead letters, audit entries, synthetic learners."""

from pydantic import AwareDatetime, Field

from libs.contracts import topics
from libs.contracts.events.event import Event
from libs.contracts.events.evidence import EvidenceSubmitted
from libs.contracts.topics import Topic

CANARIES = (10, 4, 13, 9, 2, 0, 11, 21, 3, 6, 7, 44)
"""The numbers of the synthetic learners, who take turns: the key of each goes to another partition of twelve."""


class StoreMoment(Event):
    """A service's database was in use at this moment: one that knows of no use so late is of an earlier moment."""

    type = "org.bowerbirdbadges.store.moment.v1"
    topic = topics.STORE_MOMENTS
    key_fields = ("service",)
    id_fields = ("service", "used_at")
    time_field = "used_at"

    service: str
    used_at: AwareDatetime


class DeadLetter(Event):
    """A record that a service could not process, as it came, with where it came from and why it stopped here."""

    type = "org.bowerbirdbadges.dead-letter.v1"
    key_fields = ("source_topic", "partition", "offset")
    id_fields = ("consumer", "source_topic", "partition", "offset")
    time_field = "failed_at"

    service: str
    consumer: str
    source_topic: str
    partition: int
    offset: int
    record_key: str | None = Field(default=None, description="base64; none where the record had none")
    record_value: str | None = Field(default=None, description="base64; none where the record was a tombstone")
    record_headers: list[tuple[str, str | None]] = Field(description="name and base64 value, as they came")
    record_sha256: str | None = Field(
        default=None, description="SHA-256, hex, of a value that was too large to be kept here; it stands where it came"
    )
    reason: str = Field(description="a stable code")
    detail: str
    attempt: int = Field(ge=1)
    failed_at: AwareDatetime

    @property
    def destination(self) -> Topic:
        return topics.DEAD_LETTERS[self.service]


class RecordSentAgain(DeadLetter):
    """A dead letter that an operator sends to its consumer again, which takes it as the record that it was."""

    type = "org.bowerbirdbadges.dead-letter.sent-again.v1"
    time_field = "sent_at"

    sent_at: AwareDatetime

    @property
    def destination(self) -> Topic:
        return topics.SENT_AGAIN[self.service]


class AuditEntryCopied(Event):
    """An entry of a service's audit log, as it stands there: a database that was set back takes it up from here."""

    type = "org.bowerbirdbadges.audit.entry.v1"
    key_fields = ("service",)
    id_fields = ("service", "hash")
    time_field = "at"

    service: str
    sequence: int = Field(ge=1)
    at: AwareDatetime
    action: str
    principal: str
    trace: str
    key_id: str | None = Field(default=None, description="the first 16 digits of the SHA-256 of the API key")
    client: str | None = None
    tenants: list[str]
    subject: str
    reason: str | None = None
    details: str = Field(description="further facts, as JSON")
    previous: str
    hash: str = Field(description="SHA-256, hexadecimal, of all else of the entry")

    @property
    def destination(self) -> Topic:
        return topics.AUDIT_ENTRIES[self.service]


class Canary(Event):
    """A synthetic learner, sent through all services on the topics of real ones; it is no award, and counts nowhere.

    It has few keys, so that a compacted topic holds few.
    """

    key_prefix = "canary-"
    key_fields = ("number",)
    id_fields = ("number", "sent_at")
    time_field = "sent_at"

    number: int = Field(ge=0, description="which of the synthetic learners")
    sent_at: AwareDatetime = Field(
        description="when the evidence service sent it; all that follows from it has the same"
    )


class CanarySubmitted(Canary):
    """A synthetic learner's evidence."""

    type = "org.bowerbirdbadges.canary.submitted.v1"
    topic = topics.EVIDENCE_SUBMITTED

    evidence: EvidenceSubmitted = Field(description="as it would stand alone, had a school sent it")


class CanaryDecided(Canary):
    """A synthetic learner's evidence was decided, and its credential signed."""

    type = "org.bowerbirdbadges.canary.decided.v1"
    topic = topics.EVIDENCE_DECIDED


class CanaryDocument(Canary):
    """A synthetic learner's credential, signed with a key that signs nothing else."""

    type = "org.bowerbirdbadges.canary.document.v1"
    topic = topics.CREDENTIAL_DOCUMENTS

    document: str = Field(description="the signed credential as JSON; it has no page and no entry in a status list")
