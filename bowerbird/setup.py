"""`bowerbird setup`: create indexes, then topics. Services wait for topics, so none runs without its unique indexes."""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import TypeVar

from aiokafka.errors import KafkaError
from pymongo.errors import PyMongoError

from bowerbird.registry import NAMES, find
from libs.access import repository as access
from libs.audit import log as audit
from libs.common import mongo
from libs.common.settings import Settings
from libs.common.topic_setup import create_topics

T = TypeVar("T")

_TRY_AGAIN_SECONDS = 0.5


async def set_up(settings: Settings, patience_seconds: float) -> list[str]:
    """Create what does not exist yet and return the names of the topics created; doing it again changes nothing.

    Raises:
        TimeoutError: MongoDB or Kafka did not answer in time; the text says which, and what was the matter.
    """
    give_up_at = monotonic() + patience_seconds
    await _patiently(lambda: _create_indexes(settings), "MongoDB (BOWERBIRD_MONGO_URL)", give_up_at)
    return await _patiently(
        lambda: create_topics(settings.kafka_bootstrap, settings.kafka_replication_factor),
        f"Kafka at {settings.kafka_bootstrap} (BOWERBIRD_KAFKA_BOOTSTRAP)",
        give_up_at,
    )


async def _create_indexes(settings: Settings) -> None:
    client = mongo.connect(settings.mongo_url.get_secret_value(), "bowerbird-setup")
    try:
        for name in NAMES:
            await mongo.create_indexes(client[name], [*find(name).indexes, *audit.INDEXES, *access.INDEXES])
    finally:
        await mongo.close(client)


async def _patiently(step: Callable[[], Awaitable[T]], where: str, give_up_at: float) -> T:
    while True:
        try:
            return await step()
        except (PyMongoError, KafkaError, OSError) as error:
            if monotonic() > give_up_at:
                raise TimeoutError(f"{where} did not answer in time: {type(error).__name__}") from error
            await asyncio.sleep(_TRY_AGAIN_SECONDS)
