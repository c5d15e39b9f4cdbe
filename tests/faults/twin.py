"""The undisturbed run: a stack that goes on from a copy of both stores, as they were at the moment of a loss."""

import asyncio
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from deploy.embedded.stack import Stack
from libs.contracts import topics
from libs.contracts.cloudevents import read_event, readable_headers
from libs.contracts.events import EvidenceDecided
from services.issuer.decision_ids import DecisionId
from services.issuer.decisions.keys import decision_key
from tests.faults.by_design import Loss
from tests.faults.everything import Everything
from tests.faults.hurried import hurry
from tests.faults.picture import Picture
from tests.faults.promises import databases
from tests.faults.scenario import SERVICES
from tests.topic_reading import everything_on

_STORES: Final = ("mongodb", "kafka")
_KEPT: Final = ("mongodb", "kafka", "mail", "secrets")


@dataclass(frozen=True)
class Undisturbed:
    """What came of a run that lost nothing; and how far it had come when the other lost a store.

    Attributes:
        all: what its stores hold at rest.
        seen: what everybody saw of it.
        loss: the moment at which the two part.
    """

    all: Everything
    seen: Picture
    loss: Loss


def published(stack: Stack, moment: datetime) -> Loss:
    """Return how far things have come by what is on Kafka; nothing went on after this moment."""
    documents, decided = (
        asyncio.run(everything_on(stack.kafka_bootstrap, topic))
        for topic in (topics.CREDENTIAL_DOCUMENTS, topics.EVIDENCE_DECIDED)
    )
    events = (read_event(readable_headers(each.headers), each.value) for each in decided)
    decisions = (
        decision_key(DecisionId(each.batch_id, each.row, each.sequence))
        for each in events
        if isinstance(each, EvidenceDecided)
    )
    return Loss(moment, frozenset(each.key.decode() for each in documents), frozenset(decisions))


def stored(stack: Stack) -> Loss:
    """Return how far things have come by what is in MongoDB; nothing goes on any more."""
    with databases(stack) as client:
        credentials, decisions = (
            [each["_id"] for each in client["issuer"][name].find({}, {"_id": 1})]
            for name in ("credentials", "decisions")
        )
    return Loss(datetime.now(UTC), frozenset(map(str, credentials)), frozenset(map(bytes, decisions)))


@contextmanager
def undisturbed(stack: Stack) -> Iterator[Stack]:
    """Run everything on a copy of what a stack keeps, at its addresses: it has the same keys, and publishes as it does.

    The stack's own processes are stopped for as long. Afterwards its stores run again, with what they kept, and none of
    its services.
    """
    stack.stop(*SERVICES, "smtp", *_STORES)
    copy = stack.layout.var.with_name(f"{stack.layout.var.name}-undisturbed")
    shutil.rmtree(copy, ignore_errors=True)
    for name in _KEPT:
        shutil.copytree(stack.layout.var / name, copy / name)
    with Stack(copy, stack.layout.offset) as twin:
        hurry(twin)
        twin.start("smtp", *_STORES)
        twin.start(*SERVICES)
        yield twin
    shutil.rmtree(copy)
    stack.start("smtp", *_STORES)
