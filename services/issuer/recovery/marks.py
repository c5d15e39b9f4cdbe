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
from services.issuer.recovery.refilled import Refilled

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

    def __init__(self, positions: Positions, kafka: Kafka, refilled: Refilled) -> None:
        self._positions = positions
        self._kafka = kafka
        self._refilled = refilled
        self._kept: dict[TopicPartition, Position] = {}
        self._made_anew: set[str] = set()
        self._cut_back: set[str] = set()
        self._told: set[str] = set()

    async def since(self, ends: Ends, ids: Mapping[str, str]) -> Ends | None:
        """Return the marks of those of these partitions that have one; None where they are of a topic that is gone.

        Args:
            ends: of the topic as it is now.
            ids: of topics, by name, asked for before its ends.
        """
        found = await self._positions.read(_GROUP, list(ends))
        if self._gone(found, ends, ids):
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
        gone = self._gone(self._kept, ends, reader.ids)
        await self.tell_lacking(reader.ids)
        await self.keep({tp: end for tp, end in ends.items() if tp.topic not in gone}, reader.ids)  # 2
        return _EVERY_SECONDS

    async def tell_lacking(self, ids: Mapping[str, str]) -> None:
        """Count, and log once, the topics that this process found gone and that nobody has filled since.

        One that was cut back has the id that it had, so that no note tells when it was filled: the next start is told
        of it no more.

        Args:
            ids: of topics as they are now, by name.
        """
        lacking = set(self._cut_back)
        if self._made_anew:
            filled = await self._refilled.topic_ids()
            lacking |= {each for each in self._made_anew if ids.get(each) not in filled}
        metrics.ANOTHER_TOPIC.set(len(lacking))
        if lacking - self._told:
            get_logger().error("topics were lost and made anew; run `bowerbird republish`", topics=sorted(lacking))
        self._told = lacking

    def _gone(self, marks: Mapping[TopicPartition, Position], ends: Ends, ids: Mapping[str, str]) -> set[str]:
        """Return the topics that are not those in which these marks were taken, and remember them."""
        gone = {tp: tp.topic for tp in marks if tp in ends and not marks[tp].is_within(ends[tp], ids.get(tp.topic))}
        cut_back = {topic for tp, topic in gone.items() if marks[tp].is_of(ids.get(topic))}
        self._cut_back |= cut_back
        self._made_anew |= set(gone.values()) - cut_back
        return set(gone.values())
