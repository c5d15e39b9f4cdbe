"""The consumer loop on a real broker: what is lost, what is done twice, what stops a partition (nothing)."""

import asyncio
import base64
import os
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID, uuid4

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaConnectionError
from pydantic import SecretStr
from pymongo.errors import AutoReconnect

from bowerbird import dead_letters as dead_letters_command
from deploy.embedded.stack import Stack
from libs.common import metrics
from libs.common.assignments import Assignments, Brokers
from libs.common.consumer import Consumer
from libs.common.kafka import Kafka, is_transient
from libs.common.settings import Settings
from libs.common.store_access import kafka_admin_options
from libs.common.telemetry import new_trace
from libs.common.topic_states import TopicStates
from libs.contracts import topics
from libs.contracts.cloudevents import Origin, Outgoing, Received, headers_of
from libs.contracts.events import DeadLetter, LearnerContact
from tests.ids import IDS
from tests.positions_in_memory import MemoryPositions
from tests.topic_reading import everything_on
from tests.waiting import async_eventually

pytestmark = pytest.mark.integration

# Of all groups here; they outlive a consumer, as the database does.
POSITIONS = MemoryPositions()
NOW = datetime(2026, 10, 12, 9, tzinfo=UTC)


def contact(number: int) -> LearnerContact:
    return LearnerContact(learner_id=UUID(int=number), issuer_id="northside", changed_at=NOW)


@pytest.fixture
def settings(infrastructure: Stack) -> Settings:
    return Settings(kafka_bootstrap=infrastructure.kafka_bootstrap, mongo_url=SecretStr(infrastructure.mongo_url))


class Seen:
    """A handler that remembers what it was given, and fails as it is told."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.poison: set[str] = set()
        self.away = 0

    async def __call__(self, batch: Sequence[Received[LearnerContact]]) -> Sequence[Outgoing]:
        await asyncio.sleep(0)
        if self.away:
            self.away -= 1
            raise AutoReconnect("the database is away")
        if self.poison & {received.key for received in batch}:
            raise KeyError("a record that we did not foresee")
        self.keys += [received.key for received in batch]
        return []


def consumer_of(kafka: Kafka, name: str, seen: Seen, max_records: int, member: int = 1) -> Consumer[LearnerContact]:
    return Consumer(
        kafka,
        service="notifier",
        name=name,
        topics=[topics.LEARNER_CONTACTS, topics.SENT_AGAIN["notifier"]],
        contracts=[LearnerContact],
        handle=seen,
        max_records=max_records,
        positions=POSITIONS,
        member=member,
    )


@asynccontextmanager
async def consuming(settings: Settings, name: str, seen: Seen, max_records: int = 50) -> AsyncIterator[Kafka]:
    kafka = Kafka(settings, "notifier", IDS.event_id)
    consumer = consumer_of(kafka, name, seen, max_records)
    await kafka.start()
    task = asyncio.create_task(consumer.run())
    try:
        yield kafka
    finally:
        await consumer.stop(10)
        await task
        await kafka.stop()


async def send_contacts(settings: Settings, count: int) -> list[str]:
    """Publish contacts of fresh learners; returns their keys."""
    contacts = [contact(uuid4().int) for _ in range(count)]
    kafka = Kafka(settings, "evidence", IDS.event_id)
    await kafka.start()
    await kafka.publish([Outgoing(each, new_trace()) for each in contacts])
    await kafka.stop()
    return [each.key for each in contacts]


async def dead_letters(settings: Settings, consumer: str) -> list[DeadLetter]:
    records = await everything_on(settings.kafka_bootstrap, topics.DEAD_LETTERS["notifier"])
    letters = [DeadLetter.model_validate_json(record.value) for record in records]
    return [letter for letter in letters if letter.consumer == consumer]


async def dead_letters_come(settings: Settings, consumer: str, *reasons: str) -> None:
    """Return once this consumer has set aside a record for each of these reasons."""
    async with asyncio.timeout(60):
        found: Counter[str] = Counter()
        while not Counter(reasons) <= found:
            found = Counter(each.reason for each in await dead_letters(settings, consumer))


async def failed_letters(settings: Settings, consumer: str) -> list[DeadLetter]:
    return [each for each in await dead_letters(settings, consumer) if each.reason == "processing_failed"]


async def committed(settings: Settings, group: str) -> int:
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap)
    await admin.start()
    try:
        offsets = await admin.list_consumer_group_offsets(group)
        return sum(max(0, each.offset) for each in offsets.values())
    finally:
        await admin.close()


async def test_a_record_that_fails_alone_goes_to_the_dead_letters_and_the_rest_is_done(settings: Settings) -> None:
    seen = Seen()
    keys = await send_contacts(settings, 120)
    seen.poison = {keys[7], keys[80]}
    async with consuming(settings, "poison", seen):
        await async_eventually(lambda: set(keys) - seen.poison <= set(seen.keys))
        await dead_letters_come(settings, "notifier-poison", "processing_failed", "processing_failed")
    letters = await failed_letters(settings, "notifier-poison")
    assert {base64.b64decode(letter.record_key or "").decode() for letter in letters} == seen.poison


async def test_what_is_sent_again_reaches_the_consumer_that_set_it_aside_once_and_no_other(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BOWERBIRD_KAFKA_BOOTSTRAP", settings.kafka_bootstrap)
    monkeypatch.setenv("BOWERBIRD_MONGO_URL", settings.mongo_url.get_secret_value())
    seen, other = Seen(), Seen()
    (key,) = seen.poison = set(await send_contacts(settings, 1))
    async with consuming(settings, "again", seen), consuming(settings, "beside", other):
        await dead_letters_come(settings, "notifier-again", "processing_failed")
        await async_eventually(lambda: key in other.keys)
        seen.poison = set()
        sending = partial(dead_letters_command.send_again, "notifier", consumer="notifier-again")
        assert await asyncio.to_thread(sending, dry_run=True) == 0
        assert "would be sent to notifier-again: learner.contacts.v1/" in capsys.readouterr().out
        assert await asyncio.to_thread(sending) == 0
        await async_eventually(lambda: key in seen.keys)
        assert await asyncio.to_thread(sending) == 0
        assert "nothing is to be sent" in capsys.readouterr().out
        keys = await send_contacts(settings, 1)
        await async_eventually(lambda: set(keys) <= set(seen.keys) & set(other.keys))
    assert (seen.keys.count(key), other.keys.count(key)) == (1, 1)
    assert metrics.SENT_AGAIN.labels("notifier-again")._value.get() == 1
    assert metrics.SENT_AGAIN.labels("notifier-beside")._value.get() == 0
    (letter,) = await failed_letters(settings, "notifier-again")
    place = f"{letter.source_topic}/{letter.partition}/{letter.offset}"
    assert await asyncio.to_thread(dead_letters_command.show, "notifier", place) == 0
    told = capsys.readouterr().out
    assert '"reason": "processing_failed"' in told
    assert '"value"' not in told
    assert await asyncio.to_thread(dead_letters_command.list_letters, "notifier", as_json=True) == 0
    assert place in capsys.readouterr().out


async def test_the_oldest_record_of_a_topic_is_known_without_reading_it(settings: Settings) -> None:
    topic = topics.Topic(f"aged-{uuid4().hex}", "records of several ages", None, partitions=2)
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(topic.name, 2, 1)])
    await admin.close()
    async with consuming(settings, "aged", Seen()) as kafka:
        assert await kafka.oldest(topic) is None
        producer = AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap)
        await producer.start()
        for partition, moment in ((0, NOW), (1, NOW - timedelta(days=3)), (1, NOW)):
            at = int(moment.timestamp() * 1000)
            await producer.send_and_wait(topic.name, b"x", partition=partition, timestamp_ms=at)
        await producer.stop()
        assert await kafka.oldest(topic) == NOW - timedelta(days=3)


async def test_each_broker_tells_its_time(settings: Settings) -> None:
    async with consuming(settings, "clocks", Seen()) as kafka:
        before = datetime.now(UTC)
        told = {name: await ask() for name, ask in (await kafka.clocks()).items()}
        assert list(told) == ["kafka-1"]
        moment = told["kafka-1"]
        assert moment is not None
        # In whole milliseconds, by the clock of this very machine.
        assert before - timedelta(milliseconds=1) <= moment <= datetime.now(UTC)


async def test_bad_headers_cost_no_record_and_an_unreadable_one_is_kept_as_it_came(settings: Settings) -> None:
    seen = Seen()
    good = contact(uuid4().int)
    headers = headers_of(Outgoing(good, new_trace()), Origin("http://test", "evidence", IDS.event_id))
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap, acks="all")
    await producer.start()
    topic, key = topics.LEARNER_CONTACTS.name, good.key.encode()
    body = good.model_dump_json().encode()
    await producer.send_and_wait(topic, body, key, headers=[("x-null", None), ("x-bad", b"\xff\xfe"), *headers])
    await producer.send_and_wait(topic, b"\x00not json", b"\xff", headers=[*headers, ("x-bad", b"\xff")])
    await producer.send_and_wait(topic, body, key, headers=[("x-bad", b"\xff")])
    await producer.stop()
    async with consuming(settings, "headers", seen):
        await async_eventually(lambda: good.key in seen.keys)
        await dead_letters_come(settings, "notifier-headers", "breaks_contract", "no_type")
    letters = await dead_letters(settings, "notifier-headers")
    assert {"breaks_contract", "no_type"} == {letter.reason for letter in letters}
    broken = next(letter for letter in letters if letter.reason == "breaks_contract")
    assert base64.b64decode(broken.record_value or "") == b"\x00not json"
    assert ("x-bad", base64.b64encode(b"\xff").decode()) in broken.record_headers


# The compiled half of aiokafka insists on plain str, so another process sends without it.
SEND_NOT_UTF8 = """
import asyncio, sys
from aiokafka import AIOKafkaProducer

class NotUtf8(str):
    def encode(self, *_):
        return bytes([0xff, 0xfe, 0x80])

async def main(bootstrap, topic):
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all") as producer:
        for partition in (2, 7):
            await producer.send_and_wait(topic, b"{}", b"x", partition=partition, headers=[(NotUtf8("bad"), b"x")])

asyncio.run(main(*sys.argv[1:]))
"""


async def test_a_record_that_cannot_be_unpacked_is_set_aside_and_costs_no_other_record(settings: Settings) -> None:
    seen = Seen()
    keys = await send_contacts(settings, 100)
    sending = [sys.executable, "-c", SEND_NOT_UTF8, settings.kafka_bootstrap, topics.LEARNER_CONTACTS.name]
    plain = {**os.environ, "AIOKAFKA_NO_EXTENSIONS": "1"}
    await asyncio.to_thread(subprocess.run, sending, env=plain, check=True, timeout=120)
    keys += await send_contacts(settings, 100)
    async with consuming(settings, "unpack", seen, max_records=30):
        await async_eventually(lambda: set(keys) <= set(seen.keys))
        await dead_letters_come(settings, "notifier-unpack", "cannot_be_unpacked", "cannot_be_unpacked")
    letters = [each for each in await dead_letters(settings, "notifier-unpack") if each.reason == "cannot_be_unpacked"]
    # The two may stand at the same offset of their partitions.
    assert sorted(letter.partition for letter in letters) == [2, 7]
    assert len({(letter.partition, letter.offset) for letter in letters}) == 2


async def test_a_database_that_is_away_pauses_and_skips_nothing(settings: Settings) -> None:
    seen = Seen()
    seen.away = 4
    keys = await send_contacts(settings, 30)
    async with consuming(settings, "away", seen):
        await async_eventually(lambda: set(keys) <= set(seen.keys))
    assert not await failed_letters(settings, "notifier-away")


async def test_two_members_and_forced_rebalances_lose_nothing(settings: Settings) -> None:
    first, second = Seen(), Seen()
    keys: list[str] = []
    async with consuming(settings, "rebalance", first, max_records=20):
        keys += await send_contacts(settings, 500)
        for _ in range(3):
            async with consuming(settings, "rebalance", second, max_records=20):
                keys += await send_contacts(settings, 200)
                await asyncio.sleep(1)
        await async_eventually(lambda: set(keys) <= {*first.keys, *second.keys})
    assert not await failed_letters(settings, "notifier-rebalance")


async def test_two_members_in_one_process_share_the_partitions_and_work_side_by_side(settings: Settings) -> None:
    first, second = Seen(), Seen()
    kafka = Kafka(settings, "notifier", IDS.event_id)
    consumers = [consumer_of(kafka, "side-by-side", seen, 50, member) for member, seen in ((1, first), (2, second))]
    assert [each.name for each in consumers] == ["notifier-side-by-side", "notifier-side-by-side-2"]
    assert {each.group for each in consumers} == {"notifier-side-by-side"}
    await kafka.start()
    tasks = [asyncio.create_task(each.run()) for each in consumers]
    keys = set(await send_contacts(settings, 200))
    await async_eventually(lambda: keys <= {*first.keys, *second.keys})
    assert kafka.problem() is None
    for each in consumers:
        await each.stop(10)
    await asyncio.gather(*tasks)
    await kafka.stop()
    assert keys & set(first.keys)
    assert keys & set(second.keys)
    assert await committed(settings, "notifier-side-by-side") > 0


async def test_offsets_are_committed_only_after_the_effects(settings: Settings) -> None:
    seen = Seen()
    await send_contacts(settings, 10)
    async with consuming(settings, "commit", seen):
        await async_eventually(lambda: len(seen.keys) >= 10)
    before = await committed(settings, "notifier-commit")
    seen.away = 1_000_000
    await send_contacts(settings, 10)
    async with consuming(settings, "commit", seen):
        await async_eventually(lambda: seen.away < 999_998)
        assert await committed(settings, "notifier-commit") == before
        seen.away = 0


async def test_the_heart_beats_while_there_is_nothing_to_do(settings: Settings) -> None:
    beats: list[float] = []
    kafka = Kafka(settings, "notifier", IDS.event_id)
    consumer = Consumer(
        kafka,
        service="notifier",
        name="idle",
        topics=[topics.CATALOGUE],
        contracts=[LearnerContact],
        handle=Seen(),
        max_records=10,
        positions=POSITIONS,
    )
    consumer.heartbeat.beat = lambda: beats.append(0.0)  # type: ignore[method-assign]  # counts instead
    await kafka.start()
    task = asyncio.create_task(consumer.run())
    await async_eventually(lambda: len(beats) > 3)
    await consumer.stop(5)
    await task
    await kafka.stop()


async def test_publishing_before_there_is_a_connection_is_an_error_that_may_be_tried_again(settings: Settings) -> None:
    with pytest.raises(KafkaConnectionError) as caught:
        await Kafka(settings, "evidence", IDS.event_id).publish([Outgoing(contact(1), new_trace())])
    assert is_transient(caught.value)


async def test_lag_counts_every_partition_also_while_a_batch_waits(settings: Settings) -> None:
    seen = Seen()
    keys = await send_contacts(settings, 300)
    seen.away = 1_000_000
    kafka = Kafka(settings, "notifier", IDS.event_id)
    consumer = consumer_of(kafka, "lag", seen, max_records=10)
    await kafka.start()
    task = asyncio.create_task(consumer.run())
    await async_eventually(lambda: seen.away < 999_998)
    await consumer.measure_lag()
    gauges = [sample for metric in metrics.LAG_RECORDS.collect() for sample in metric.samples]
    lag = sum(each.value for each in gauges if each.labels["consumer"] == "notifier-lag")
    assert lag >= len(keys)
    assert metrics.LAG_SECONDS.labels("notifier-lag")._value.get() > 0
    await consumer.stop(0.1)
    await task
    await kafka.stop()


async def test_a_topic_that_is_made_anew_is_found_out_and_a_member_too_many_stands_by(settings: Settings) -> None:
    topic = topics.Topic("vanishing.v1", "what a test deletes", None, partitions=1)
    made = [NewTopic(topic.name, topic.partitions, 1)]
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap)
    await admin.start()
    await admin.create_topics(made)
    kafka = Kafka(settings, "notifier", IDS.event_id)
    members = [
        Consumer(
            kafka,
            service="notifier",
            name="vanishing",
            topics=[topic],
            contracts=[LearnerContact],
            handle=Seen(),
            max_records=1,
            positions=POSITIONS,
            member=member,
        )
        for member in (1, 2)
    ]
    brokers = Brokers(TopicStates(kafka_admin_options(settings)), members)
    watch = Assignments(members, brokers.look)
    await kafka.start()
    tasks = [asyncio.create_task(each.run()) for each in members]
    await watch.tick()
    assert sorted(len(each.assigned) for each in members) == [0, 1]
    assert await watch.probe() is None
    await admin.delete_topics([topic.name])
    while topic.name in (await brokers.look()).topics:  # noqa: ASYNC110  # it happens in Kafka, which sets no event
        await asyncio.sleep(0.1)
    async with asyncio.timeout(30):
        # Nothing is judged while the group is given out anew.
        while "topics missing: vanishing.v1" not in (await watch.probe() or ""):
            await watch.tick()
    await admin.create_topics(made)
    while topic.name not in (await brokers.look()).topics:  # noqa: ASYNC110  # as above
        await asyncio.sleep(0.1)
    await watch.tick()
    assert watch.problem() == "vanishing.v1 was deleted and made anew"
    for each in members:
        await each.stop(5)
    await asyncio.gather(*tasks)
    await kafka.stop()
    await admin.delete_topics([topic.name])
    await admin.close()
