"""Keeps names and addresses no longer than the notifier needs to read them from their topic.

Where its group stood behind the end of the topic at some moment, all that was published before has been read. So the
ends are noted, and once the group has committed as much, what was published before is removed here: within a minute or
two, or, where the notifier is stopped, when it has come back.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from aiokafka import TopicPartition

from libs.common.group_progress import GroupProgress
from libs.common.kafka import Kafka
from libs.contracts.rights import CONTACTS_GROUP
from libs.contracts.topics import LEARNER_CONTACTS
from services.evidence.batches.submissions import SentSubmissions

_EVERY_SECONDS: Final = 10.0
# From when rows are stamped until their contacts are confirmed: a chunk is tried for a minute.
_MARGIN: Final = timedelta(minutes=2)


@dataclass(frozen=True)
class _Mark:
    """Where a topic ended at a moment; the topic by its id."""

    at: datetime
    topic: str
    ends: Mapping[TopicPartition, int]


class ContactArrival:
    """Watches how far the notifier has read the topic of contacts."""

    def __init__(self, kafka: Kafka, sent: SentSubmissions, clock: Callable[[], datetime]) -> None:
        self._kafka = kafka
        self._progress = GroupProgress(kafka, CONTACTS_GROUP, LEARNER_CONTACTS)
        self._sent = sent
        self._clock = clock
        self._topic: str | None = None
        self._mark: _Mark | None = None

    async def topic(self) -> str:
        """Return the id of the topic, as it was some seconds ago.

        Raises:
            KafkaError: the brokers are unavailable.
        """
        return await self._read_topic() if self._topic is None else self._topic

    async def tick(self) -> float:
        """Remove what the notifier has read; return the seconds until the next time.

        Raises:
            KafkaError: the brokers are unavailable.
            PyMongoError: the database is unavailable.
        """
        topic = await self._read_topic()
        if self._mark is not None and self._mark.topic != topic:
            self._mark = None
        if self._mark is not None and await self._progress.has_reached(self._mark.ends):
            await self._sent.remove_contacts(topic, self._mark.at - _MARGIN)
            self._mark = None
        if self._mark is None and await self._sent.has_contacts():
            self._mark = _Mark(self._clock(), topic, await self._progress.ends())
        return _EVERY_SECONDS

    async def _read_topic(self) -> str:
        # The broker in memory has no ids.
        self._topic = (await self._kafka.topics.ids([LEARNER_CONTACTS.name])).get(LEARNER_CONTACTS.name, "")
        return self._topic
