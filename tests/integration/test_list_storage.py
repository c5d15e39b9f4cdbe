"""Lists on the real MongoDB: pages that lose nothing and repeat nothing, filters, and tenants that see their own."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid5

import pytest

from libs.common.mongo import create_indexes
from libs.contracts.reasons import RevocationReason, TakeDownReason
from services.evidence.batches.listing import INDEXES as BATCH_LIST_INDEXES
from services.evidence.batches.listing import BatchLists, BatchPlace, SoughtBatches
from services.issuer.catalogue.repository import Catalogue
from services.issuer.credentials.credential import Credential, CredentialState, Revocation, TakeDown
from services.issuer.credentials.sought import Place, SoughtCredentials
from services.issuer.decision_ids import DecisionId
from services.issuer.status.entry import StatusEntry
from tests.issuer_doubles import NOW, achievement, ruled
from tests.issuer_world import World

pytestmark = pytest.mark.integration

LEARNER, OTHER = UUID(int=1), UUID(int=2)


def credential(number: int, **changes: Any) -> Credential:
    """Two of each moment, of two learners."""
    content: dict[str, Any] = {
        "credential_id": uuid5(UUID(int=9), str(number)),
        "issuer_id": "wattle",
        "learner_id": LEARNER if number % 2 else OTHER,
        "holding_id": uuid5(UUID(int=8), str(number)),
        "achievement": "wattle/resilience/1",
        "level": None,
        "evidence_id": None,
        "decision_id": DecisionId(UUID(int=7), number, 1),
        "status": StatusEntry("1-1", number),
        "issued_at": NOW + timedelta(minutes=number // 2),
        "document": "{}",
    }
    return Credential(**content | changes)


async def test_credentials_are_paged_and_sought_by_learner_achievement_state_and_time(world: World) -> None:
    revoked = Revocation(NOW, RevocationReason.WRONG_LEARNER)
    stored = [credential(number) for number in range(10)]
    stored[0] = replace(stored[0], revocation=revoked)
    stored[1] = replace(stored[1], take_down=TakeDown(NOW, TakeDownReason.SAFETY), revocation=revoked, document=None)
    stored[2] = replace(stored[2], achievement="wattle/resilience-2/1")
    stored[3] = replace(stored[3], achievement="wattle/resilience/2")
    collection, documents = world.credentials.insertion([*stored, credential(10, issuer_id="banksia")])
    await collection.insert_many(documents)
    numbers = {each.credential_id: number for number, each in enumerate(stored)}

    async def found(after: Place | None = None, limit: int = 100, **sought: Any) -> list[int]:
        page = await world.credentials.page("wattle", SoughtCredentials(**sought), after, limit)
        assert all(each.document is None for each in page)
        return [numbers[each.credential_id] for each in page]

    everything = await found()
    assert sorted(everything) == list(range(10))
    assert [number // 2 for number in everything] == [4, 4, 3, 3, 2, 2, 1, 1, 0, 0]
    walked, after = list[int](), None
    while page := await found(after, 3):
        walked += page
        after = Place(stored[page[-1]].issued_at, stored[page[-1]].credential_id)
    assert walked == everything
    assert set(await found(learner_id=LEARNER)) == {1, 3, 5, 7, 9}
    assert set(await found(achievement="wattle/resilience")) == set(range(10)) - {2}
    assert await found(achievement="wattle/resilience/2") == [3]
    assert await found(state=CredentialState.REVOKED) == [0]
    assert await found(state=CredentialState.TAKEN_DOWN) == [1]
    assert len(await found(state=CredentialState.ACTIVE)) == 8
    in_time: dict[str, Any] = {"issued_from": NOW + timedelta(minutes=1), "issued_before": NOW + timedelta(minutes=2)}
    assert set(await found(**in_time)) == {2, 3}


async def test_batches_are_paged_while_they_are_kept(world: World) -> None:
    await create_indexes(world.database, BATCH_LIST_INDEXES)
    of_upload = {"source": "sis", "format": "csv", "state": "accepted", "received": 3}
    batches = [
        {"_id": UUID(int=number), "issuer_id": "wattle", "created_at": NOW + timedelta(seconds=number), **of_upload}
        for number in range(5)
    ]
    batches[0]["source"], batches[1]["state"], batches[2]["ended"] = "lms", "receiving", True
    await world.database["batches"].insert_many([*batches, {**batches[3], "_id": UUID(int=9), "issuer_id": "banksia"}])
    lists = BatchLists(world.database["batches"])

    async def found(after: BatchPlace | None = None, **sought: Any) -> list[int]:
        return [each.batch_id.int for each in await lists.page("wattle", SoughtBatches(**sought), after, 3)]

    assert await found() == [4, 3, 1]
    assert await found(BatchPlace(NOW + timedelta(seconds=1), UUID(int=1))) == [0]
    assert await found(source="lms") == [0]
    assert await found(state="receiving") == [1]
    assert await found(created_before=NOW + timedelta(seconds=4), created_from=NOW + timedelta(seconds=3)) == [3]


async def test_achievements_are_listed_in_their_newest_version(world: World) -> None:
    catalogue = Catalogue(world.database)
    await catalogue.store_achievements(
        [
            achievement(),
            achievement(version=2, name="Resilience and grit", shared=True),
            achievement("wit", shared=True),
            achievement("wit", version=2),
            ruled("character", {"type": "holds", "achievement": "wattle/wit"}),
            achievement("teamwork", owner="banksia"),
        ]
    )

    async def found(after: str = "", limit: int = 9, text: str | None = None, *, shared: bool = False) -> list[str]:
        page = await catalogue.achievements_page("wattle", shared_alone=shared, text=text, after=after, limit=limit)
        return [each.version_key.removeprefix("wattle/") for each in page]

    assert await found() == ["character/1", "resilience/2", "wit/2"]
    assert await found("character", 1) == ["resilience/2"]
    assert await found(text="GRIT") == ["resilience/2"]
    assert await found(shared=True) == ["resilience/2"]
