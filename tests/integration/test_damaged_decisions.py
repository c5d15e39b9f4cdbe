"""Stored decisions, and entries of evidence that waits, with any one of their fields damaged, on the real MongoDB."""

from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from libs.common.stored import name_of
from libs.contracts.events import EvidenceDecided
from tests.damage import harms, one_by_one, told, unreadable
from tests.issuer_doubles import NOW, MemoryCatalogue, achievement, evidence, issuer, received
from tests.issuer_world import World

pytestmark = pytest.mark.integration
CATALOGUE = MemoryCatalogue([issuer(), issuer("banksia")], [achievement(), achievement(owner="banksia")])
RARE = ("reason", "waits_until", "counted", "missing", "stacked", "revoked", "link", "by_hand", "class_id")


async def test_evidence_whose_decision_was_damaged_is_set_aside_alone_when_it_is_read_again(world: World) -> None:
    good, other = pieces = [evidence(1, issuer_id="banksia"), evidence(2)]
    await world.worker(catalogue=CATALOGUE).handle(received(pieces))
    (damaged,) = [each for each in await world.stored("decisions") if each["issuer_id"] == "wattle"]
    aside = 0
    for harm in harms(damaged, RARE):
        await world.database["decisions"].replace_one({"_id": damaged["_id"]}, damaged)
        await world.database["decisions"].update_one({"_id": damaged["_id"]}, harm.update)
        world.published.clear()
        with capture_logs() as logs:
            dead = await one_by_one(world.worker(catalogue=CATALOGUE).handle, received(pieces))
        again = {each.event.submission_id for each in world.published if isinstance(each.event, EvidenceDecided)}
        assert again | {each.event.submission_id for each in dead if each.event} == {
            good.submission_id,
            other.submission_id,
        }, harm
        assert [each.event for each in dead] in ([], [other]), harm
        named = (f"{world.database.name}.decisions", name_of(damaged["_id"])) in told(logs)
        assert named or not dead, harm
        aside += bool(dead)
    assert aside > len(damaged)


async def test_an_entry_of_what_waits_that_was_damaged_costs_no_other_its_turn(world: World) -> None:
    pieces = [evidence(1, issuer_id="banksia", achievement="unknown"), evidence(2, achievement="unknown")]
    await world.worker(catalogue=CATALOGUE).handle(received(pieces))
    entries = await world.stored("waiting")
    (damaged,) = [each for each in entries if each["issuer_id"] == "wattle"]
    later = NOW + timedelta(hours=2)
    for harm in harms(damaged):
        await world.database["waiting"].replace_one({"_id": damaged["_id"]}, damaged)
        await world.database["waiting"].update_one({"_id": damaged["_id"]}, harm.update)
        with capture_logs() as logs:
            found = [each.piece.row for each in await world.decisions.overdue(later, 10)]
        assert 1 in found, harm
        named = {str(document) for _, document in told(logs)} | {*await unreadable(world.database, "waiting")}
        # Without an end it waits for as long as it takes, and is found by what it lacks.
        endless = harm.name == "until" and not harm.update.get("$set", {}).get("until")
        assert 2 in found or name_of(damaged["_id"]) in named or endless, harm
