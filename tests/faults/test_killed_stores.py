"""SIGKILL of MongoDB and of Kafka, and a MongoDB that refuses writes, while evidence is on its way."""

import contextlib
import time

import pytest
from pymongo import MongoClient
from pymongo.errors import AutoReconnect

from deploy.embedded.stack import Stack
from tests.faults.scenario import Scenario

pytestmark = [pytest.mark.integration, pytest.mark.fault]


def test_killing_mongodb_loses_nothing_and_doubles_nothing(stack: Stack) -> None:
    scenario = Scenario(stack, "killed-mongodb", seed=21)
    scenario.run(lambda: stack.restart("mongodb"), 2)
    scenario.count().kept()


def test_killing_kafka_loses_nothing_and_doubles_nothing(stack: Stack) -> None:
    scenario = Scenario(stack, "killed-kafka", seed=22)
    scenario.run(lambda: stack.restart("kafka"), 2)
    scenario.count().kept()


def test_a_mongodb_that_refuses_writes_for_a_while_only_delays(stack: Stack) -> None:
    def refuse_writes() -> None:
        # The only member steps down: it answers reads and refuses writes until it may stand for election again.
        with MongoClient[dict[str, object]](stack.mongo_url) as client, contextlib.suppress(AutoReconnect):
            client.admin.command("replSetStepDown", 8, force=True)
        time.sleep(8)

    scenario = Scenario(stack, "refused-writes", seed=23)
    scenario.run(refuse_writes, 1)
    scenario.count().kept()
