"""One school of fifty is broken under load: the others are served as if nothing were wrong, and it loses nothing."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from time import perf_counter
from typing import Any
from uuid import uuid4

import pytest

from libs.contracts.events import EvidenceSubmitted
from services.issuer.credentials.signer import CredentialSigner
from services.issuer.decisions.decision import Parked, Reason
from services.issuer.decisions.waiting import WaitingEvidence
from services.issuer.decisions.worker import Awarding
from services.issuer.keys.states import KeyState
from tests.ids import IDS
from tests.issuer_doubles import NOW, MemoryCatalogue, achievement, evidence, issuer, received
from tests.issuer_world import URLS, World

pytestmark = pytest.mark.integration

SCHOOLS = [f"school-{number}" for number in range(50)]
BROKEN = SCHOOLS[7]
CATALOGUE = MemoryCatalogue([issuer(each) for each in SCHOOLS], [achievement(owner=each) for each in SCHOOLS])
PIECES, IN_A_BATCH = 1_000, 250


def process(world: World) -> Awarding:
    """A process of the issuer, which has opened no key yet."""
    return world.worker(catalogue=CATALOGUE, signer=CredentialSigner(world.signing_keys(), URLS, IDS))


def week() -> Sequence[Sequence[EvidenceSubmitted]]:
    """Batches in which the evidence of all schools is mixed, of learners that nobody else has."""
    batch_id = uuid4()
    pieces = [
        evidence(
            row,
            issuer_id=SCHOOLS[row % 50],
            learner=f"{batch_id} {row}",
            source_id=f"{batch_id} {row}",
            batch_id=batch_id,
        )
        for row in range(1, PIECES + 1)
    ]
    return [pieces[start : start + IN_A_BATCH] for start in range(0, PIECES, IN_A_BATCH)]


async def seconds_of(world: World, worker: Awarding, waiting: WaitingEvidence) -> float:
    """Decide a week's evidence by three members at once beside the loop over what waits; return how long it took."""
    batches = list(week())

    async def member() -> None:
        while batches:
            await worker.handle(received(batches.pop()))
            await waiting.tick()

    started = perf_counter()
    await asyncio.gather(*(member() for _ in range(3)))
    return perf_counter() - started


async def test_a_broken_school_of_fifty_delays_no_other_and_gets_all_of_its_badges_once_it_is_put_right(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    await asyncio.gather(*(world.signing_keys().create(each, KeyState.ACTIVE, NOW) for each in SCHOOLS))
    keys: Any = world.database["signing_keys"]
    key = await keys.find_one({"issuer_id": BROKEN})
    worker = process(world)
    waiting = WaitingEvidence(world.decisions, awarding=worker, catalogue=CATALOGUE, clock=lambda: NOW)
    seconds: dict[bool, list[float]] = {False: [], True: []}
    await seconds_of(world, worker, waiting)  # templates are written and remembered
    for broken in (False, True, False, True):
        if broken:
            await keys.delete_one({"_id": key["_id"]})
        seconds[broken].append(await seconds_of(world, worker, waiting))
        if broken:
            (parked,) = await world.decisions.parked()
            assert (parked.issuer_id, parked.reason) == (BROKEN, Reason.SIGNING_KEY_MISSING)
            issued = Counter(each["issuer_id"] for each in await world.stored("credentials"))
            rounds = 1 + len(seconds[False]) + len(seconds[True])
            assert {issued[each] for each in SCHOOLS if each != BROKEN} == {rounds * PIECES // 50}
            assert issued[BROKEN] + parked.pieces == rounds * PIECES // 50
            await keys.insert_one(key)
            while await waiting.tick() == 0:
                pass
            assert await world.decisions.parked() == list[Parked]()
    issued = Counter(each["issuer_id"] for each in await world.stored("credentials"))
    assert set(issued.values()) == {5 * PIECES // 50}
    others = PIECES - PIECES // 50
    sound, broken_ = (min(seconds[each]) / count for each, count in ((False, PIECES), (True, others)))
    with capsys.disabled():
        print(f"\none school of fifty broken: {broken_ / sound:.3f} of the time for a piece of the other schools")
