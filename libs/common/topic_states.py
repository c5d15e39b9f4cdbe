"""Topics as the brokers have them, and the ids by which one that was deleted and made anew is told from it.

Asked through librdkafka: aiokafka's own client knows no ids of topics.
"""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from aiokafka.errors import KafkaConnectionError
from confluent_kafka import KafkaError, KafkaException, TopicCollection, Uuid
from confluent_kafka.admin import AdminClient

ANSWER_SECONDS: Final = 5.0
"""How long the brokers have for an answer."""

# What brokers that have none say for a topic's id.
_NONE: Final = str(Uuid(0, 0))


@dataclass(frozen=True)
class TopicState:
    """A topic as the brokers have it; one that was deleted and made anew has another id."""

    id: str
    partitions: int


class TopicStates:
    """Asks the brokers about topics."""

    def __init__(self, options: Mapping[str, str]) -> None:
        """Take librdkafka's options of the connection, which is made with the first question."""
        self._options = options
        self._client: AdminClient | None = None

    @property
    def client(self) -> AdminClient:
        """The connection, for questions of other kinds."""
        if self._client is None:
            self._client = AdminClient(dict[str, Any](self._options, error_cb=_pass, log_level=0))
        return self._client

    async def reload(self) -> None:
        """Connect anew with the next question, so that certificates are read again."""
        self._client = None

    async def read(self, names: Collection[str]) -> dict[str, TopicState]:
        """Return those of these topics that exist.

        Raises:
            KafkaException: the brokers did not answer in time, or may not be asked.
        """
        client = self.client
        asked = client.describe_topics(TopicCollection(sorted(names)), request_timeout=ANSWER_SECONDS)
        topics: dict[str, TopicState] = {}
        try:
            async with asyncio.timeout(2 * ANSWER_SECONDS):
                for name, answer in asked.items():
                    try:
                        topic = await asyncio.wrap_future(answer)
                    except KafkaException as error:
                        if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                            raise
                    else:
                        topics[name] = TopicState(str(topic.topic_id), len(topic.partitions))
        except (KafkaException, TimeoutError) as error:
            # A connection that lost its broker while it was made may never answer again, not even that it is late.
            if self._client is client:
                self._client = None
            if isinstance(error, TimeoutError):
                raise KafkaException(KafkaError(KafkaError._TIMED_OUT)) from None  # noqa: SLF001  # librdkafka's name
            raise
        return topics

    async def ids(self, names: Collection[str]) -> dict[str, str]:
        """Return the ids of those of these topics that exist, and that have one.

        Raises:
            KafkaConnectionError: the brokers did not answer in time, or may not be asked.
        """
        try:
            found = await self.read(names)
        except KafkaException as error:
            raise KafkaConnectionError(f"the ids of topics are not known: {error.args[0].name()}") from error
        return {name: each.id for name, each in found.items() if each.id != _NONE}


def _pass(_error: KafkaError) -> None:
    """What goes wrong is told by the answer that does not come."""
