"""Marks: for each partition of what this service publishes, the offset below which all of it is in the database.

1. Read where the topics end.
2. Prove that the database did not go back, and write those ends down as marks, in one transaction.

Whatever is published was recorded before, so what stood below the ends in 1 was in the database by then; in 2 it still
is. Killed between the two, the marks stay where they were, and a start reads a little more.
"""

from collections.abc import Mapping, Sequence

from aiokafka import TopicPartition

from libs.common.kafka import Kafka
from libs.common.positions import Position, Positions
from libs.common.telemetry import get_logger
from libs.common.topic_reading import Ends, reading
from libs.contracts import topics
from libs.contracts.topics import Topic
from services.issuer.recovery import metrics

TOPICS: Sequence[Topic] = (
    topics.SIGNING_KEYS,
    topics.CATALOGUE,
    topics.CREDENTIAL_DOCUMENTS,
    topics.STATUS_LISTS,
    topics.EVIDENCE_DECIDED,
)
"""What this service publishes and takes up again, in the order in which it does."""

# Under this name the marks stand among the positions of consumer groups; none has it.
_GROUP = "issuer-published"
_EVERY_SECONDS = 5.0


class Marks:
    """The marks, among the positions of this service's database."""

    def __init__(self, positions: Positions, kafka: Kafka) -> None:
        self._positions = positions
        self._kafka = kafka
        self._kept: dict[TopicPartition, Position] = {}

    async def since(self, ends: Ends, ids: Mapping[str, str]) -> Ends | None:
        """Return the marks of those of these partitions that have one; None where they are of a topic that is gone.

        Args:
            ends: of the topic as it is now.
            ids: of topics, by name, asked for before its ends.
        """
        found = await self._positions.read(_GROUP, list(ends))
        if not all(each.is_within(ends[tp], ids.get(tp.topic)) for tp, each in found.items()):
            return None
        return {tp: position.offset for tp, position in found.items()}

    async def keep(self, ends: Ends, ids: Mapping[str, str]) -> None:
        """Write these ends down as marks in the topics of these ids.

        Raises:
            WentBackError: the database was set back beneath this process.
        """
        marks = {tp: Position(end, topic_id=ids.get(tp.topic)) for tp, end in ends.items()}
        await self._positions.keep(_GROUP, {tp: each for tp, each in marks.items() if self._kept.get(tp) != each})
        self._kept |= marks

    async def advance(self) -> float:
        """Go through the steps once; return the seconds until the next time.

        The marks of a topic that is made anew beneath this process stay: they tell the next one.
        """
        async with reading(self._kafka, *TOPICS) as reader:
            ends = await reader.ends()  # 1
        gone = {
            tp.topic
            for tp, mark in self._kept.items()
            if tp in ends and not mark.is_within(ends[tp], reader.ids.get(tp.topic))
        }
        if gone:
            metrics.ANOTHER_TOPIC.set(len(gone))
            get_logger().error("topics were lost and made anew", topics=sorted(gone))
        await self.keep({tp: end for tp, end in ends.items() if tp.topic not in gone}, reader.ids)  # 2
        return _EVERY_SECONDS
