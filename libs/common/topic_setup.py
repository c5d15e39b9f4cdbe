"""Creates the topics that do not exist yet."""

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError, for_code

from libs.common.settings import Settings
from libs.common.store_access import kafka_options
from libs.contracts.topics import TOPICS


async def create_topics(settings: Settings) -> list[str]:
    """Create the topics that do not exist yet and return their names; existing ones stay as they are.

    Raises:
        KafkaError: the broker refused a topic for a reason other than that it exists.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap, **kafka_options(settings))
    await admin.start()
    try:
        response = await admin.create_topics(
            [NewTopic(t.name, t.partitions, settings.kafka_replication_factor, topic_configs=t.config) for t in TOPICS]
        )
    finally:
        await admin.close()
    created = []
    for name, code, *_message in response.topic_errors:
        error = for_code(code)
        if code == 0:
            created.append(name)
        elif error is not TopicAlreadyExistsError:
            raise error(f"topic {name} could not be created")
    return created
