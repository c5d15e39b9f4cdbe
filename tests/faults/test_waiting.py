"""SIGKILL between the steps in which evidence and commands that waited are done: nothing lost, nothing doubled."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from deploy.embedded.stack import Stack
from libs.common.failpoints import Name, Order, write_orders
from libs.contracts.cloudevents import Origin, Outgoing, encode
from services.issuer.credentials.waiting_commands import Command
from tests.faults import promises
from tests.faults.hurried import order_file
from tests.faults.scenario import Keeper
from tests.faults.school import SchoolClient, expected_of, make_rows
from tests.ids import IDS, commands_of, revocation
from tests.issuer_doubles import TRACE

pytestmark = [pytest.mark.integration, pytest.mark.fault]

_OF_EVIDENCE: tuple[Name, ...] = ("issuer.award.5", "issuer.waiting.1", "issuer.waiting.2")
_OF_COMMANDS: Name = "issuer.waiting_commands.1"
POINTS: tuple[Name, ...] = (*_OF_EVIDENCE, _OF_COMMANDS)


def until(school: SchoolClient, batch_id: str, holds: Callable[[Any], bool]) -> Any:
    give_up_at = time.monotonic() + 120
    while True:
        batch = school.batch(batch_id)
        promises.numbers_add_up(batch)
        if holds(batch):
            return batch
        assert time.monotonic() < give_up_at, batch
        time.sleep(0.1)


@pytest.mark.parametrize("point", _OF_EVIDENCE)
def test_killed_while_what_waited_is_decided_each_piece_is_decided_once_more(stack: Stack, point: Name) -> None:
    name = f"waiting-{POINTS.index(point)}"
    rows = make_rows(700, seed=5)
    expected = expected_of(rows)
    with Keeper(stack):
        school = SchoolClient(stack, name, publish=False)
        (batch_id,) = school.send(rows, len(rows), mailed_one_in=1_000)
        waiting = until(school, batch_id, lambda batch: batch["counts"]["waiting"] == len(rows))
        assert not waiting["complete"]
        write_orders(order_file(stack, "issuer"), [Order(point, passing=2)])
        school.publish()
        done = until(school, batch_id, lambda batch: batch["complete"])
        # The last pieces are announced before their waiting is ended.
        with promises.databases(stack) as client:
            while client["issuer"]["waiting"].count_documents({"issuer_id": name}):
                time.sleep(0.1)
    assert not order_file(stack, "issuer").exists(), f"{point} was not passed"
    assert {state: done["counts"][state] for state in expected.counts()} == expected.counts()
    with promises.databases(stack) as client:
        decisions = list(client["issuer"]["decisions"].find({"issuer_id": name}, {"outcome": 1, "sequence": 1}))
        credentials = [str(each["_id"]) for each in client["issuer"]["credentials"].find({"issuer_id": name})]
    assert Counter(each["sequence"] for each in decisions) == {1: len(rows), 2: len(rows)}
    assert Counter(each["outcome"] for each in decisions if each["sequence"] == 2) == expected.counts()
    assert len(credentials) == len(set(credentials)) == expected.issued


async def send_command(stack: Stack, command: Command) -> None:
    record = encode(Outgoing(command, TRACE), Origin("http://127.0.0.1", "issuer", IDS.event_id))
    producer = AIOKafkaProducer(bootstrap_servers=stack.kafka_bootstrap, acks="all")
    await producer.start()
    try:
        await producer.send_and_wait(record.topic, record.value, record.key, headers=record.headers)
    finally:
        await producer.stop()


def test_killed_while_a_command_that_waited_for_its_credential_is_applied_it_is_applied(stack: Stack) -> None:
    rows = make_rows(20, seed=5)
    with Keeper(stack), promises.databases(stack) as client:
        school, issuer = SchoolClient(stack, "waiting-command"), client["issuer"]
        (batch_id,) = school.send(rows, len(rows), mailed_one_in=1_000)
        until(school, batch_id, lambda batch: batch["complete"])
        held = issuer["credentials"].find_one_and_delete({"issuer_id": school.id})
        assert held is not None
        command = revocation(commands_of(stack), held["_id"], school.id, datetime.now(UTC))
        asyncio.run(send_command(stack, command))

        def wait_for(waiting: int) -> None:
            give_up_at = time.monotonic() + 120
            while issuer["waiting_commands"].count_documents({}) != waiting:
                assert time.monotonic() < give_up_at
                time.sleep(0.1)

        wait_for(1)
        write_orders(order_file(stack, "issuer"), [Order(_OF_COMMANDS)])
        issuer["credentials"].insert_one(held)
        wait_for(0)
        ended = issuer["credentials"].find_one({"_id": held["_id"]})
    assert not order_file(stack, "issuer").exists(), f"{_OF_COMMANDS} was not passed"
    assert ended is not None
    assert (ended["state"], ended["revocation_reason"]) == ("revoked", "wrong_learner")
