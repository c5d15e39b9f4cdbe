"""The synthetic learner goes the way of real ones, and nothing of it reaches what handles those."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import AnyHttpUrl

from libs.common.canary import OLD, CanaryFailedError, CanaryStages, Stage
from libs.common.health import Health
from libs.common.http import create_app
from libs.common.metrics import CANARY_LAST_SEEN, CANARY_SECONDS
from libs.common.publishing import partition_of
from libs.common.telemetry import new_trace
from libs.common.workers.threads import Threads
from libs.contracts.cloudevents import Origin, Outgoing, Received, encode, read_event, readable_headers
from libs.contracts.events import (
    CANARIES,
    CanaryDecided,
    CanaryDocument,
    CanarySubmitted,
    Event,
    EvidenceDecided,
    Outcome,
)
from libs.contracts.topics import PARTITIONS
from services.evidence.synthetic_learners import SyntheticLearners
from services.issuer.synthetic_awards import SyntheticAwards
from services.verifier.service import ServiceSettings, serve
from services.verifier.verification.synthetic_credentials import SyntheticCredentials
from services.verifier.verification.verifier import Verifier
from tests.ids import IDS
from tests.verifier_doubles import PUBLIC, MemoryRepository, NoRegistries

NOW = datetime(2026, 11, 23, 16, 20, 11, tzinfo=UTC)
ORIGIN = Origin(PUBLIC, "test", IDS.event_id)


def through_kafka(event: Event) -> Event:
    record = encode(Outgoing(event, new_trace()), ORIGIN)
    return read_event(readable_headers(record.headers), record.value)


def verifier(repository: MemoryRepository) -> Verifier:
    settings = ServiceSettings(public_url=AnyHttpUrl(PUBLIC))
    threads = Threads(1, waiting=1, seconds=5)
    app = create_app("verifier", Health(), None)
    return serve(
        app,
        repository,
        settings,
        lambda: NOW,
        strangers=threads,
        pictures=threads,
        registries=NoRegistries(),
    )


async def signed(number: int = 7) -> CanaryDocument:
    submitted = through_kafka(SyntheticLearners(IDS).submitted(number, NOW))
    assert isinstance(submitted, CanarySubmitted)
    following = [through_kafka(each) for each in await SyntheticAwards(IDS, lambda: NOW).award(submitted)]
    document, decided = following
    assert isinstance(document, CanaryDocument)
    assert decided == CanaryDecided(number=number, sent_at=NOW)
    return document


async def test_what_a_synthetic_learner_submits_is_decided_signed_and_verified() -> None:
    document = await signed()
    assert "credentialStatus" not in document.document
    assert await SyntheticCredentials(verifier(MemoryRepository())).verify(document) == []


async def test_a_credential_that_was_changed_on_its_way_comes_no_further() -> None:
    document = await signed()
    changed = document.model_copy(update={"document": document.document.replace('"Sample"', '"Simple"', 1)})
    with pytest.raises(CanaryFailedError, match="proof fail"):
        await SyntheticCredentials(verifier(MemoryRepository())).verify(changed)


def test_the_learners_take_turns_on_all_partitions() -> None:
    keys = [SyntheticLearners(IDS).submitted(number, NOW).key.encode() for number in CANARIES]
    assert sorted(partition_of(key, PARTITIONS) for key in keys) == list(range(PARTITIONS))


class Documents:
    """The collection `canary`, as far as stages write to it."""

    def __init__(self) -> None:
        self.seen: dict[str, datetime] = {}

    def __getitem__(self, _name: str) -> "Documents":
        return self

    async def update_one(self, query: dict[str, str], change: dict[str, Any], *, upsert: bool) -> None:
        assert upsert
        self.seen[query["_id"]] = change["$max"]["seen_at"]


class World:
    """A stage beside a handler of real ones, and what each was given."""

    def __init__(self, stage: str, age: timedelta = timedelta(seconds=2)) -> None:
        self.documents = Documents()
        self.real: list[object] = []
        self.fault: Exception | None = None
        database: Any = self.documents
        stages = CanaryStages(database, lambda: NOW, 60)
        self.handle = stages.beside(Stage(stage, CanaryDecided, self.work), self.apply)
        self.synthetic = CanaryDecided(number=7, sent_at=NOW - age)

    async def apply(self, batch: Sequence[Received[EvidenceDecided]]) -> Sequence[Outgoing]:
        assert batch, "a batch is never empty"
        self.real += [each.event for each in batch]
        return [Outgoing(each.event, each.trace) for each in batch if each.event is not None]

    async def work(self, event: CanaryDecided) -> Sequence[Event]:
        if self.fault is not None:
            raise self.fault
        return [event]


def decided() -> EvidenceDecided:
    evidence = SyntheticLearners(IDS).submitted(1, NOW).evidence
    shared = evidence.model_dump(include={"submission_id", "evidence_id", "batch_id", "row", "source_id", "learner_id"})
    return EvidenceDecided(
        **shared, issuer_id="northside", outcome=Outcome.NOT_YET, rule_version="rules 1", decided_at=NOW
    )


async def test_the_handler_is_given_the_real_ones_alone_and_a_stage_the_synthetic_one() -> None:
    world, real = World("mixed"), decided()
    batch = [Received(each, each.key, new_trace()) for each in (real, world.synthetic)]
    outgoing = await world.handle(batch)
    assert world.real == [real]
    assert [each.event for each in outgoing] == [real, world.synthetic]
    assert outgoing[1].trace == batch[1].trace
    assert world.documents.seen == {"mixed": NOW}
    assert CANARY_LAST_SEEN.labels("mixed")._value.get() == NOW.timestamp()
    assert CANARY_SECONDS.labels("mixed")._sum.get() == 2


async def test_a_batch_of_synthetic_learners_alone_is_not_given_to_the_handler() -> None:
    world = World("alone")
    assert len(await world.handle([Received(world.synthetic, "", new_trace())])) == 1
    assert world.real == []


async def test_one_that_is_old_is_passed_over() -> None:
    world = World("old", age=OLD + timedelta(seconds=1))
    assert await world.handle([Received(world.synthetic, "", new_trace())]) == []
    assert world.documents.seen == {}


async def test_one_that_a_stage_cannot_do_its_part_for_goes_no_further_and_is_not_seen() -> None:
    world = World("failing")
    world.fault = CanaryFailedError("it does not verify")
    assert await world.handle([Received(world.synthetic, "", new_trace())]) == []
    assert world.documents.seen == {}


async def test_where_a_store_is_away_the_batch_waits_as_it_does_for_real_ones() -> None:
    world = World("away")
    world.fault = OSError("away")
    with pytest.raises(OSError, match="away"):
        await world.handle([Received(world.synthetic, "", new_trace())])
