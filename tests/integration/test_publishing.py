"""Publishing while connections are reset: nothing lost, nothing doubled, no order broken within a key."""

import asyncio
import itertools
import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import aiokafka.client
import pytest
from aiokafka import ConsumerRecord
from aiokafka.conn import AIOKafkaConnection, create_conn
from aiokafka.errors import MessageSizeTooLargeError

from deploy.embedded.stack import Stack
from libs.common.kafka import Kafka
from libs.common.settings import Settings
from libs.common.telemetry import new_trace
from libs.common.topic_reading import reading
from libs.contracts import topics
from libs.contracts.cloudevents import Outgoing, readable_headers
from libs.contracts.events import CredentialDocument, LearnerContact
from tests.connection_resets import Proxy, as_a_service
from tests.ids import IDS, event_id
from tests.topic_reading import Ends, ends_of, everything_on

pytestmark = pytest.mark.integration

NOW = datetime(2026, 11, 27, 9, tzinfo=UTC)
KEYS = 40
ROUNDS = 60
_TIMES = itertools.count(1)


@pytest.fixture
def settings(infrastructure: Stack) -> Settings:
    return Settings(kafka_bootstrap=infrastructure.kafka_bootstrap)


def changes(learners: list[UUID]) -> list[Outgoing]:
    """One contact of each learner, later than all before."""
    return [
        Outgoing(
            LearnerContact(
                learner_id=learner, issuer_id="reset", changed_at=NOW + timedelta(seconds=next(_TIMES)), name="é" * 200
            ),
            new_trace(),
        )
        for learner in learners
    ]


@pytest.fixture
def before(settings: Settings) -> Ends:
    """Where the topic ends before a test; other tests have left records on it that nobody can unpack."""
    return asyncio.run(ends_of(settings.kafka_bootstrap, [topics.LEARNER_CONTACTS]))


async def on_the_topic(settings: Settings, learners: list[UUID], since: Ends) -> list[ConsumerRecord]:
    ours = {str(each).encode() for each in learners}
    everything = await everything_on(settings.kafka_bootstrap, topics.LEARNER_CONTACTS, since)
    return [record for record in everything if record.key in ours]


def test_batches_under_resets_are_on_the_topic_once_and_in_order(
    settings: Settings, before: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    learners = [uuid4() for _ in range(KEYS)]
    sent: list[Outgoing] = []
    with Proxy(settings.kafka_bootstrap) as proxy:

        async def through_the_proxy(host: str, _port: int, **options: Any) -> AIOKafkaConnection:
            return await create_conn(host, proxy.port, **options)

        async def reset_again_and_again() -> None:
            chance = random.Random(20261127)
            while True:
                await asyncio.sleep(chance.uniform(0.005, 0.08))
                proxy.reset()

        async def work() -> None:
            kafka = Kafka(settings, "evidence", IDS.event_id)
            await kafka.start()
            resetting = asyncio.create_task(reset_again_and_again())
            async with asyncio.timeout(240):
                for _ in range(ROUNDS):
                    # Two publishers of one process at once, each with every key more than once.
                    first, second = ([*changes(half), *changes(half)] for half in (learners[::2], learners[1::2]))
                    sent.extend(first + second)
                    await asyncio.gather(kafka.publish(first), kafka.publish(second))
                    await asyncio.sleep(0.01)
            resetting.cancel()
            assert kafka.problem() is None
            await kafka.stop()

        monkeypatch.setattr(aiokafka.client, "create_conn", through_the_proxy)
        as_a_service(work)
        monkeypatch.undo()
    records = asyncio.run(on_the_topic(settings, learners, before))
    counted = Counter(readable_headers(record.headers)["ce_id"] for record in records)
    assert counted == Counter(event_id(each.event) for each in sent)
    assert set(counted.values()) == {1}
    for learner in learners:
        in_order = [readable_headers(r.headers)["ce_sequence"] for r in records if r.key == str(learner).encode()]
        assert in_order == sorted(in_order)


async def test_what_fills_several_batches_of_one_partition_stays_in_order(settings: Settings, before: Ends) -> None:
    learner = uuid4()
    kafka = Kafka(settings, "evidence", IDS.event_id)
    await kafka.start()
    await kafka.publish(changes([learner] * 3000))
    await kafka.stop()
    records = await on_the_topic(settings, [learner], before)
    moments = [LearnerContact.model_validate_json(record.value).changed_at for record in records]
    assert len(moments) == 3000
    assert moments == sorted(moments)


async def test_a_record_too_large_for_any_topic_is_refused_before_anything_is_sent(
    settings: Settings, before: Ends
) -> None:
    learner, text = uuid4(), "x" * topics.LARGEST_LETTER_BYTES
    large = CredentialDocument(credential_id=learner, issuer_id="reset", state="active", document=text, changed_at=NOW)
    kafka = Kafka(settings, "evidence", IDS.event_id)
    await kafka.start()
    with pytest.raises(MessageSizeTooLargeError):
        await kafka.publish([*changes([learner]), Outgoing(large, new_trace())])
    await kafka.publish(changes([learner]))
    await kafka.stop()
    assert len(await on_the_topic(settings, [learner], before)) == 1


async def test_a_reader_fetches_nothing_while_only_ends_are_asked_for(settings: Settings, before: Ends) -> None:
    kafka = Kafka(settings, "evidence", IDS.event_id)
    await kafka.start()
    await kafka.publish(changes([uuid4() for _ in range(40)]))
    async with reading(kafka, topics.LEARNER_CONTACTS) as reader:
        ends = await reader.ends()
        assert await reader._consumer.getmany(timeout_ms=1000) == {}
        assert not reader._consumer._fetcher._records
        assert sum([len(each) async for each in reader.events(before, ends)]) == 40
    await kafka.stop()
