"""Marks: for each partition of what this service publishes, the offset below which all of it is in the database.

1. Read where the topics end.
2. Prove that the database did not go back, and write those ends down as marks, in one transaction.

Whatever is published was recorded before, so what stood below the ends in 1 was in the database by then; in 2 it still
is. Killed between the two, the marks stay where they were, and a start reads a little more.
"""

from collections.abc import Iterable, Sequence

from aiokafka import TopicPartition

from libs.common.kafka import Kafka
from libs.common.positions import Position, Positions
from libs.common.topic_reading import Ends, reading
from libs.contracts import topics
from libs.contracts.topics import Topic

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
        self._kept: Ends = {}

    async def read(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """Return the marks of those of these partitions that have one."""
        found = await self._positions.read(_GROUP, list(partitions))
        return {tp: position.offset for tp, position in found.items()}

    async def keep(self, ends: Ends) -> None:
        """Write these down.

        Raises:
            WentBackError: the database was set back beneath this process.
        """
        await self._positions.keep(_GROUP, {tp: Position(end) for tp, end in ends.items()})

    async def advance(self) -> float:
        """Go through the steps once; return the seconds until the next time."""
        async with reading(self._kafka, *TOPICS) as reader:
            ends = await reader.ends()  # 1
        await self.keep({tp: end for tp, end in ends.items() if self._kept.get(tp) != end})  # 2
        self._kept = ends
        return _EVERY_SECONDS
