"""The topics of the system, their partitions, retention and compaction."""

from dataclasses import dataclass
from datetime import timedelta

PARTITIONS = 12


@dataclass(frozen=True)
class Topic:
    """One topic as the step creates it. `kept=None` means compacted: the last record of each key stays."""

    name: str
    holds: str
    kept: timedelta | None
    partitions: int = PARTITIONS
    restricted: bool = False
    largest_bytes: int = 1024 * 1024

    @property
    def config(self) -> dict[str, str]:
        """The broker's settings for this topic, times in milliseconds."""
        size = {"max.message.bytes": str(self.largest_bytes)}
        if self.kept is None:
            # Tombstones stay a week, so that a consumer that was away learns of an erasure.
            return size | {"cleanup.policy": "compact", "delete.retention.ms": str(_milliseconds(timedelta(days=7)))}
        return size | {"cleanup.policy": "delete", "retention.ms": str(_milliseconds(self.kept))}


def _milliseconds(span: timedelta) -> int:
    return int(span.total_seconds() * 1000)


EVIDENCE_SUBMITTED = Topic("evidence.submitted.v1", "one piece of evidence", timedelta(days=14))
EVIDENCE_DECIDED = Topic("evidence.decided.v1", "the decision on a piece of evidence", timedelta(days=14))
CREDENTIAL_COMMANDS = Topic(
    "credential.commands.v1", "what the issuer's API asks its workers to do", timedelta(days=14)
)
CREDENTIAL_LIFECYCLE = Topic("credential.lifecycle.v1", "public events about credentials, thin", timedelta(days=90))
CREDENTIAL_DOCUMENTS = Topic("credential.documents.v1", "signed documents and their state", None)
CATALOGUE = Topic("catalogue.v1", "issuer profiles, DID documents, achievement versions", None, partitions=1)
STATUS_LISTS = Topic("status.lists.v1", "signed status list credentials", None)
LEARNER_CONTACTS = Topic("learner.contacts.v1", "names and addresses of learners", None, restricted=True)
ACCESS_KEYS = Topic("access.keys.v1", "hashes and rights of API keys", None, partitions=1, restricted=True)

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

TOPICS = (
    EVIDENCE_SUBMITTED,
    EVIDENCE_DECIDED,
    CREDENTIAL_COMMANDS,
    CREDENTIAL_LIFECYCLE,
    CREDENTIAL_DOCUMENTS,
    CATALOGUE,
    STATUS_LISTS,
    LEARNER_CONTACTS,
    ACCESS_KEYS,
    *DEAD_LETTERS.values(),
)
