"""Awards in the place of others on the real store: one transaction, or nothing, and taken up again when it was lost."""

from collections.abc import Sequence
from itertools import permutations
from uuid import UUID

import pytest

from libs.contracts.events import CredentialDocument, CredentialRevoked, EvidenceDecided
from libs.contracts.reasons import RevocationReason
from libs.contracts.results import SoloLevel
from services.issuer.credentials.credential import Credential, Revocation
from services.issuer.decisions.published import MongoPublishedDecisions
from services.issuer.recovery.credentials import CredentialAdoption
from tests.ids import SEALING
from tests.issuer_doubles import NOW, MemoryCatalogue, PlainSigner, achievement, evidence, issuer, received
from tests.issuer_world import World
from tests.unit.test_superseding import instead

pytestmark = pytest.mark.integration

OFFERED = MemoryCatalogue([issuer()], [achievement(), achievement("care", repeatable=True)])
M, R, E = SoloLevel.MULTISTRUCTURAL, SoloLevel.RELATIONAL, SoloLevel.EXTENDED_ABSTRACT


async def old_award(world: World) -> Credential:
    await world.publish(await world.worker(catalogue=OFFERED).handle(received([evidence(1, R)])))
    (old,) = [each async for some in world.credentials.everything() for each in some]
    return old


async def held(world: World) -> dict[UUID, Credential]:
    return {each.credential_id: each async for some in world.credentials.everything() for each in some}


@pytest.mark.parametrize(("level", "what"), [(R, "resilience"), (M, "resilience"), (E, "care")])
async def test_both_change_in_one_transaction_and_name_each_other(world: World, level: SoloLevel, what: str) -> None:
    old = await old_award(world)
    piece = instead(2, old.credential_id, level, achievement=what)
    await world.publish(await world.worker(catalogue=OFFERED).handle(received([piece])))
    (new,) = (each for each in (await held(world)).values() if each.supersedes == old.credential_id)
    ended = (await held(world))[old.credential_id]
    assert (new.revocation, ended.revocation) == (None, new.superseding)
    (revoked,) = (each.event for each in world.published if isinstance(each.event, CredentialRevoked))
    assert (revoked.reason, revoked.superseded_by) == (RevocationReason.SUPERSEDED, new.credential_id)
    (decision,) = await world.decisions.of([new.decision_id])
    assert decision.superseded_id == old.credential_id
    (some,) = [some async for some in world.credentials.closed()]
    assert some == [ended], "what is published again has what stacked on it looked at"
    before = len(world.published)
    await world.publish(await world.worker(catalogue=OFFERED).handle(received([piece])))
    again = [each.event for each in world.published[before:]]
    assert all(each in [told.event for told in world.published[:before]] for each in again)
    assert len(await held(world)) == 2


async def test_one_that_is_revoked_between_reading_and_recording_stays_so_and_nothing_takes_its_place(
    world: World,
) -> None:
    old = await old_award(world)

    class Revoking(PlainSigner):
        """Somebody revokes the old one while the new one is signed."""

        async def credentials(self, awards, issuers, at):  # type: ignore[no-untyped-def]  # as of `PlainSigner`
            revocation = Revocation(NOW, RevocationReason.OTHER)
            await world.credentials.close({(old.credential_id, "wattle"): revocation}, {})
            return await super().credentials(awards, issuers, at)

    worker = world.worker(catalogue=OFFERED, signer=Revoking())
    await world.publish(await worker.handle(received([instead(2, old.credential_id, M)])))
    decided = [each.event for each in world.published if isinstance(each.event, EvidenceDecided)]
    (told,) = (each for each in decided if each.row == 2)
    assert told.reason == "superseded_revoked"
    (ended,) = (await held(world)).values()
    assert ended.revocation == Revocation(NOW, RevocationReason.OTHER)


async def taken_up(world: World, parts: Sequence[Sequence[CredentialDocument]]) -> dict[UUID, Credential]:
    adoption = CredentialAdoption(world.credentials, SEALING, world.decisions.remove_texts)
    for part in parts:
        await adoption.adopt(await adoption.lacking(part))
    await adoption.settle()
    return await held(world)


@pytest.mark.parametrize(("level", "what"), [(R, "resilience"), (M, "resilience")], ids=["same key", "another key"])
@pytest.mark.parametrize("end_published", [True, False])
@pytest.mark.parametrize("kept", [0, 1], ids=["of nothing", "of the old one"])
async def test_a_store_that_was_set_back_takes_the_link_up_in_any_order_and_decides_the_same(
    world: World, level: SoloLevel, what: str, kept: int, *, end_published: bool
) -> None:
    old = await old_award(world)
    piece = instead(2, old.credential_id, level, achievement=what)
    await world.publish(await world.worker(catalogue=OFFERED).handle(received([piece])))
    truth = await held(world)
    documents: dict[UUID, CredentialDocument] = {}
    for each in world.published:
        # Of each credential the last: what a compacted topic keeps.
        if isinstance(each.event, CredentialDocument) and (end_published or each.event.state == "active"):
            documents[each.event.credential_id] = each.event
    for order in permutations(documents.values()):
        for name in ("decisions", "credentials", "waiting"):
            await world.database[name].delete_many({})
        if kept:
            await world.credentials.adopt([old])
        assert await taken_up(world, [[each] for each in order]) == truth
        assert await taken_up(world, [order]) == truth
        decided = [each.event for each in world.published if isinstance(each.event, EvidenceDecided)]
        await MongoPublishedDecisions(world.database, world.decisions.recorded).adopt(decided[:1])
        before = len(world.published)
        worker = world.worker(catalogue=OFFERED)
        await world.publish(await worker.handle(received([evidence(1, R), piece])))
        assert await held(world) == truth
        again = [each.event for each in world.published[before:] if isinstance(each.event, CredentialRevoked)]
        assert [(each.credential_id, each.superseded_by) for each in again] == [
            (old.credential_id, next(key for key in truth if key != old.credential_id))
        ]
