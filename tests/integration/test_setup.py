"""The setup step on the real stores: how long topics are kept, every declared index, durable writes."""

from datetime import timedelta

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from bowerbird.registry import NAMES, find
from deploy.embedded.stack import Stack
from libs.common import mongo
from libs.contracts import topics

pytestmark = pytest.mark.integration

# How long each topic is kept in days, None where it is compacted.
KEPT = {
    "evidence.submitted.v1": 14,
    "evidence.bulk.v1": 14,
    "evidence.batches.v1": 14,
    "evidence.decided.v1": 14,
    "credential.commands.v1": 14,
    "credential.lifecycle.v1": 90,
    "credential.documents.v1": None,
    "catalogue.v1": None,
    "status.lists.v1": None,
    "learner.contacts.v1": None,
    "issuer.settings.v1": None,
    "access.keys.v1": None,
    "access.use.v1": None,
    "signing.keys.v1": None,
    "broker.clock.v1": 2,
    "store.moments.v1": None,
    **{f"dead-letters.{service}.v1": 90 for service in NAMES},
    **{f"sent-again.{service}.v1": 14 for service in NAMES},
    **{f"audit.{service}.v1": 14 for service in NAMES},
}
# Keys that are few: one order for all of them is worth more than a share for each replica.
ONE_PARTITION = {
    "signing.keys.v1",
    "catalogue.v1",
    "issuer.settings.v1",
    "access.keys.v1",
    "access.use.v1",
    "store.moments.v1",
    *(f"dead-letters.{service}.v1" for service in NAMES),
    *(f"sent-again.{service}.v1" for service in NAMES),
    *(f"audit.{service}.v1" for service in NAMES),
}
# Not every client reads the zstd that our producers send.
FOR_PARTNERS = {"credential.lifecycle.v1", "catalogue.v1"}


async def test_topics_have_the_partitions_retention_and_compression_of_the_design(
    infrastructure: Stack,
) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=infrastructure.kafka_bootstrap)
    await admin.start()
    try:
        described = await admin.describe_topics(list(KEPT))
        asked = [ConfigResource(ConfigResourceType.TOPIC, name) for name in KEPT]
        (answer,) = await admin.describe_configs(asked)
    finally:
        await admin.close()
    assert {topic.name for topic in topics.TOPICS} == set(KEPT)
    partitions = {each["topic"]: len(each["partitions"]) for each in described}
    assert partitions == {name: 1 if name in ONE_PARTITION else 12 for name in KEPT}
    for _code, _message, _kind, name, entries in answer.resources:
        config = {entry[0]: entry[1] for entry in entries}
        days = KEPT[name]
        assert config["compression.type"] == ("gzip" if name in FOR_PARTNERS else "producer"), name
        assert config["compression.gzip.level"] == ("1" if name in FOR_PARTNERS else "-1"), name
        assert config["cleanup.policy"] == ("compact" if days is None else "delete"), name
        stamped = "LogAppendTime" if name in {"broker.clock.v1", "learner.contacts.v1"} else "CreateTime"
        assert config["message.timestamp.type"] == stamped, name
        if days is not None:
            assert timedelta(milliseconds=int(config["retention.ms"])) == timedelta(days=days), name
            assert int(config["segment.ms"]) * 15 == int(config["retention.ms"]), name
        else:
            tombstones = timedelta(days=400 if name == "learner.contacts.v1" else 7)
            assert timedelta(milliseconds=int(config["delete.retention.ms"])) == tombstones, name


@pytest.mark.parametrize("service", NAMES)
async def test_every_index_that_a_service_declares_is_there(infrastructure: Stack, service: str) -> None:
    client = mongo.connect(infrastructure.mongo_url, "test")
    for declared in find(service).indexes:
        there = await client[service][declared.collection].index_information()
        assert declared.model().document["name"] in there
    await mongo.close(client)


async def test_a_write_is_acknowledged_by_a_majority_with_its_journal(infrastructure: Stack) -> None:
    client = mongo.connect(infrastructure.mongo_url, "test")
    assert client["evidence"]["rows"].write_concern.document == {"w": "majority", "j": True}
    await mongo.close(client)
