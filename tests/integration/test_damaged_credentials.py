"""A stored credential with any one of its fields damaged, on the real MongoDB: nothing of it is lost."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from libs.common.mongo import Document
from libs.contracts.cloudevents import Outgoing
from libs.contracts.events import CredentialRevoked, EvidenceDecided
from libs.contracts.results import SoloLevel
from tests.damage import harms, one_by_one, told
from tests.issuer_doubles import NOW, MemoryCatalogue, achievement, evidence, issuer, received
from tests.issuer_world import World, closing, command, waiting_closing

pytestmark = pytest.mark.integration
CATALOGUE = MemoryCatalogue([issuer(), issuer("banksia")], [achievement(), achievement(owner="banksia")])
NEVER_OR_ONCE = ("level", "evidence_id", "supersedes", "revoked_at", "revocation_reason", "superseded_by")
NOT_TAKEN_DOWN = ("closed_id", "revocation_request", "taken_down_at", "take_down_reason", "take_down_request")


async def held(world: World) -> tuple[Document, Document]:
    """Return a credential of each of two schools; the second is to be damaged."""
    pieces = [evidence(1, SoloLevel.MULTISTRUCTURAL, issuer_id="banksia"), evidence(2, SoloLevel.MULTISTRUCTURAL)]
    await world.worker(catalogue=CATALOGUE).handle(received(pieces))
    stored = {each["issuer_id"]: each for each in await world.stored("credentials")}
    return stored["banksia"], stored["wattle"]


async def again(world: World, good: Document, damaged: Document, update: Document) -> None:
    """Have the two credentials as they were, but for this."""
    world.published.clear()
    for name in ("credentials", "waiting_commands"):
        await world.database[name].delete_many({})
    await world.database["credentials"].insert_many([good, damaged])
    await world.database["credentials"].update_one({"_id": damaged["_id"]}, update)


def named(world: World, logs: Any, damaged: Document) -> bool:
    return (f"{world.database.name}.credentials", str(damaged["_id"])) in told(logs)


def revoked(outgoing: Sequence[Outgoing]) -> list[Any]:
    return [each.event.credential_id for each in outgoing if isinstance(each.event, CredentialRevoked)]


async def test_what_is_asked_of_a_damaged_credential_waits_until_it_is_repaired_and_no_other_does(world: World) -> None:
    good, damaged = await held(world)
    waited = 0
    for harm in harms(damaged, (*NEVER_OR_ONCE, *NOT_TAKEN_DOWN)):
        await again(world, good, damaged, harm.update)
        with capture_logs() as logs:
            done = await closing(world).handle([command(damaged), command(good)])
        waiting = [each["credential_id"] for each in await world.stored("waiting_commands")]
        assert good["_id"] in revoked(done), harm
        assert set(revoked(done)) | set(waiting) == {good["_id"], damaged["_id"]}, harm
        assert bool(waiting) is named(world, logs, damaged), harm
        if waiting:
            waited += 1
            await waiting_closing(world, lambda: NOW + timedelta(days=15)).tick()
            assert [each["credential_id"] for each in await world.stored("waiting_commands")] == [damaged["_id"]], harm
            await world.database["credentials"].replace_one({"_id": damaged["_id"]}, damaged)
            await waiting_closing(world).tick()
            assert revoked(world.published) == [damaged["_id"]], harm
            assert not await world.stored("waiting_commands"), harm
    assert waited > len(damaged)


async def test_evidence_that_a_damaged_credential_matters_to_is_set_aside_and_none_else(world: World) -> None:
    good, damaged = await held(world)
    for number, harm in enumerate(harms(damaged, NEVER_OR_ONCE)):
        await again(world, good, damaged, harm.update)
        pieces = [
            evidence(2 * number + 11, SoloLevel.RELATIONAL, issuer_id="banksia"),
            evidence(2 * number + 12, SoloLevel.RELATIONAL),
        ]
        with capture_logs() as logs:
            dead = await one_by_one(world.worker(catalogue=CATALOGUE).handle, received(pieces))
        decided = {each.event.evidence_id for each in world.published if isinstance(each.event, EvidenceDecided)}
        assert pieces[0].evidence_id in decided, harm
        assert ({pieces[1].evidence_id} <= decided) is not bool(dead), harm
        assert named(world, logs, damaged) or not dead, harm


async def test_a_damaged_credential_is_left_as_it_is_when_what_was_published_is_taken_up(world: World) -> None:
    good, damaged = await held(world)
    whole = [each async for some in world.credentials.everything() for each in some]
    for harm in harms(damaged, NEVER_OR_ONCE):
        await again(world, good, damaged, harm.update)
        before = await world.stored("credentials")
        with capture_logs() as logs:
            lacking = await world.credentials.lacking(whole)
            await world.credentials.adopt(lacking)
        assert await world.stored("credentials") == before or not named(world, logs, damaged), harm
