"""What is set of aiokafka under its private names is what the library goes by."""

from time import monotonic
from types import SimpleNamespace
from typing import Any

from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import Fetcher, FetchResult
from aiokafka.consumer.subscription_state import SubscriptionState

from libs.common import kafka_client


async def test_partitions_are_fetched_together_once_all_that_was_fetched_is_taken() -> None:
    full, empty = TopicPartition("evidence", 0), TopicPartition("evidence", 1)
    subscriptions = SubscriptionState()
    subscriptions.assign_from_user([full, empty])
    assignment = subscriptions.subscription.assignment
    for tp in (full, empty):
        assignment.state_value(tp).reset_to(0)
    cluster = SimpleNamespace(leader_for_partition=lambda _: 1)
    client: Any = SimpleNamespace(_loop=None, _metadata_max_age_ms=1_000, cluster=cluster)
    fetcher = Fetcher(client, subscriptions)
    consumer: Any = SimpleNamespace(_fetcher=fetcher)
    try:
        kafka_client.fetch_all_partitions(consumer)
        held = FetchResult(full, assignment=assignment, partition_records=[], backoff=fetcher._prefetch_backoff)
        held._created = monotonic() - 0.5
        fetcher._records[full] = held
        assert fetcher._get_actions_per_node(assignment)[0] == []
        del fetcher._records[full]
        ((_, request),) = fetcher._get_actions_per_node(assignment)[0]
        assert len(request.topics[0][1]) == 2
    finally:
        await fetcher.close()
