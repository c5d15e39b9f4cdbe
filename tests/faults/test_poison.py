"""Records that nobody should have sent, between good ones: they are set aside as they came, the rest is done."""

import asyncio

import pytest
from aiokafka import AIOKafkaProducer

from deploy.embedded.stack import Stack
from libs.contracts import topics
from tests.faults.promises import dead_letters
from tests.faults.scenario import Scenario
from tests.ids import event_id

pytestmark = [pytest.mark.integration, pytest.mark.fault]

TYPE = ("ce_type", b"org.bowerbirdbadges.evidence.submitted.v1")
POISON: list[tuple[bytes | None, list[tuple[str, bytes | None]]]] = [
    (b"\x00\xff not json", [TYPE]),
    (b"{}", [TYPE]),
    (b"[" * 100_000, [TYPE]),
    (b'{"x": "' + b"a" * 900_000 + b'"}', [TYPE]),
    (b"{}", [TYPE, *[("", b"")] * 100_000]),
    (b'{"submission_id": "a"}', [("ce_type", b"\xff\xfe")]),
    (b"{}", [("ce_type", None)]),
    (b"{}", []),
    (b"{}", [("ce_type", b"com.example.evidence.submitted.v1")]),
]
# Of a version that is not there yet: skipped, and no dead letter.
NEWER: tuple[bytes, list[tuple[str, bytes | None]]] = (
    b"{}",
    [("ce_type", b"org.bowerbirdbadges.evidence.submitted.v99")],
)


async def send_poison(stack: Stack) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=stack.kafka_bootstrap, acks="all")
    await producer.start()
    for partition in range(topics.PARTITIONS):
        for value, headers in [*POISON, NEWER]:
            await producer.send_and_wait(
                topics.EVIDENCE_SUBMITTED.name, value, b"poison", partition=partition, headers=headers
            )
    await producer.stop()


def test_poison_is_set_aside_and_a_newer_type_skipped_and_neither_stops_anything(stack: Stack) -> None:
    before = len(dead_letters(stack, "issuer"))
    scenario = Scenario(stack, "poisoned", seed=41)
    scenario.run(lambda: asyncio.run(send_poison(stack)), 2)
    scenario.count().kept()
    letters = dead_letters(stack, "issuer")[before:]
    assert len({event_id(letter) for letter in letters}) == 2 * topics.PARTITIONS * len(POISON)
    assert {letter.reason for letter in letters} == {"breaks_contract", "no_type", "unknown_type"}
