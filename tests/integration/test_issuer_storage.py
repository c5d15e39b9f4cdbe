"""The issuer's storage on the real MongoDB: all or nothing, one award, places and bits that survive concurrency."""

import asyncio
import base64
import contextlib
import json
import zlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any
from uuid import uuid4

import pytest
from pymongo.errors import DuplicateKeyError, OperationFailure

from deploy.embedded.stack import Stack
from libs.audit.entry import Action, Cause, Entry
from libs.audit.log import AuditLog
from libs.common import mongo
from libs.common.arrivals import Arrivals
from libs.common.errors import ConflictError
from libs.contracts import ids
from libs.contracts.cloudevents import Outgoing, Received
from libs.contracts.events import (
    CredentialDocument,
    CredentialIssued,
    CredentialRevoked,
    CredentialTakenDown,
    EvidenceDecided,
    EvidenceSubmitted,
    IssuerListPublished,
    IssuerPublished,
    Outcome,
    RevokeCredential,
    StatusListPublished,
    Suspension,
    TakeDownCredential,
)
from libs.contracts.reasons import RevocationReason, SuspensionReason, TakeDownReason
from libs.contracts.results import Result, SoloLevel
from libs.openbadges.crypto.did import did_key
from libs.openbadges.crypto.keys import Ed25519Key
from libs.openbadges.model.errors import CredentialError
from libs.openbadges.status.bitstring import MINIMUM_SIZE, StatusList
from libs.openbadges.trust import Party, Registry, read_registry
from services.issuer.catalogue import publications, trial
from services.issuer.catalogue import repository as catalogue_repository
from services.issuer.catalogue.issuers import By, Issuers, Profile
from services.issuer.catalogue.publications import Publications
from services.issuer.catalogue.repository import Catalogue
from services.issuer.catalogue.worker import CatalogueWorker
from services.issuer.credentials import repository as credential_repository
from services.issuer.credentials.announcements import Announcer
from services.issuer.credentials.award import HeldAward
from services.issuer.credentials.credential import Credential, CredentialState, Revocation
from services.issuer.credentials.repository import MongoCredentials
from services.issuer.credentials.requests import ClosingRequest, ClosingRequests, RequestKind
from services.issuer.credentials.signer import CredentialSigner
from services.issuer.credentials.worker import Closing
from services.issuer.decision_ids import PieceId
from services.issuer.decisions import repository as decision_repository
from services.issuer.decisions.decision import Decision, Reason, Waiting
from services.issuer.decisions.repository import MongoDecisions
from services.issuer.decisions.rules import Owner
from services.issuer.decisions.waiting import WaitingEvidence
from services.issuer.decisions.worker import Awarding
from services.issuer.keys import repository as signing_key_store
from services.issuer.keys import states
from services.issuer.keys.encryption import FileKeyEncryption, KeyUnavailableError
from services.issuer.keys.repository import SigningKeyRepository
from services.issuer.keys.rewrapping import Rewrapping
from services.issuer.keys.signing_keys import SigningKeys
from services.issuer.keys.states import KeyState
from services.issuer.mail_domains.repository import MailDomainRepository
from services.issuer.registry.publication import IssuerListPublication
from services.issuer.registry.repository import IssuerListRepository
from services.issuer.renewal.publication import Freshness
from services.issuer.status import metrics
from services.issuer.status import repository as status_repository
from services.issuer.status.allocation import StatusEntryAllocation
from services.issuer.status.entry import StatusEntry
from services.issuer.status.publication import StatusListPublication
from services.issuer.status.repository import StatusListRepository
from services.issuer.urls import Urls
from tests.ids import IDS, event_id
from tests.issuer_doubles import (
    NOW,
    TRACE,
    MemoryAudit,
    MemoryCatalogue,
    MemoryCredentials,
    MemoryDecisions,
    PlainSigner,
    achievement,
    event_ids,
    evidence,
    issuer,
    received,
)

pytestmark = pytest.mark.integration

URLS = Urls("https://badges.example")
FRESHNESS = Freshness(valid_for=timedelta(days=7), ttl=timedelta(seconds=60))

KEK = FileKeyEncryption(bytes(range(32)))


class KilledError(BaseException):
    """Stands for SIGKILL: nothing catches it."""


@dataclass
class World:
    """One database, and all that was published; `worker` is a process of its own upon them."""

    client: mongo.Client
    database: mongo.Database
    published: list[Outgoing] = field(default_factory=list)

    @property
    def credentials(self) -> MongoCredentials:
        return MongoCredentials(self.database)

    @property
    def decisions(self) -> MongoDecisions:
        return MongoDecisions(self.client, self.database, self.credentials)

    async def publish(self, outgoing: Sequence[Outgoing]) -> None:
        await asyncio.sleep(0)
        self.published += outgoing

    def publication(self, clock: Callable[[], datetime] = lambda: NOW, **changes: Any) -> StatusListPublication:
        parts: dict[str, Any] = {
            "revoked": self.credentials,
            "signer": BitsAsText(),
            "publish": self.publish,
            "clock": clock,
            "freshness": FRESHNESS,
        }
        return StatusListPublication(StatusListRepository(self.database), **(parts | changes))

    def entries(self, size: int = MINIMUM_SIZE) -> StatusEntryAllocation:
        lists = StatusListRepository(self.database)
        return StatusEntryAllocation(lists, self.publication(), lambda: NOW, size=size)

    @property
    def published_lists(self) -> list[StatusListPublished]:
        return [each.event for each in self.published if isinstance(each.event, StatusListPublished)]

    def signing_keys(self) -> SigningKeys:
        return SigningKeys(SigningKeyRepository(self.client, self.database), KEK)

    def worker(self, **changes: Any) -> Awarding:
        parts: dict[str, Any] = {
            "ids": IDS,
            "decisions": self.decisions,
            "credentials": self.credentials,
            "catalogue": MemoryCatalogue([issuer()], [achievement()]),
            "signer": PlainSigner(),
            "entries": self.entries(),
            "announcer": Announcer(URLS),
            "audit": AuditLog(self.database),
            "publish": self.publish,
            "clock": ticking(),
            "longest_wait": timedelta(hours=1),
            "longest_suspended": timedelta(days=30),
        }
        return Awarding(**(parts | changes))

    async def stored(self, collection: str) -> list[mongo.Document]:
        return await self.database[collection].find({}).sort("_id", 1).to_list(None)


def ticking() -> Any:
    """Each look at this clock is a moment later, so that nothing is the same by accident."""
    moments = count()
    return lambda: NOW + timedelta(seconds=next(moments))


class BitsAsText:
    """Instead of a signed list: the set bits."""

    async def status_list(self, issuer_id: str, list_id: str, bits: StatusList, at: object, **fresh: object) -> str:
        await asyncio.sleep(0)
        set_bytes = (place for place, byte in enumerate(bits.to_bytes()) if byte)
        return json.dumps([8 * place + bit for place in set_bytes for bit in range(8) if bits.get(8 * place + bit)])


@pytest.fixture
async def world(infrastructure: Stack) -> AsyncIterator[World]:
    client = mongo.connect(infrastructure.mongo_url, "test")
    database = client[f"issuer_{uuid4().hex}"]
    indexes = [
        *decision_repository.INDEXES,
        *credential_repository.INDEXES,
        *status_repository.INDEXES,
        *signing_key_store.INDEXES,
        *catalogue_repository.INDEXES,
        *publications.INDEXES,
    ]
    await mongo.create_indexes(database, indexes)
    yield World(client, database)
    await client.drop_database(database.name)
    await mongo.close(client)


def school_week(learners: int = 8) -> list[EvidenceSubmitted]:
    """Each learner: a level, a repeat of the row, the same level by other evidence, a higher one, a lower one."""
    pieces = []
    for number in range(learners):
        name, row = f"s{number}", number * 5
        pieces += [
            evidence(row + 1, SoloLevel.MULTISTRUCTURAL, learner=name, source_id=f"{name}-a"),
            evidence(row + 2, SoloLevel.MULTISTRUCTURAL, learner=name, source_id=f"{name}-a"),
            evidence(row + 3, SoloLevel.MULTISTRUCTURAL, learner=name, source_id=f"{name}-b"),
            evidence(row + 4, SoloLevel.EXTENDED_ABSTRACT, learner=name, source_id=f"{name}-c"),
            evidence(row + 5, SoloLevel.UNISTRUCTURAL, learner=name, source_id=f"{name}-d"),
        ]
    return pieces


class DiesAfter:
    """A worker that is killed right after one numbered step of `Awarding.handle`."""

    def __init__(self, world: World, step: int) -> None:
        self._world, self._step = world, step

    async def handle(self, batch: Sequence[Received[EvidenceSubmitted]]) -> None:
        step, entries = self._step, self._world.entries()

        class Decisions(MongoDecisions):
            async def owners(self, evidence_ids: Any) -> Any:
                _die(step == 1, None)
                return await super().owners(evidence_ids)

            async def record(self, *parts: Any) -> bool:
                _die(step == 4, None)
                return bool(_die(step == 5, await super().record(*parts)))

        class Credentials(MongoCredentials):
            async def holdings(self, holding_ids: Any) -> Any:
                found = await super().holdings(holding_ids)
                return _die(step == 2, found)

        class StatusEntries:
            async def allocate(self, issuer_id: str, wanted: int) -> list[StatusEntry]:
                _die(step == 3, None)
                return await entries.allocate(issuer_id, wanted)

        credentials = Credentials(self._world.database)
        worker = self._world.worker(
            decisions=Decisions(self._world.client, self._world.database, credentials),
            credentials=credentials,
            entries=StatusEntries(),
        )
        await worker.handle(batch)
        raise KilledError  # step 6: returned, and neither published nor committed


def _die(here: bool, value: Any) -> Any:
    if here:
        raise KilledError
    return value


def told(outgoing: Sequence[Outgoing]) -> dict[object, str]:
    return {event_id(each.event): each.event.model_dump_json() for each in outgoing}


@pytest.mark.parametrize("step", [1, 2, 3, 4, 5, 6])
async def test_killed_after_any_step_the_next_worker_ends_in_the_same_decisions(world: World, step: int) -> None:
    batch = received(school_week())
    with pytest.raises(KilledError):
        await DiesAfter(world, step).handle(batch)
    recorded = await world.stored("decisions")
    assert len(recorded) == (len(batch) if step >= 5 else 0), "a part of a batch is visible"

    first = await world.worker().handle(batch)
    again = await world.worker().handle(batch)

    decisions = await world.stored("decisions")
    outcomes = [(each["outcome"], each.get("reason")) for each in decisions]
    assert outcomes == 8 * [
        ("issued", None),
        ("duplicate", "sent_before"),
        ("duplicate", "already_awarded"),
        ("issued", None),
        ("not_yet", "below_required_level"),
    ]
    assert len(await world.stored("credentials")) == 16
    everything = [each.event for each in [*world.published, *first, *again]]
    counted = {
        kind: len({each.model_dump_json() for each in everything if isinstance(each, kind)})
        for kind in (EvidenceDecided, CredentialIssued, CredentialDocument)
    }
    assert counted == {EvidenceDecided: 40, CredentialIssued: 16, CredentialDocument: 16}


async def test_redelivery_publishes_the_same_ids_and_bytes(world: World) -> None:
    batch = received(school_week(3))

    async def published() -> list[Outgoing]:
        world.published.clear()
        rest = await world.worker().handle(batch)
        return [each for each in [*world.published, *rest] if not isinstance(each.event, StatusListPublished)]

    first, second = await published(), await published()
    assert event_ids(first) == event_ids(second)
    assert told(first) == told(second)


async def as_the_loop_does(worker: Awarding, batch: Sequence[Received[EvidenceSubmitted]]) -> Sequence[Outgoing]:
    """A batch whose write met another worker's in flight is done again, as the consumer loop does it."""
    while True:
        try:
            return await worker.handle(batch)
        except OperationFailure as error:
            assert not mongo.is_permanent(error)
            await asyncio.sleep(0.02)


async def test_two_workers_on_the_same_records_agree_and_store_once(world: World) -> None:
    batch = received(school_week())
    answers = await asyncio.gather(
        *(as_the_loop_does(world.worker(), some) for some in (batch, batch[:13], batch[:29]))
    )
    assert len(await world.stored("decisions")) == 40
    assert len(await world.stored("credentials")) == 16
    contents: dict[object, set[str]] = {}
    for each in [*world.published, *(out for answer in answers for out in answer)]:
        if not isinstance(each.event, StatusListPublished):
            contents.setdefault(event_id(each.event), set()).add(each.event.model_dump_json())
    assert {len(each) for each in contents.values()} == {1}, "one event id, two contents"


async def test_workers_that_know_different_versions_leave_no_credential_without_its_decision(world: World) -> None:
    strict = MemoryCatalogue([issuer()], [achievement(version=2, required_level=SoloLevel.EXTENDED_ABSTRACT)])
    batch = received([evidence(row, learner=f"s{row}") for row in range(1, 41)])
    for start in range(0, 40, 10):
        some = batch[start : start + 10]
        await asyncio.gather(
            as_the_loop_does(world.worker(), some), as_the_loop_does(world.worker(catalogue=strict), some[:7])
        )
    issued = {each["credential_id"] for each in await world.stored("decisions") if each["outcome"] == "issued"}
    assert {each["_id"] for each in await world.stored("credentials")} == issued
    assert len(await world.stored("decisions")) == 40


@dataclass
class Stores:
    """Decisions and credentials, both in memory or both in MongoDB."""

    decisions: MemoryDecisions | MongoDecisions
    credentials: MemoryCredentials | MongoCredentials


@pytest.fixture(params=["in memory", "MongoDB"])
def either(request: pytest.FixtureRequest, world: World) -> Stores:
    """Both stores: what the unit tests believe of the ones in memory must be true of the real ones."""
    if request.param == "in memory":
        decisions = MemoryDecisions()
        return Stores(decisions, decisions.credentials)
    return Stores(world.decisions, world.credentials)


PIECE = evidence(1, link="https://wattle.example/1", class_id="7B", term="2026-T1", assessor_id=uuid4())


async def filled(world: World, stores: Stores) -> tuple[Decision, Credential]:
    """Stores with one award; its decision and its credential."""
    await world.worker(decisions=stores.decisions, credentials=stores.credentials).handle(received([PIECE]))
    decision = (await stores.decisions.newest([PieceId(PIECE.batch_id, PIECE.row)]))[PIECE.submission_id]
    assert decision.issued_id is not None
    return decision, (await stores.credentials.by_ids([decision.issued_id]))[decision.issued_id]


def of(decision: Decision, row: int, **changes: Any) -> Decision:
    """The same decision on another piece."""
    other = {"row": row, "submission_id": ids.submission_id(decision.evidence.batch_id, row), "evidence_id": uuid4()}
    return replace(decision, evidence=decision.evidence.model_copy(update={**other, **changes}))


async def test_either_store_keeps_a_piece_whole_beside_its_decision_and_a_credential_as_it_was(
    world: World, either: Stores
) -> None:
    decision, credential = await filled(world, either)
    assert decision.evidence == PIECE
    assert (decision.sequence, decision.outcome, decision.owns_evidence) == (1, Outcome.ISSUED, True)
    assert credential.decision_id == decision.decision_id
    assert (credential.level, credential.state, credential.issued_at) == (
        SoloLevel.RELATIONAL,
        CredentialState.ACTIVE,
        decision.decided_at,
    )
    score = of(decision, 2, result=Result(score=87.5), link=None, class_id=None, term=None, assessor_id=None)
    assert await either.decisions.record([score], [], [])
    kept = await either.decisions.newest([score.decision_id.piece])
    assert kept == {score.evidence.submission_id: score}


async def test_either_store_knows_the_owner_of_evidence_and_what_is_held(world: World, either: Stores) -> None:
    decision, credential = await filled(world, either)
    owners = await either.decisions.owners([decision.evidence.evidence_id, uuid4()])
    assert owners == {decision.evidence.evidence_id: Owner(PIECE.submission_id, PIECE.digest)}
    held = await either.credentials.holdings([credential.holding_id, uuid4()])
    award = HeldAward(credential.credential_id, SoloLevel.RELATIONAL, active=True)
    assert held == {credential.holding_id: [award]}


async def test_either_store_finds_the_newest_decision_on_a_piece_and_keeps_the_earlier_ones(
    world: World, either: Stores
) -> None:
    first, _ = await filled(world, either)
    later = [
        replace(first, sequence=sequence, outcome=Outcome.REFUSED, reason=reason, owns_evidence=False)
        for sequence, reason in ((2, Reason.LEVEL_NEEDED), (3, Reason.SCORE_NEEDED))
    ]
    unreviewed = of(first, 2)
    assert await either.decisions.record([*later, unreviewed], [], [])
    pieces = [first.decision_id.piece, unreviewed.decision_id.piece, PieceId(uuid4(), 1)]
    newest = await either.decisions.newest(pieces)
    assert newest == {PIECE.submission_id: later[1], unreviewed.evidence.submission_id: unreviewed}
    assert not await either.decisions.record([replace(later[0], reason=None)], [], []), "a sequence is given once"


@pytest.mark.parametrize("broken", ["submission", "evidence", "credential", "business key"])
async def test_either_store_refuses_the_whole_where_one_part_is_there(
    world: World, either: Stores, broken: str
) -> None:
    decision, credential = await filled(world, either)
    other_decision = of(decision, 2)
    other_credential = replace(
        credential, credential_id=uuid4(), holding_id=uuid4(), status=StatusEntry(credential.status.list_id, 3)
    )
    bad_decision = {
        "submission": of(decision, 1),
        "evidence": of(decision, 2, evidence_id=decision.evidence.evidence_id),
    }.get(broken, other_decision)
    bad_credential = {
        "credential": replace(other_credential, credential_id=credential.credential_id),
        "business key": replace(other_credential, holding_id=credential.holding_id),
    }.get(broken, other_credential)
    innocent = of(decision, 3)
    waiting = Waiting(innocent.decision_id.piece, "wattle", "flying", NOW, NOW, TRACE)
    assert not await either.decisions.record([innocent, bad_decision], [bad_credential], [waiting])
    assert await either.decisions.newest([innocent.decision_id.piece]) == {}
    assert await either.decisions.count_waiting() == 0
    assert await either.decisions.record([innocent, other_decision], [other_credential], [])


async def test_either_store_lets_evidence_that_owns_nothing_come_again(world: World, either: Stores) -> None:
    decision, _ = await filled(world, either)
    again = of(decision, 2, evidence_id=decision.evidence.evidence_id)
    assert await either.decisions.record([replace(again, owns_evidence=False)], [], [])


async def test_either_store_lists_what_waits_by_what_it_lacks_and_by_its_time(either: Stores) -> None:
    batch_id, store = uuid4(), either.decisions

    def waits(row: int, achievement_id: str, minutes: int) -> Waiting:
        since = NOW + timedelta(minutes=minutes)
        until = since + timedelta(hours=1)
        return Waiting(PieceId(batch_id, row), "wattle", achievement_id, since, until, TRACE)

    first, second, third, fourth = waits(1, "b", 2), waits(2, "a", 1), waits(3, "b", 0), waits(4, "c", 3)
    assert await store.record([], [], [first, second, third, fourth])
    assert await store.lacking("", 2) == [("wattle", "a"), ("wattle", "b")]
    assert await store.lacking("wattle/b", 9) == [("wattle", "c")]
    either_of, later = [("wattle", "b"), ("wattle", "a")], NOW + timedelta(minutes=9)
    assert await store.waiting_for(either_of, later, 2) == [third, second]
    assert await store.waiting_for(either_of, NOW, 2) == [third]
    assert await store.overdue(NOW + timedelta(minutes=61), 9) == [third, second]
    await store.end_waiting([third.piece, PieceId(batch_id, 9)])
    assert await store.overdue(NOW + timedelta(hours=9), 9) == [second, first, fourth]
    assert await store.count_waiting() == 3
    await store.put_off(second.piece, NOW + timedelta(hours=3))
    assert await store.waiting_for(either_of, later, 2) == [first]
    assert await store.overdue(NOW + timedelta(hours=9), 9) == [
        first,
        fourth,
        replace(second, since=NOW + timedelta(hours=3), until=NOW + timedelta(hours=3)),
    ]


async def test_of_all_that_waits_no_more_is_read_than_is_decided_at_once(world: World) -> None:
    batch_id, until = uuid4(), NOW + timedelta(hours=1)
    waiting = [
        Waiting(PieceId(batch_id, row), f"school-{row % 3}", "resilience", NOW, until, TRACE) for row in range(1, 61)
    ]
    assert await world.decisions.record([], [], waiting)
    await world.database.command("profile", 2)
    found = await world.decisions.waiting_for([(f"school-{number}", "resilience") for number in range(3)], NOW, 10)
    await world.database.command("profile", 0)
    assert found == waiting[:10]
    (read,) = await world.database["system.profile"].find({"command.find": "waiting"}).to_list(None)
    assert read["docsExamined"] == 10


async def test_decisions_of_a_batch_stand_beside_each_other_in_the_order_of_its_rows(world: World) -> None:
    batches = sorted([uuid4(), uuid4()])
    pieces = [evidence(row, learner=f"s{row}", batch_id=batch) for row in (300, 2, 70_000) for batch in batches]
    await world.worker().handle(received(pieces))
    stored = [(each["learner_id"], each["evidence_id"]) for each in await world.stored("decisions")]
    in_order = sorted(pieces, key=lambda each: (each.batch_id, each.row))
    assert [learner for learner, _ in stored] == [each.learner_id for each in in_order]


async def test_evidence_that_waits_is_decided_once_by_several_processes_on_the_real_store(world: World) -> None:
    catalogue = MemoryCatalogue([issuer()], [])
    pieces = [evidence(row, learner=f"s{row}") for row in range(1, 31)]
    await world.worker(catalogue=catalogue).handle(received(pieces))
    assert await world.decisions.count_waiting() == 30
    catalogue.versions.append(achievement())

    async def process() -> None:
        waiting = WaitingEvidence(
            world.decisions, awarding=world.worker(catalogue=catalogue), catalogue=catalogue, clock=lambda: NOW
        )
        while await world.decisions.count_waiting():
            # As the loop of a service does: what met another process's transaction is done again.
            with contextlib.suppress(OperationFailure):
                await waiting.tick()

    await asyncio.gather(*(process() for _ in range(3)))
    assert len(await world.stored("credentials")) == 30
    outcomes = [each["outcome"] for each in await world.stored("decisions")]
    assert outcomes == ["waiting", "issued"] * 30
    decided = {event_id(each.event): each.event for each in world.published if isinstance(each.event, EvidenceDecided)}
    assert [each.sequence for each in decided.values()].count(2) == 30


async def test_no_query_of_issuing_reads_a_collection_from_end_to_end(world: World) -> None:
    catalogue = MemoryCatalogue([issuer()], [])
    waiting = WaitingEvidence(
        world.decisions, awarding=world.worker(catalogue=catalogue), catalogue=catalogue, clock=lambda: NOW
    )
    await world.database.command("profile", 2)
    batch = received(school_week(3))
    await world.worker(catalogue=catalogue).handle(batch)
    await waiting.tick()
    catalogue.versions.append(achievement())
    await waiting.tick()
    await world.worker(catalogue=catalogue).handle(batch)
    held, *_ = await world.stored("credentials")
    await closing(world).handle([command(held)])
    await world.database.command("profile", 0)
    ours = {f"{world.database.name}.{name}" for name in ("decisions", "credentials", "waiting")}
    # The test's own look at all credentials is none of the worker's queries.
    profiled = {"ns": {"$in": list(ours)}, "planSummary": {"$exists": True}, "command.filter": {"$ne": {}}}
    plans = {
        (each["ns"].rpartition(".")[2], each["planSummary"].partition(" {")[0])
        async for each in world.database["system.profile"].find(profiled)
    }
    by_index = {"IXSCAN", "IDHACK", "DISTINCT_SCAN", "COUNT", "RECORD_STORE_FAST_COUNT"}
    assert {plan for _, plan in plans} <= by_index, plans
    assert ("waiting", "DISTINCT_SCAN") in plans, "each name that evidence waits for is read once, however many wait"


async def test_the_database_stops_a_second_active_award_of_one_business_key(world: World) -> None:
    await world.worker().handle(received([evidence(1)]))
    (held,) = await world.stored("credentials")
    forged = {**held, "_id": uuid4(), "status_index": held["status_index"] ^ 1}
    with pytest.raises(DuplicateKeyError):
        await world.database["credentials"].insert_one(forged)
    await world.credentials.close({(held["_id"], "wattle"): Revocation(NOW, RevocationReason.OTHER)}, {})
    await world.database["credentials"].insert_one(forged)


async def test_the_open_transaction_of_a_killed_worker_delays_and_is_no_ones_fault(world: World) -> None:
    decision, _ = await filled(world, Stores(world.decisions, world.credentials))
    another = of(decision, 2)
    async with await world.client.start_session() as session:
        session.start_transaction()
        (stored,) = await world.stored("decisions")
        await world.database["decisions"].insert_one(
            {**stored, "_id": b"another", "evidence_id": another.evidence.evidence_id}, session=session
        )
        with pytest.raises(OperationFailure) as caught:
            await world.decisions.record([another], [], [])
        assert not mongo.is_permanent(caught.value), "the consumer waits for what is away, and sets nothing aside"
        await session.abort_transaction()
    assert await world.decisions.record([another], [], [])


async def test_after_a_revocation_the_same_level_can_be_earned_again(world: World) -> None:
    await world.worker().handle(received([evidence(1)]))
    (held,) = await world.stored("credentials")
    await closing(world).handle([command(held)])
    await world.worker().handle(received([evidence(2)]))
    states = [each["state"] for each in await world.stored("credentials")]
    assert sorted(states) == ["active", "revoked"]


def closing(world: World) -> Closing:
    return Closing(credentials=world.credentials, lists=world.publication(), announcer=Announcer(URLS))


Command = Received[RevokeCredential | TakeDownCredential]


def command(
    credential: mongo.Document, reason: RevocationReason = RevocationReason.ISSUED_IN_ERROR, seconds: int = 0
) -> Command:
    event = RevokeCredential(
        credential_id=credential["_id"],
        issuer_id=credential["issuer_id"],
        request_id=uuid4(),
        reason=reason,
        requested_at=NOW + timedelta(seconds=seconds),
    )
    return Received(event, event.key, TRACE)


def take_down(credential: mongo.Document, seconds: int = 0) -> Command:
    event = TakeDownCredential(
        credential_id=credential["_id"],
        issuer_id=credential["issuer_id"],
        request_id=uuid4(),
        reason=TakeDownReason.PERSONAL_DATA,
        requested_at=NOW + timedelta(seconds=seconds),
    )
    return Received(event, event.key, TRACE)


async def test_of_200_concurrent_revocations_in_one_list_none_is_lost(world: World) -> None:
    await world.worker().handle(received([evidence(row, learner=f"s{row}") for row in range(1, 201)]))
    credentials = await world.stored("credentials")
    workers = [closing(world) for _ in range(4)]
    await asyncio.gather(*(workers[number % 4].handle([command(each)]) for number, each in enumerate(credentials)))
    published = [each.event for each in world.published if isinstance(each.event, StatusListPublished)]
    newest = max(published, key=lambda each: each.version)
    assert set(json.loads(newest.credential)) == {each["status_index"] for each in credentials}
    assert published[-1].version == newest.version == 200, "a compacted topic would keep an older list"
    assert [each["publishing"] for each in await world.stored("status_lists")] == [[]]


async def test_the_first_revocation_holds_and_a_repeat_tells_the_same(world: World) -> None:
    await world.worker().handle(received([evidence(1)]))
    (held,) = await world.stored("credentials")
    first = await closing(world).handle([command(held, RevocationReason.WRONG_LEARNER)])
    again = await closing(world).handle([command(held, RevocationReason.OTHER, seconds=60)])
    assert told(first) == told(again)
    (event,) = [each.event for each in first if isinstance(each.event, CredentialRevoked)]
    assert event.reason is RevocationReason.WRONG_LEARNER


@pytest.mark.parametrize("before", [[], ["revoke"]])
async def test_taking_down_revokes_withholds_the_text_and_is_told_again_the_same(
    world: World, before: list[str]
) -> None:
    await world.worker().handle(received([evidence(1)]))
    (held,) = await world.stored("credentials")
    for _ in before:
        await closing(world).handle([command(held, RevocationReason.WRONG_LEARNER)])
    first = await closing(world).handle([take_down(held)])
    again = await closing(world).handle([take_down(held, seconds=60), command(held, seconds=61)])
    assert told(first) == told(again)
    revoked, taken_down, document = (each.event for each in first)
    assert isinstance(revoked, CredentialRevoked)
    assert revoked.reason is (RevocationReason.WRONG_LEARNER if before else RevocationReason.TAKEN_DOWN)
    assert isinstance(taken_down, CredentialTakenDown)
    assert taken_down.reason is TakeDownReason.PERSONAL_DATA
    assert isinstance(document, CredentialDocument)
    assert (document.state, document.document, document.reason) == ("taken_down", None, TakeDownReason.PERSONAL_DATA)
    assert json.loads(world.published_lists[-1].credential) == [held["status_index"]]
    again_issued = await world.worker().handle(received([evidence(1)]))
    texts = [each.event for each in [*world.published, *again_issued] if isinstance(each.event, CredentialDocument)]
    assert [each.document is None for each in texts] == [False, True], "redelivery does not bring the text back"


async def test_of_commands_in_one_batch_the_first_reason_holds_and_each_is_announced_once(world: World) -> None:
    await world.worker().handle(received([evidence(1)]))
    (held,) = await world.stored("credentials")
    announced = await closing(world).handle([command(held), take_down(held, 1), command(held, seconds=2)])
    assert [type(each.event) for each in announced] == [CredentialRevoked, CredentialTakenDown, CredentialDocument]


async def test_what_was_taken_down_can_be_earned_again(world: World) -> None:
    await world.worker().handle(received([evidence(1)]))
    (held,) = await world.stored("credentials")
    await closing(world).handle([take_down(held)])
    await world.worker().handle(received([evidence(2)]))
    assert sorted(each["state"] for each in await world.stored("credentials")) == ["active", "revoked"]


async def test_another_tenant_cannot_revoke(world: World) -> None:
    await world.worker().handle(received([evidence(1)]))
    (held,) = await world.stored("credentials")
    assert await closing(world).handle([command({**held, "issuer_id": "banksia"})]) == []
    assert (await world.stored("credentials"))[0]["state"] == "active"


async def test_a_list_left_unpublished_by_a_crash_is_published_by_the_repair(world: World) -> None:
    await world.worker().handle(received([evidence(1)]))
    (held,) = await world.stored("credentials")

    async def killed(outgoing: Sequence[Outgoing]) -> None:
        raise KilledError

    world.publish, working = killed, world.publish  # type: ignore[method-assign]  # the process dies while publishing
    with pytest.raises(KilledError):
        await closing(world).handle([command(held)])
    world.publish = working  # type: ignore[method-assign]  # as above
    lists = world.publication(lambda: NOW + timedelta(minutes=2))
    await lists.repair()
    last = world.published[-1].event
    assert isinstance(last, StatusListPublished)
    assert json.loads(last.credential) == [held["status_index"]]
    before = len(world.published)
    await lists.repair()
    assert len(world.published) == before, "nothing is left to repair"


async def issuers_with_lists(world: World, *issuers: str) -> None:
    for each in issuers:
        await world.entries().allocate(each, 1)
    world.published.clear()


async def test_each_list_that_is_due_is_signed_again_once_by_several_processes_and_then_rests(world: World) -> None:
    await issuers_with_lists(world, "wattle", "banksia", "myrtle")
    almost, due = NOW + FRESHNESS.renewed_after - timedelta(seconds=1), NOW + FRESHNESS.renewed_after
    await world.publication(lambda: almost).renew()
    assert world.published == []
    await asyncio.gather(*(world.publication(lambda: due).renew() for _ in range(4)))
    assert sorted((each.list_id, each.version) for each in world.published_lists) == [
        ("banksia-1", 1),
        ("myrtle-1", 1),
        ("wattle-1", 1),
    ]
    assert {each.published_at for each in world.published_lists} == {due}
    await world.publication(lambda: due + timedelta(minutes=5)).renew()
    assert len(world.published) == 3


async def test_after_a_stop_beyond_every_end_all_lists_are_signed_again_at_once(world: World) -> None:
    await issuers_with_lists(world, "wattle", "banksia")
    long_after = NOW + 3 * FRESHNESS.valid_for
    await world.publication(lambda: long_after).renew()
    assert {each.list_id for each in world.published_lists} == {"wattle-1", "banksia-1"}
    assert metrics.STATUS_LISTS.overdue_seconds._value.get() == 0


async def test_a_list_whose_key_is_not_available_holds_up_no_other_and_is_tried_again(world: World) -> None:
    await issuers_with_lists(world, "wattle", "banksia")

    class WithoutWattle(BitsAsText):
        async def status_list(self, issuer_id: str, *given: Any, **fresh: Any) -> str:
            if issuer_id == "wattle":
                raise KeyUnavailableError("not available")
            return await super().status_list(issuer_id, *given, **fresh)

    due = NOW + FRESHNESS.renewed_after + timedelta(hours=2)
    await world.publication(lambda: due, signer=WithoutWattle()).renew()
    assert [each.list_id for each in world.published_lists] == ["banksia-1"]
    assert metrics.STATUS_LISTS.overdue_seconds._value.get() == 7200, "what cannot be signed again shows in the metric"
    await world.publication(lambda: due + timedelta(minutes=2)).renew()
    assert [each.list_id for each in world.published_lists] == ["banksia-1", "wattle-1"]


async def test_a_process_killed_while_it_signs_a_list_again_leaves_it_to_the_repair(world: World) -> None:
    await issuers_with_lists(world, "wattle")

    async def killed(outgoing: Sequence[Outgoing]) -> None:
        raise KilledError

    due = NOW + FRESHNESS.renewed_after
    with pytest.raises(KilledError):
        await world.publication(lambda: due, publish=killed).renew()
    await world.publication(lambda: due + timedelta(minutes=2)).repair()
    assert [(each.list_id, each.version) for each in world.published_lists] == [("wattle-1", 1)]


LIST_KEY = Ed25519Key.from_seed(b"l" * 32)


@dataclass
class IssuerList:
    """The list of issuers of a catalogue, published by as many processes as are asked for."""

    world: World
    key: Ed25519Key = LIST_KEY

    def process(self, clock: Callable[[], datetime] = lambda: NOW, **changes: Any) -> IssuerListPublication:
        parts: dict[str, Any] = {
            "issuers": Catalogue(self.world.database),
            "key": self.key,
            "name": "badges.example",
            "publish": self.world.publish,
            "clock": clock,
            "freshness": FRESHNESS,
        }
        return IssuerListPublication(IssuerListRepository(self.world.database), **(parts | changes))

    async def arrive(self, *events: IssuerPublished) -> None:
        database = self.world.database
        changed = IssuerListRepository(database).changed
        worker = CatalogueWorker(Catalogue(database), MailDomainRepository(database), changed)
        await worker.handle([Received(event, event.key, TRACE) for event in events])

    @property
    def published(self) -> list[Registry]:
        """Every list that was published, as its readers read it."""
        events = [each.event for each in self.world.published if isinstance(each.event, IssuerListPublished)]
        signers = [did_key(self.key.public_multibase)]
        return [
            read_registry(zlib.decompress(base64.b64decode(each.compressed)), signers=signers, now=each.published_at)
            for each in events
        ]


def named(registry: Registry) -> dict[str, str]:
    return {did: party.name for did, (party,) in registry.parties.items()}


async def test_the_list_of_issuers_follows_the_catalogue_and_is_published_once_a_change(world: World) -> None:
    issuers = IssuerList(world)
    await issuers.process().tick()
    assert issuers.published[-1].parties == {}, "that nobody is registered is said too"
    school = issuer().model_copy(update={"registered_at": NOW - timedelta(days=9), "url": "https://wattle.example"})
    await issuers.arrive(school, issuer("banksia"))
    await asyncio.gather(*(issuers.process().tick() for _ in range(4)))
    assert named(issuers.published[-1]) == {issuer().did: issuer().name, issuer("banksia").did: issuer("banksia").name}
    (party,) = issuers.published[-1].parties[school.did]
    assert party == Party(school.did, school.name, school.url, begins=NOW - timedelta(days=9))
    before = len(issuers.published)
    await issuers.process().tick()
    assert len(issuers.published) == before, "without a change nothing is published"
    await issuers.arrive(school.model_copy(update={"version": 2, "name": "Wattle Hill"}))
    await issuers.process().tick()
    assert named(issuers.published[-1])[school.did] == "Wattle Hill"
    held = Suspension(reason=SuspensionReason.CLOSED, since=NOW)
    await issuers.arrive(school.model_copy(update={"version": 3, "suspension": held}))
    await issuers.process().tick()
    (party,) = issuers.published[-1].parties[school.did]
    assert (party.begins, party.ends) == (NOW - timedelta(days=9), NOW)
    assert party.suspension is not None
    assert party.suspension.reason == "closed"


@pytest.mark.parametrize("delivered_again", [False, True])
async def test_a_change_whose_publisher_was_killed_is_in_the_next_list(world: World, *, delivered_again: bool) -> None:
    issuers = IssuerList(world)
    await issuers.process().tick()

    async def killed(outgoing: Sequence[Outgoing] = ()) -> None:
        raise KilledError

    if delivered_again:
        worker = CatalogueWorker(Catalogue(world.database), MailDomainRepository(world.database), killed)
        with pytest.raises(KilledError):
            await worker.handle([Received(issuer(), issuer().key, TRACE)])
    await issuers.arrive(issuer())
    with pytest.raises(KilledError):
        await issuers.process(publish=killed).tick()
    await issuers.process(lambda: NOW + timedelta(minutes=2)).tick()
    assert issuer().did in issuers.published[-1].parties
    assert [each["publishing"] for each in await world.stored("issuer_list")] == [[]]


async def test_an_issuer_that_comes_while_the_list_is_signed_is_in_the_list_after_it(world: World) -> None:
    issuers = IssuerList(world)

    async def meanwhile(outgoing: Sequence[Outgoing]) -> None:
        first = not issuers.published
        await world.publish(outgoing)
        if first:
            await issuers.arrive(issuer())

    await issuers.process(publish=meanwhile).tick()
    assert [issuer().did in each.parties for each in issuers.published] == [False, True]


async def test_the_list_is_signed_again_in_time_and_at_once_under_another_key(world: World) -> None:
    issuers = IssuerList(world)
    await issuers.process().tick()
    due = NOW + FRESHNESS.renewed_after
    await asyncio.gather(*(issuers.process(lambda: due).renew() for _ in range(4)))
    assert [each.signed_at for each in issuers.published] == [NOW, due]
    other = IssuerList(world, Ed25519Key.from_seed(b"m" * 32))
    world.published.clear()
    await other.process(lambda: due).tick()
    await other.process(lambda: due).tick()
    assert [each.signed_at for each in other.published] == [due]


async def test_no_place_is_given_twice_also_when_a_list_is_full(world: World) -> None:
    workers = [world.entries(size=300) for _ in range(3)]
    taken = await asyncio.gather(*(workers[turn % 3].allocate("wattle", 50) for turn in range(12)))
    places = [place for each in taken for place in each]
    assert len(set(places)) == len(places) == 600
    assert len({place.list_id for place in places}) >= 2
    assert all(0 <= place.index < 300 for place in places)


async def test_a_list_is_announced_before_any_credential_that_refers_to_it_is_recorded(world: World) -> None:
    order: list[str] = []

    class Decisions(MongoDecisions):
        async def record(self, *parts: Any) -> bool:
            order.extend(type(each.event).__name__ for each in world.published)
            order.append("recorded")
            return await super().record(*parts)

    decisions = Decisions(world.client, world.database, world.credentials)
    await world.worker(decisions=decisions).handle(received([evidence(1)]))
    assert order == ["StatusListPublished", "recorded"]


async def test_of_two_first_calls_at_once_one_key_is_made_and_it_is_not_readable_in_the_database(world: World) -> None:
    workers = [world.signing_keys() for _ in range(5)]
    created = await asyncio.gather(*(each.create("wattle", KeyState.ACTIVE, NOW) for each in workers))
    assert sorted(new for _, new in created) == [False] * 4 + [True]
    (stored,) = await world.stored("signing_keys")
    assert {key.key_id for key, _ in created} == {stored["_id"]}
    opened = await workers[0].key("wattle")
    assert opened.public_multibase == stored["_id"]
    assert opened.seed not in bytes(stored["sealed"])
    assert stored["kek_id"] == KEK.kek_id


async def test_keys_that_were_sealed_anew_open_under_the_new_key_alone(world: World) -> None:
    key, _ = await world.signing_keys().create("wattle", KeyState.ACTIVE, NOW)
    other = bytes(32)
    repository = SigningKeyRepository(world.client, world.database)
    rewrapping = Rewrapping(repository, FileKeyEncryption(other, other=bytes(range(32))), AuditLog(world.database))
    assert (await rewrapping.dry_run()).left == {KEK.kek_id: 1}
    done = await rewrapping.run(Cause("operator:kim", "0" * 32))
    assert (done.count, done.left, done.problems) == (1, {}, ())
    opened = await SigningKeys(repository, FileKeyEncryption(other)).key("wattle")
    assert opened.public_multibase == key.key_id
    assert (await AuditLog(world.database).check()).fault is None


async def test_an_issuer_has_one_active_and_one_next_key_whatever_any_code_believes(world: World) -> None:
    keys = world.signing_keys()
    await keys.create("wattle", KeyState.ACTIVE, NOW)
    await keys.create("wattle", KeyState.NEXT, NOW)
    await keys.create("banksia", KeyState.ACTIVE, NOW)
    for state in ("active", "next"):
        with pytest.raises(DuplicateKeyError):
            await world.database["signing_keys"].insert_one({"_id": "z6", "issuer_id": "wattle", "state": state})
    await world.database["signing_keys"].insert_one({"_id": "z6", "issuer_id": "wattle", "state": "retired"})


async def test_activating_changes_both_keys_or_none(world: World) -> None:
    keys, repository = world.signing_keys(), SigningKeyRepository(world.client, world.database)
    old, _ = await keys.create("wattle", KeyState.ACTIVE, NOW)
    new, _ = await keys.create("wattle", KeyState.NEXT, NOW)
    before = await repository.of_issuer("wattle")
    await repository.mark_published(before)
    published = await repository.of_issuer("wattle")
    change = states.activate(published, new.key_id, NOW + timedelta(days=1))
    results = await asyncio.gather(*(repository.update(published, change) for _ in range(4)))
    assert sorted(results) == [False] * 3 + [True]
    assert {each.key_id: each.state for each in await repository.of_issuer("wattle")} == {
        old.key_id: KeyState.RETIRING,
        new.key_id: KeyState.ACTIVE,
    }
    assert not await repository.update(published, states.distrust(published, old.key_id, NOW, NOW)), "it has changed"
    assert (await repository.active("wattle") or [None])[0] == replace(change[1], published=False)


async def test_what_another_process_distrusts_signs_no_batch_more(world: World) -> None:
    ours, theirs = world.signing_keys(), world.signing_keys()
    repository = SigningKeyRepository(world.client, world.database)
    old, _ = await ours.create("wattle", KeyState.ACTIVE, NOW)
    new, _ = await ours.create("wattle", KeyState.NEXT, NOW)
    await repository.mark_published(await repository.of_issuer("wattle"))
    signer = CredentialSigner(theirs, MemoryCatalogue([issuer()], []), URLS, IDS)
    await signer.open_keys({"wattle"})
    assert (await theirs.key("wattle")).public_multibase == old.key_id
    keys = await repository.of_issuer("wattle")
    assert await repository.update(keys, states.distrust(keys, old.key_id, NOW, NOW))
    await signer.open_keys({"wattle"})
    assert (await theirs.key("wattle")).public_multibase == new.key_id


async def test_really_signed_credentials_are_stored_byte_for_byte(world: World) -> None:
    keys = world.signing_keys()
    await keys.create("wattle", KeyState.ACTIVE, NOW)

    class Profiles:
        async def issuers(self, issuer_ids: Any) -> dict[str, IssuerPublished]:
            return {"wattle": issuer()}

    texts: list[str | CredentialError] = []

    class Watched(CredentialSigner):
        async def credentials(self, *given: Any) -> list[str | CredentialError]:
            texts.extend(await super().credentials(*given))
            return list(texts)

    await world.worker(signer=Watched(keys, Profiles(), URLS, IDS)).handle(received([evidence(1)]))
    assert [each["document"] for each in await world.stored("credentials")] == texts


async def test_words_written_beside_a_closing_end_after_their_life_and_who_asked_stays(world: World) -> None:
    requests = ClosingRequests(world.database)
    kept = [
        ClosingRequest(
            request_id=uuid4(),
            issuer_id="oak",
            credential_id=uuid4(),
            kind=RequestKind.REVOKE,
            principal="key:oak/office",
            key="0123456789abcdef",
            reason="wrong_learner",
            note="The row above.",
            requested_at=NOW - timedelta(days=days),
        )
        for days in (9, 8, 1)
    ]
    for each in kept:
        await requests.keep(each)
    ids = [each.request_id for each in kept]
    before = NOW - timedelta(days=2)
    assert await requests.oldest_note() == NOW - timedelta(days=9)
    assert await requests.remove_notes(before, 1) == 1
    assert await requests.oldest_note() == NOW - timedelta(days=8)
    assert await requests.remove_notes(before, 10) == 1
    assert await requests.remove_notes(before, 10) == 0
    expected = [replace(kept[0], note=None), replace(kept[1], note=None), kept[2]]
    assert await requests.of_issuer("oak", ids) == {each.request_id: each for each in expected}
    assert await requests.of_issuer("elm", ids) == {}


ADMINISTRATOR = By(Cause("administrator:first", "0" * 32), TRACE)


class IssuerWorld:
    """The issuers of one database, and their process, which dies at one of its steps."""

    def __init__(self, world: World) -> None:
        self.catalogue = Catalogue(world.database)
        self.audit = MemoryAudit()
        self.dies = ""
        self.now = NOW
        keys = SigningKeyRepository(world.client, world.database)
        self.publications = Publications(
            world.database,
            catalogue=self.catalogue,
            audit=self,
            arrivals=Arrivals(),
            publish=self.publish,
            clock=lambda: self.now,
        )
        self.issuers = Issuers(
            catalogue=self.catalogue,
            publications=self.publications,
            signing_keys=world.signing_keys(),
            keys=keys,
            audit=self.audit,
            urls=URLS,
            clock=lambda: self.now,
        )

    async def record(self, *entries: Entry) -> None:
        self._die("before the audit log")
        await self.audit.record(*entries)
        self._die("after the audit log")

    async def publish(self, outgoing: Sequence[Outgoing]) -> None:
        self._die("before publishing")
        await self.catalogue.store_issuers([each.event for each in outgoing if isinstance(each.event, IssuerPublished)])
        self._die("after publishing")

    def _die(self, where: str) -> None:
        if self.dies == where:
            self.dies = ""
            raise KilledError(where)

    async def wattle(self, **profile: Any) -> None:
        await self.issuers.onboard(
            "wattle",
            Profile("Wattle", **profile),
            parent=None,
            did_method=None,
            expected_version=None,
            by=ADMINISTRATOR,
        )

    def recorded(self) -> list[tuple[Action, str | None]]:
        return [(each.action, each.reason) for each in self.audit.entries[2:]]


async def test_who_is_suspended_stays_so_whatever_is_published_of_it_until_it_is_resumed(world: World) -> None:
    here = IssuerWorld(world)
    await here.wattle(public_evidence=True)
    first = await here.issuers.set_suspension("wattle", SuspensionReason.SECURITY, ADMINISTRATOR)
    assert await here.catalogue.suspended(["wattle", "banksia"]) == {"wattle"}
    here.now += timedelta(hours=1)
    assert await here.issuers.set_suspension("wattle", SuspensionReason.SECURITY, ADMINISTRATOR) == first
    await here.issuers.change_profile(
        "wattle",
        Profile("Wattle Grove", public_evidence=True),
        expected_version=None,
        may_resemble=True,
        by=ADMINISTRATOR,
    )
    await world.signing_keys().create("wattle", KeyState.NEXT, NOW)
    published = await here.issuers.publish_keys("wattle", TRACE, ADMINISTRATOR.cause)
    assert published is not None
    assert (published.version, published.suspension, published.public_evidence) == (4, first.suspension, True)
    other = await here.issuers.set_suspension("wattle", SuspensionReason.CLOSED, ADMINISTRATOR)
    assert other.suspension is not None
    assert (other.suspension.reason, other.suspension.since) == (SuspensionReason.CLOSED, NOW)
    resumed = [await here.issuers.set_suspension("wattle", None, ADMINISTRATOR) for _ in range(2)]
    assert [(each.version, each.suspension) for each in resumed] == [(6, None)] * 2
    assert await here.catalogue.suspended(["wattle"]) == set()
    assert here.recorded() == [
        (Action.ISSUER_SUSPENDED, "security"),
        (Action.ISSUER_PUBLISHED, None),
        (Action.ISSUER_PUBLISHED, None),
        (Action.ISSUER_SUSPENDED, "closed"),
        (Action.ISSUER_RESUMED, None),
    ]


@pytest.mark.parametrize(
    "step", ["before the audit log", "after the audit log", "before publishing", "after publishing"]
)
async def test_killed_while_it_suspends_the_log_says_so_first_and_what_was_claimed_is_finished(
    world: World, step: str
) -> None:
    here = IssuerWorld(world)
    await here.wattle()
    here.dies = step
    with pytest.raises(KilledError):
        await here.issuers.set_suspension("wattle", SuspensionReason.UNDER_REVIEW, ADMINISTRATOR)
    told = [(Action.ISSUER_SUSPENDED, "under_review")]
    assert here.recorded() == ([] if step == "before the audit log" else told)
    assert bool(await here.catalogue.suspended(["wattle"])) == (step == "after publishing")
    here.now += timedelta(minutes=1)
    await here.publications.repair()
    assert bool(await here.catalogue.suspended(["wattle"])) == (step.endswith("publishing"))
    version = await here.issuers.set_suspension("wattle", SuspensionReason.UNDER_REVIEW, ADMINISTRATOR)
    assert (version.version, version.suspension is not None) == (2, True)
    assert await here.catalogue.suspended(["wattle"]) == {"wattle"}


async def test_suspending_and_changing_a_profile_at_once_loses_neither(world: World) -> None:
    here = IssuerWorld(world)
    await here.wattle()
    profile = Profile("Wattle Grove")
    suspended, renamed = await asyncio.gather(
        here.issuers.set_suspension("wattle", SuspensionReason.OTHER, ADMINISTRATOR),
        here.issuers.change_profile("wattle", profile, expected_version=None, may_resemble=True, by=ADMINISTRATOR),
        return_exceptions=True,
    )
    newest = await here.issuers.current("wattle")
    assert isinstance(suspended, IssuerPublished)
    assert newest.suspension is not None
    assert newest.name == ("Wattle" if isinstance(renamed, ConflictError) else "Wattle Grove")


async def test_an_issuer_is_suspended_whatever_was_published_of_its_profile(world: World) -> None:
    here = IssuerWorld(world)
    await here.catalogue.store_issuers([issuer().model_copy(update={"url": "https://bad.example/?id=3|home"})])
    version = await here.issuers.set_suspension("wattle", SuspensionReason.OTHER, ADMINISTRATOR)
    assert version.suspension is not None


async def test_an_issuer_that_was_stored_before_versions_had_numbers_is_read_and_followed_by_the_second(
    world: World,
) -> None:
    here = IssuerWorld(world)
    unnumbered = issuer().model_dump_json(exclude={"version", "public_evidence", "suspension"})
    await world.database["issuers"].insert_one({"_id": "wattle", "schema": 1, "parent": None, "event": unnumbered})
    assert (await here.catalogue.issuers(["wattle"]))["wattle"].version == 1
    trial.try_achievement(achievement(), await here.issuers.current("wattle"), URLS.achievement(achievement()), NOW)
    version = await here.issuers.set_suspension("wattle", SuspensionReason.OTHER, ADMINISTRATOR)
    assert version.version == 2
    assert await here.catalogue.suspended(["wattle"]) == {"wattle"}
