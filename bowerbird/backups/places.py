"""Where topics end and consumer groups stand, asked of Kafka."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Final

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.structs import TopicPartition

from bowerbird.backups.manifest import Places
from libs.common.positions import Position
from libs.common.settings import Settings
from libs.common.store_access import kafka_admin_options, kafka_options
from libs.common.topic_states import TopicStates
from libs.contracts.rights import SERVICES
from libs.contracts.topics import BROKER_CLOCK, LEARNER_CONTACTS, STORE_MOMENTS, TOPICS, Topic

_OURS: Final = tuple(rights.groups for rights in SERVICES.values())
# Services write on them what they need anew.
_MISSED_BY_NOBODY: Final = {BROKER_CLOCK.name, STORE_MOMENTS.name}


async def places(settings: Settings) -> Places:
    """Return them as they are now, the groups first.

    Raises:
        KafkaError: the brokers do not answer, or refuse.
    """
    groups, ids = await _groups(settings), await topic_ids(settings)
    return Places(ends=(await span(settings))[1], groups=groups, topic_ids=ids)


async def topic_ids(settings: Settings) -> dict[str, str]:
    """Return the ids of those of our topics that there are and that have one.

    Raises:
        KafkaError: the brokers do not answer, or refuse.
    """
    return await TopicStates(kafka_admin_options(settings)).ids([topic.name for topic in TOPICS])


async def span(settings: Settings) -> tuple[dict[str, dict[int, int]], dict[str, dict[int, int]]]:
    """Return of each of our topics that there is the first offset of each partition, and the end offset.

    Raises:
        KafkaError: the brokers do not answer, or refuse.
    """
    partitions = await partitions_of(settings, TOPICS)
    if not partitions:
        # Brokers whose disk was lost. A consumer that is stopped before it has waited for anything ends this task.
        return {}, {}
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka_bootstrap, **kafka_options(settings))
    await consumer.start()
    try:
        first = await consumer.beginning_offsets(partitions)
        return _by_topic(first), _by_topic(await consumer.end_offsets(partitions))
    finally:
        await consumer.stop()


async def partitions_of(settings: Settings, topics: Sequence[Topic]) -> list[TopicPartition]:
    """Return the partitions of those of these topics that there are.

    Raises:
        KafkaError: the brokers do not answer, or refuse.
    """
    async with _admin(settings) as admin:
        there = set(await admin.list_topics())
        described = await admin.describe_topics([topic.name for topic in topics if topic.name in there])
        return [
            TopicPartition(topic["topic"], each["partition"]) for topic in described for each in topic["partitions"]
        ]


@asynccontextmanager
async def _admin(settings: Settings) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap, **kafka_options(settings))
    try:
        await admin.start()
        yield admin
    finally:
        await admin.close()


async def _groups(settings: Settings) -> dict[str, dict[str, dict[int, int]]]:
    async with _admin(settings) as admin:
        every = {name for name, *_ in await admin.list_consumer_groups() if name.startswith(_OURS)}
        found = {}
        for name in sorted(every):
            committed = await admin.list_consumer_group_offsets(name)
            found[name] = _by_topic({place: meta.offset for place, meta in committed.items() if meta.offset >= 0})
        return found


def _by_topic(offsets: Mapping[TopicPartition, int]) -> dict[str, dict[int, int]]:
    found: dict[str, dict[int, int]] = {}
    for place in sorted(offsets):
        found.setdefault(place.topic, {})[place.partition] = offsets[place]
    return found


def lost_since(
    noted: Places,
    first: Mapping[str, Mapping[int, int]],
    ends: Mapping[str, Mapping[int, int]],
    ids: Mapping[str, str],
    *,
    with_ledger: bool,
) -> Sequence[str]:
    """Return, a sentence each, what a replay from these noted places on cannot bring back; what nothing fills first.

    Args:
        noted: those of the backup.
        first: as of `span`, now.
        ends: the same.
        ids: of topics, now.
        with_ledger: whether the backup has the ledger of erasures: then every erasure since is in it, and published.
    """
    told = []
    for topic in sorted(noted.ends.keys() - _MISSED_BY_NOBODY, key=lambda name: (_compacted(name), name)):
        if topic not in ends:
            told.append(f"{topic} is not there: `bowerbird setup` makes it, `bowerbird republish` fills it")
        elif any(
            not Position(end, topic_id=noted.topic_ids.get(topic)).is_within(ends[topic].get(number, 0), ids.get(topic))
            for number, end in noted.ends[topic].items()
        ):
            told.append(f"{topic} was made anew since: {_refilled(topic, with_ledger=with_ledger)}")
    for group, topics in noted.groups.items():
        for topic, offsets in topics.items():
            gone = sum(max(0, first.get(topic, {}).get(number, 0) - offset) for number, offset in offsets.items())
            if gone and not _compacted(topic):
                told.append(f"{topic}: {gone} records that {group} has to read again have ended their life")
    return told


def erasures_ended_since(moment: datetime, now: datetime) -> Sequence[str]:
    """Return, as a sentence, that erasures since a backup of this moment may have ended their life on Kafka."""
    kept = LEARNER_CONTACTS.tombstones_kept
    if now - moment < kept:
        return []
    return [f"{LEARNER_CONTACTS.name}: erasures are kept for {kept.days} days; erase again whoever was erased before"]


def _refilled(name: str, *, with_ledger: bool) -> str:
    """Return what comes back on a topic that was made anew after a backup, by `bowerbird republish`."""
    if name == LEARNER_CONTACTS.name and not with_ledger:
        return "erasures before that may not be on it; erase again whoever was erased since this backup"
    if _compacted(name):
        return "`bowerbird republish` fills it from the stores as they were then"
    return "what stood on it is gone, and so is what followed from it in the stores since this backup"


def _compacted(name: str) -> bool:
    return any(topic.name == name and topic.kept is None for topic in TOPICS)
