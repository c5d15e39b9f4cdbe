"""Synthetic learners go through all four services beside real ones, and are counted, published and told of nowhere."""

import asyncio
import re

import httpx
import pytest
from pymongo import MongoClient

from deploy.embedded.stack import Stack
from libs.contracts import topics
from libs.contracts.events import Canary
from tests.e2e.conftest import FirstRun
from tests.topic_reading import everything_on
from tests.waiting import eventually

pytestmark = pytest.mark.integration

STAGES = {"evidence": {"sent", "returned"}, "issuer": {"decided"}, "verifier": {"verified"}, "notifier": {"notified"}}


def seen(stack: Stack, service: str) -> dict[str, float]:
    """How many came to each stage of a service."""
    metrics = httpx.get(stack.metrics_url(service), trust_env=False).text
    found = re.findall(r'^bowerbird_canary_seconds_count\{stage="(\w+)"\} (\S+)$', metrics, re.MULTILINE)
    return {stage: float(count) for stage, count in found}


def test_every_stage_sees_them(stack: Stack) -> None:
    for service, stages in STAGES.items():
        eventually(lambda: {name for name, count in seen(stack, service).items() if count > 1} == stages, 60)  # noqa: B023  # at once


def test_nothing_of_them_is_kept_but_when_they_were_seen(stack: Stack, first_run: FirstRun) -> None:
    test_every_stage_sees_them(stack)
    with MongoClient[dict[str, object]](stack.mongo_url) as client:
        for service, stages in STAGES.items():
            assert {each["_id"] for each in client[service]["canary"].find()} == stages
        issuers = {
            issuer
            for database, collection in (
                ("evidence", "batches"),
                ("issuer", "decisions"),
                ("issuer", "credentials"),
                ("issuer", "waiting"),
                ("verifier", "documents"),
                ("notifier", "deliveries"),
            )
            for issuer in client[database][collection].distinct("issuer_id")
        }
    assert issuers
    assert "synthetic" not in issuers


def test_partners_are_told_of_none_and_a_compacted_topic_has_few_keys(stack: Stack, first_run: FirstRun) -> None:
    for topic in topics.TOPICS:
        keys = {record.key for record in asyncio.run(everything_on(stack.kafka_bootstrap, topic))}
        synthetic = {key for key in keys if key is not None and key.startswith(Canary.key_prefix.encode())}
        inner = topic in {topics.EVIDENCE_SUBMITTED, topics.EVIDENCE_DECIDED, topics.CREDENTIAL_DOCUMENTS}
        assert bool(synthetic) == inner, topic.name
        assert len(synthetic) <= topics.PARTITIONS
