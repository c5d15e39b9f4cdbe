"""The topics of the system, their partitions, retention and compaction."""

from dataclasses import dataclass
from datetime import timedelta

PARTITIONS = 12
# A credential waits for what is read of `evidence.submitted`, and nobody for what follows from it.
_WAIT, _LONG_WAIT = timedelta(milliseconds=200), timedelta(milliseconds=500)
# Parts of its retention in which a partition begins a segment: each costs the broker open files.
_SEGMENTS = 15


@dataclass(frozen=True)
class Topic:
    """One topic as the setup step creates it.

    Attributes:
        kept: how long a record stays, at least; None means compacted: the last record of each key stays.
        restricted: holds personal data or secrets' hashes; read by our own services alone.
        for_partners: part of what partners read: its events are a public contract.
        wait: of a topic that carries a record or more for each award or upload: how long consumers wait for some more,
            which is better than to take each; nothing where each is taken at once.
        tombstones_kept: of a compacted one: how long a tombstone stays at least, so that a consumer that was
            stopped, or restored from an older backup, learns of an erasure.
        stamped_by_broker: its records have the time at which the broker took them; those of others have the sender's.
    """

    name: str
    holds: str
    kept: timedelta | None
    partitions: int = PARTITIONS
    restricted: bool = False
    for_partners: bool = False
    wait: timedelta = timedelta()
    tombstones_kept: timedelta = timedelta(days=7)
    stamped_by_broker: bool = False
    largest_bytes: int = 1024 * 1024

    @property
    def kept_at_most(self) -> timedelta | None:
        """How long a record can stay: the broker deletes whole segments, by the newest record in each."""
        return None if self.kept is None else self.kept + self.kept / _SEGMENTS

    @property
    def compression(self) -> str:
        """How the broker stores the records. Our producers send zstd, which some clients of partners cannot read."""
        return "gzip" if self.for_partners else "producer"

    @property
    def config(self) -> dict[str, str]:
        """The broker's settings for this topic, times in milliseconds."""
        common = {"max.message.bytes": str(self.largest_bytes), "compression.type": self.compression}
        if self.compression == "gzip":
            common["compression.gzip.level"] = "1"
        if self.stamped_by_broker:
            common["message.timestamp.type"] = "LogAppendTime"
        if self.kept is None:
            return common | {
                "cleanup.policy": "compact",
                "delete.retention.ms": str(_milliseconds(self.tombstones_kept)),
                # What was erased or taken down must not stay in a segment that is not full for long.
                "max.compaction.lag.ms": str(_milliseconds(timedelta(days=1))),
            }
        return common | {
            "cleanup.policy": "delete",
            "retention.ms": str(_milliseconds(self.kept)),
            # Else the broker's default decides, a week, for which a quiet partition keeps its oldest records longer.
            "segment.ms": str(_milliseconds(self.kept / _SEGMENTS)),
        }


def _milliseconds(span: timedelta) -> int:
    return int(span.total_seconds() * 1000)


EVIDENCE_SUBMITTED = Topic(
    "evidence.submitted.v1", "one piece of evidence, or its withdrawal", timedelta(days=14), wait=_WAIT
)
EVIDENCE_BULK = Topic("evidence.bulk.v1", "one piece of evidence of a large file", EVIDENCE_SUBMITTED.kept, wait=_WAIT)
EVIDENCE_BATCHES = Topic(
    "evidence.batches.v1",
    "what the evidence service stores of uploads, sealed",
    timedelta(days=14),
    restricted=True,
    wait=_LONG_WAIT,
)
EVIDENCE_DECIDED = Topic(
    "evidence.decided.v1", "the decision on a piece of evidence", timedelta(days=14), wait=_LONG_WAIT
)
CREDENTIAL_COMMANDS = Topic(
    "credential.commands.v1", "what the issuer's API asks its workers to do", timedelta(days=14)
)
CREDENTIAL_LIFECYCLE = Topic(
    "credential.lifecycle.v1",
    "public events about credentials, thin",
    timedelta(days=90),
    for_partners=True,
    wait=_LONG_WAIT,
)
CREDENTIAL_DOCUMENTS = Topic("credential.documents.v1", "signed documents and their state", None, wait=_LONG_WAIT)
CATALOGUE = Topic(
    "catalogue.v1",
    "issuer profiles, DID documents, achievement versions, the signed list of issuers",
    None,
    partitions=1,
    for_partners=True,
    largest_bytes=2 * 1024 * 1024,  # the list
)
STATUS_LISTS = Topic("status.lists.v1", "signed status list credentials", None)
LEARNER_CONTACTS = Topic(
    "learner.contacts.v1",
    "names and addresses of learners",
    None,
    restricted=True,
    # A backup that is older brings back whoever was erased longer ago (services/notifier/contacts/erasures.py).
    tombstones_kept=timedelta(days=400),
    # A tombstone tells no moment itself, and whoever sends it may have any clock.
    stamped_by_broker=True,
)
ISSUER_SETTINGS = Topic(
    "issuer.settings.v1", "what is set for issuers and nobody else needs to know", None, partitions=1
)
ACCESS_KEYS = Topic("access.keys.v1", "hashes and rights of API keys", None, partitions=1, restricted=True)
ACCESS_USE = Topic("access.use.v1", "when API keys were last used", None, partitions=1, restricted=True)
SIGNING_KEYS = Topic(
    "signing.keys.v1", "signing keys of issuers, sealed, and their states", None, partitions=1, restricted=True
)
BROKER_CLOCK = Topic(
    "broker.clock.v1",
    "nothing: a record is sent to be told the broker's time",
    timedelta(days=2),
    stamped_by_broker=True,
)
STORE_MOMENTS = Topic(
    "store.moments.v1", "of which moment each service's database is", None, partitions=1, restricted=True
)

# A dead letter holds another record in base64.
LARGEST_LETTER_BYTES = 2 * 1024 * 1024
SERVICES = ("evidence", "issuer", "verifier", "notifier")
DEAD_LETTERS = {
    service: Topic(
        f"dead-letters.{service}.v1",
        f"records that {service} could not process",
        timedelta(days=90),
        partitions=1,
        restricted=True,
        largest_bytes=LARGEST_LETTER_BYTES,
    )
    for service in SERVICES
}
SENT_AGAIN = {
    service: Topic(
        f"sent-again.{service}.v1",
        f"records that operators send again to one consumer of {service}",
        timedelta(days=14),
        partitions=1,
        restricted=True,
        wait=_LONG_WAIT,  # read beside other topics, whose fetches it must not change
        largest_bytes=LARGEST_LETTER_BYTES,
    )
    for service in SERVICES
}
AUDIT_KEPT = timedelta(days=14)
AUDIT_ENTRIES = {
    service: Topic(
        f"audit.{service}.v1",
        f"entries of the audit log of {service}, as they were written",
        AUDIT_KEPT,
        partitions=1,
        restricted=True,
        largest_bytes=LARGEST_LETTER_BYTES,  # it may name all credentials of a batch
    )
    for service in SERVICES
}

TOPICS: tuple[Topic, ...] = (
    EVIDENCE_SUBMITTED,
    EVIDENCE_BULK,
    EVIDENCE_BATCHES,
    EVIDENCE_DECIDED,
    CREDENTIAL_COMMANDS,
    CREDENTIAL_LIFECYCLE,
    CREDENTIAL_DOCUMENTS,
    CATALOGUE,
    STATUS_LISTS,
    LEARNER_CONTACTS,
    ISSUER_SETTINGS,
    ACCESS_KEYS,
    ACCESS_USE,
    SIGNING_KEYS,
    BROKER_CLOCK,
    STORE_MOMENTS,
    *DEAD_LETTERS.values(),
    *SENT_AGAIN.values(),
    *AUDIT_ENTRIES.values(),
)
