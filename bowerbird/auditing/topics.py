"""Checks the topics that keep the last record of each key against the stores, in flat memory: an index on the disk."""

import sqlite3
import tempfile
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, Self
from uuid import UUID

from aiokafka import AIOKafkaConsumer, ConsumerRecord

from bowerbird.auditing.difference import Difference
from bowerbird.backups.places import partitions_of
from bowerbird.publications import Kind
from libs.common.settings import Settings
from libs.common.store_access import kafka_options
from libs.common.topic_reading import records_until
from libs.contracts.cloudevents import read_event, readable_headers
from libs.contracts.events import (
    AchievementPublished,
    ApiKeyGranted,
    CredentialDocument,
    Event,
    IssuerPublished,
    LearnerContact,
    LearnerContactEnded,
    LearnerErased,
    MailDomainsSet,
    OrganisationPublished,
    SigningKeySealed,
)
from libs.contracts.rights import AUDITED
from libs.contracts.topics import LEARNER_CONTACTS, SIGNING_KEYS, Topic
from services.issuer.credentials.credential import CredentialState

_COMPARED: Final = (
    AchievementPublished,
    ApiKeyGranted,
    CredentialDocument,
    IssuerPublished,
    LearnerContact,
    LearnerErased,
    MailDomainsSet,
    OrganisationPublished,
)
"""Contracts of which the stores hold exactly one for each key: the last."""

_KEY_BYTES: Final = 16
# Of all partitions together; opened, a record takes several times its bytes.
_AT_ONCE: Final = 2000


class Last(NamedTuple):
    """The last record of a key: what it says, as a digest, and of when it is, in seconds since 1970."""

    says: bytes
    at: float


class TopicIndex:
    """What the last record of each key says, by digests, in a file that goes when it is closed."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="bowerbird-audit-")
        self._rows = sqlite3.connect(Path(self._folder.name) / "index")
        self._rows.execute("PRAGMA journal_mode = OFF")
        self._rows.execute("CREATE TABLE last (key BLOB PRIMARY KEY, says BLOB, at REAL, name TEXT) WITHOUT ROWID")
        self._rows.execute("CREATE TABLE ended (key BLOB PRIMARY KEY, rank INT, event TEXT) WITHOUT ROWID")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._rows.close()
        self._folder.cleanup()

    def note(self, topic: str, records: Iterable[tuple[str, Event | None]]) -> None:
        """Take records, each with its key, in the order of their partition; None is a tombstone."""
        last = {_key(topic, key): event for key, event in records}
        self._rows.executemany(
            "DELETE FROM last WHERE key = ?", [(key,) for key, event in last.items() if event is None]
        )
        told = [
            (key, _says(each), each.time.timestamp(), _name(each)) for key, each in last.items() if each is not None
        ]
        self._rows.executemany("INSERT OR REPLACE INTO last VALUES (?, ?, ?, ?)", told)
        ended = [
            (key, CredentialState(each.state).rank, each.model_dump_json())
            for key, each in last.items()
            if isinstance(each, CredentialDocument) and each.state != "active"
        ]
        self._rows.executemany(
            "INSERT INTO ended VALUES (?, ?, ?) ON CONFLICT DO UPDATE"
            " SET rank = excluded.rank, event = excluded.event WHERE excluded.rank > rank",
            ended,
        )

    def take(self, event: Event) -> Last | None:
        """Return the last record of this event's key; from then on it is forgotten."""
        key = _key(event.destination.name, event.key)
        found = self._rows.execute("DELETE FROM last WHERE key = ? RETURNING says, at", (key,)).fetchone()
        return None if found is None else Last(*found)

    def taken_back(self, event: Event) -> Difference | None:
        """Return that the stores say less of a credential's end than was published of it, which holds.

        An end is stored before it is published, so none is on its way.
        """
        if not isinstance(event, CredentialDocument):
            return None
        wanted = _key(event.destination.name, event.key), CredentialState(event.state).rank
        found = self._rows.execute("SELECT event FROM ended WHERE key = ? AND rank > ?", wanted).fetchone()
        ended = None if found is None else CredentialDocument.model_validate_json(found[0])
        return None if ended is None else Difference("topics_exceed", _name(event), ended=ended)

    def left(self, before: datetime) -> Iterable[tuple[str, Last]]:
        """Return the names of what nobody took and was published before then, each with what it is."""
        rows = self._rows.execute("SELECT name, says, at FROM last WHERE at < ?", (before.timestamp(),))
        for name, says, at in rows:
            yield name, Last(says, at)


async def differences(
    settings: Settings, kinds: Sequence[Kind], index: TopicIndex, settled: datetime
) -> AsyncIterator[Difference]:
    """Yield what topics lack of the stores, and say beyond them; what changed after `settled` is on its way.

    Raises:
        KafkaError: the brokers do not answer.
    """
    async for topic, records in _everything(settings, AUDITED):
        index.note(topic, records)
    for kind in kinds:
        async for some in kind.events():
            for event in some:
                if not isinstance(event, _COMPARED):
                    continue
                last = index.take(event)
                difference = index.taken_back(event) or difference_of(event, kind.publisher, last, settled)
                if difference is not None:
                    yield difference
    for name, last in index.left(settled):
        difference = left_over(name, last)
        if difference is not None:
            yield difference


def difference_of(event: Event, publisher: str, last: Last | None, settled: datetime) -> Difference | None:
    """Return in what a topic differs from what the stores say; None where it does not, or a change is on its way.

    Args:
        event: what the stores say.
        publisher: whose event it is.
        last: the last record of its key; None where there is none.
        settled: what changed since is on its way.
    """
    if event.time >= settled or (last is not None and last.at > settled.timestamp()):
        return None
    if last is None:
        # By then the broker may have removed the tombstone.
        ended = isinstance(event, LearnerErased) and event.time < settled - LEARNER_CONTACTS.tombstones_kept
        return None if ended else Difference("topics_lack", _name(event), ((publisher, event),))
    if last.says == _says(event) or (isinstance(event, LearnerErased) and last.says == ENDED):
        return None
    if isinstance(event, LearnerErased) and last.at > event.time.timestamp():
        return Difference("topics_exceed", _name(event))  # a contact that was given since, and is not there
    if isinstance(event, LearnerContact) and last.says == ERASED and last.at >= event.time.timestamp():
        return Difference("topics_exceed", _name(event), (_erasure(event.learner_id, last.at),))
    return Difference("topics_lack", _name(event), ((publisher, event),))


def left_over(name: str, last: Last) -> Difference | None:
    """Return in what a topic says more than the stores hold, of a record of this name; the end of a life says none."""
    if last.says == ENDED:
        return None
    # An erasure comes into the ledger where it is read again, also one of a version that kept none.
    repair = (_erasure(UUID(name.rpartition(" ")[2]), last.at),) if last.says == ERASED else ()
    return Difference("topics_exceed", name, repair)


def _erasure(learner_id: UUID, at: float) -> tuple[str, Event]:
    return "notifier", LearnerErased(learner_id=learner_id, erased_at=datetime.fromtimestamp(at, UTC))


async def key_copies(settings: Settings) -> list[SigningKeySealed]:
    """Return every sealed copy of a signing key, in the order of their topic.

    Raises:
        KafkaError: the brokers do not answer.
    """
    return [
        event
        async for _, records in _everything(settings, [SIGNING_KEYS])
        for _, event in records
        if isinstance(event, SigningKeySealed)
    ]


async def _everything(
    settings: Settings, read: Sequence[Topic]
) -> AsyncIterator[tuple[str, list[tuple[str, Event | None]]]]:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka_bootstrap,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        **kafka_options(settings),
    )
    await consumer.start()
    try:
        partitions = await partitions_of(settings, read)
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        async for taken in records_until(consumer, ends, _AT_ONCE):
            for place, records in taken.items():
                yield place.topic, [each for record in records if (each := _read(record)) is not None]
    finally:
        await consumer.stop()


def _read(record: ConsumerRecord) -> tuple[str, Event | None] | None:
    """Return a record's key and event; None for one that is not compared."""
    key = (record.key or b"").decode(errors="replace")
    if record.value is None:
        return key, _erased(record, key) if record.topic == LEARNER_CONTACTS.name else None
    event = read_event(readable_headers(record.headers), record.value)
    return (key, event) if isinstance(event, (*_COMPARED, LearnerContactEnded, SigningKeySealed)) else None


def _erased(tombstone: ConsumerRecord, key: str) -> LearnerErased | None:
    """Return what a tombstone says of a learner; None where its key names nobody."""
    with suppress(ValueError):
        erased_at = datetime.fromtimestamp(max(0, tombstone.timestamp) / 1000, UTC)
        return LearnerErased(learner_id=UUID(key), erased_at=erased_at)
    return None


def _key(topic: str, key: str) -> bytes:
    return _digest(f"{topic} {key}")


def _digest(text: str) -> bytes:
    return sha256(text.encode()).digest()[:_KEY_BYTES]


ERASED: Final = _digest("erased")
"""What a tombstone of a learner says, and what takes its place."""
ENDED: Final = _digest("ended")
"""What the end of a contact's life says."""


def _says(event: Event) -> bytes:
    """Return a digest of what an event says that must be the same in the stores."""
    if isinstance(event, LearnerErased):
        return ERASED
    if isinstance(event, LearnerContactEnded):
        return ENDED
    if isinstance(event, LearnerContact):
        # Of a name that came without an address nobody is told.
        text = event.email or ""
    elif isinstance(event, CredentialDocument):
        text = f"{event.state} {event.document or ''}"
    else:
        text = event.model_dump_json()
    return _digest(text)


def _name(event: Event) -> str:
    return f"{event.destination.name} {event.key}"
