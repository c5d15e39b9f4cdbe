"""Checks the topics that keep the last record of each key against the stores, in flat memory: an index on the disk."""

import sqlite3
import tempfile
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Final, Self

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
    MailDomainsSet,
    OrganisationPublished,
)
from libs.contracts.rights import AUDITED

_COMPARED: Final = (
    AchievementPublished,
    ApiKeyGranted,
    CredentialDocument,
    IssuerPublished,
    LearnerContact,
    MailDomainsSet,
    OrganisationPublished,
)
"""Contracts of which the stores hold exactly one for each key: the last."""

_KEY_BYTES: Final = 16
# Of all partitions together; opened, a record takes several times its bytes.
_AT_ONCE: Final = 2000


class TopicIndex:
    """What the last record of each key says, by digests, in a file that goes when it is closed."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="bowerbird-audit-")
        self._rows = sqlite3.connect(Path(self._folder.name) / "index")
        self._rows.execute("PRAGMA journal_mode = OFF")
        self._rows.execute("CREATE TABLE last (key BLOB PRIMARY KEY, says BLOB, at REAL, name TEXT) WITHOUT ROWID")

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

    def take(self, event: Event) -> tuple[bytes, float] | None:
        """Return what the last record of this event's key says, and of when it is; from then on it is forgotten."""
        key = _key(event.destination.name, event.key)
        found: tuple[bytes, float] | None = self._rows.execute(
            "DELETE FROM last WHERE key = ? RETURNING says, at", (key,)
        ).fetchone()
        return found

    def left(self, before: datetime) -> Iterable[str]:
        """Return the names of what nobody took and was published before then."""
        for (name,) in self._rows.execute("SELECT name FROM last WHERE at < ?", (before.timestamp(),)):
            yield name


async def differences(
    settings: Settings, kinds: Sequence[Kind], index: TopicIndex, settled: datetime
) -> AsyncIterator[Difference]:
    """Yield what topics lack of the stores, and say beyond them; what changed after `settled` is on its way.

    Raises:
        KafkaError: the brokers do not answer.
    """
    async for topic, records in _everything(settings):
        index.note(topic, records)
    for kind in kinds:
        async for some in kind.events():
            for event in some:
                if not isinstance(event, _COMPARED):
                    continue
                found = index.take(event)
                current = found is not None and found[0] == _says(event)
                moved = found is not None and found[1] > settled.timestamp()
                if not current and not moved and event.time < settled:
                    yield Difference("topics_lack", _name(event), ((kind.publisher, event),))
    for name in index.left(settled):
        yield Difference("topics_exceed", name)


async def _everything(settings: Settings) -> AsyncIterator[tuple[str, list[tuple[str, Event | None]]]]:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka_bootstrap,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        **kafka_options(settings),
    )
    await consumer.start()
    try:
        partitions = await partitions_of(settings, AUDITED)
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
        return key, None
    event = read_event(readable_headers(record.headers), record.value)
    return (key, event) if isinstance(event, _COMPARED) else None


def _key(topic: str, key: str) -> bytes:
    return sha256(f"{topic} {key}".encode()).digest()[:_KEY_BYTES]


def _says(event: Event) -> bytes:
    """Return a digest of what an event says that must be the same in the stores."""
    if isinstance(event, LearnerContact):
        # Of a name that came without an address nobody is told.
        text = event.email or ""
    elif isinstance(event, CredentialDocument):
        text = f"{event.state} {event.document or ''}"
    else:
        text = event.model_dump_json()
    return sha256(text.encode()).digest()[:_KEY_BYTES]


def _name(event: Event) -> str:
    return f"{event.destination.name} {event.key}"
