"""Signing keys on the real MongoDB: one active, sealed, distrusted at once; what they signed is kept as it is."""

import asyncio
import base64
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from pymongo.errors import DuplicateKeyError

from bowerbird import parked as parked_command
from libs.access.grant_probe import GrantProbe, OtherGrantKeyError
from libs.access.signatures import GrantKeys, GrantSigner
from libs.audit.entry import Cause
from libs.audit.log import AuditLog
from libs.common.arrivals import Arrivals
from libs.common.clock import now
from libs.common.fence import Fence, WentBackError
from libs.contracts.cloudevents import Outgoing
from libs.contracts.events import AuthorityPublished, SignedEvent, SigningKeySealed
from libs.openbadges.model.errors import CredentialError
from services.issuer.catalogue.authority import Authority
from services.issuer.catalogue.publications import Publications
from services.issuer.catalogue.repository import Catalogue
from services.issuer.credentials.hindrance import Hindrance
from services.issuer.credentials.signer import CredentialSigner
from services.issuer.decision_ids import PieceId
from services.issuer.decisions.decision import Reason, Waiting
from services.issuer.decisions.waiting import WaitingEvidence
from services.issuer.keys import states
from services.issuer.keys.adoption import KeyAdoption
from services.issuer.keys.copies import KeyCopies
from services.issuer.keys.encryption import FileKeyEncryption, KeyUnavailableError
from services.issuer.keys.probe import KeyEncryptionProbe, OtherKeyEncryptionKeyError
from services.issuer.keys.repository import SigningKeyRepository
from services.issuer.keys.rewrapping import Rewrapping
from services.issuer.keys.signing_keys import SigningKeys
from services.issuer.keys.states import KeyState
from services.issuer.settings import ServiceSettings
from tests.ids import IDS
from tests.issuer_doubles import (
    NOW,
    TRACE,
    MemoryCatalogue,
    achievement,
    evidence,
    issuer,
    received,
)
from tests.issuer_world import (
    KEK,
    URLS,
    World,
)

pytestmark = pytest.mark.integration


def probe_of(world: World, encryption: FileKeyEncryption) -> KeyEncryptionProbe:
    return KeyEncryptionProbe(world.database, SigningKeyRepository(world.client, world.database), encryption)


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
    between = FileKeyEncryption(other, other=bytes(range(32)))
    copies = KeyCopies(repository, between, publish=world.publish, clock=lambda: NOW)
    await probe_of(world, KEK).make([KEK.kek_id])
    probe = probe_of(world, between)
    rewrapping = Rewrapping(repository, between, copies=copies, probe=probe, audit=AuditLog(world.database))
    assert (await rewrapping.dry_run()).left == {KEK.kek_id: 1}
    done = await rewrapping.run(Cause("operator:kim", "0" * 32))
    assert (done.count, done.left, done.problems) == (1, {}, ())
    opened = await SigningKeys(repository, FileKeyEncryption(other), copies).key("wattle")
    assert opened.public_multibase == key.key_id
    kek_ids = [each.event.kek_id for each in world.published if isinstance(each.event, SigningKeySealed)]
    assert kek_ids == [KEK.kek_id, between.kek_id], "its copy opens under the new one too"
    await probe_of(world, FileKeyEncryption(other)).require()
    with pytest.raises(OtherKeyEncryptionKeyError):
        await probe_of(world, KEK).require()
    assert (await AuditLog(world.database).check()).fault is None


async def test_another_key_encryption_key_is_refused_at_the_start_and_the_error_names_both(world: World) -> None:
    other, both = FileKeyEncryption(bytes(32)), FileKeyEncryption(bytes(32), other=bytes(range(32)))
    await asyncio.gather(*(probe_of(world, KEK).make([]) for _ in range(5)))
    with pytest.raises(OtherKeyEncryptionKeyError, match=f"holds .* {other.kek_id}.* under {KEK.kek_id}: put that"):
        await probe_of(world, other).require()
    await probe_of(world, other).replace()
    for encryption in (both, KEK):
        await probe_of(world, encryption).require()


async def test_a_database_without_a_probe_is_asked_by_the_keys_that_it_has(world: World) -> None:
    await world.signing_keys().create("wattle", KeyState.ACTIVE, NOW)
    with pytest.raises(OtherKeyEncryptionKeyError, match=KEK.kek_id):
        await probe_of(world, FileKeyEncryption(bytes(32))).require()
    await probe_of(world, KEK).require()
    assert await world.stored("authority") == []
    await probe_of(world, KEK).make([])
    (probe,) = await world.stored("authority")
    assert probe["kek_id"] == KEK.kek_id


async def nothing_published() -> list[SignedEvent]:
    return []


async def test_the_key_of_grants_is_changed_while_the_file_has_both_and_refused_otherwise(world: World) -> None:
    old, new = GrantSigner(bytes(32)), GrantSigner(bytes(range(32)))
    probe, both = GrantProbe(world.database), GrantKeys([old.public_key, new.public_key])
    await asyncio.gather(*(probe.make(old, GrantKeys([old.public_key]), nothing_published) for _ in range(5)))
    for ask in (probe.require, partial(probe.make, new, published=nothing_published)):
        with pytest.raises(OtherGrantKeyError, match=f"in this database .* {old.public_key}"):
            await ask(keys=GrantKeys([new.public_key]))
        await ask(keys=both)
    await probe.replace(new)
    await probe.require(GrantKeys([new.public_key]))


async def test_an_issuer_has_one_active_and_one_next_key_whatever_any_code_believes(world: World) -> None:
    keys = world.signing_keys()
    await keys.create("wattle", KeyState.ACTIVE, NOW)
    await keys.create("wattle", KeyState.NEXT, NOW)
    await keys.create("banksia", KeyState.ACTIVE, NOW)
    for state in ("active", "next"):
        with pytest.raises(DuplicateKeyError):
            await world.database["signing_keys"].insert_one({"_id": "z6", "issuer_id": "wattle", "state": state})
    await world.database["signing_keys"].insert_one({"_id": "z6", "issuer_id": "wattle", "state": "retired"})


async def test_no_key_is_made_in_a_database_that_was_set_back_beneath_the_process(world: World) -> None:
    fence = Fence(world.client, world.database)
    await fence.raise_count()
    repository = SigningKeyRepository(world.client, world.database, fence)
    keys = SigningKeys(repository, KEK, world.key_copies)
    await keys.create("wattle", KeyState.ACTIVE, NOW)
    await world.database["fence"].delete_many({})
    await world.database["signing_keys"].delete_many({})
    with pytest.raises(WentBackError):
        await keys.create("wattle", KeyState.ACTIVE, NOW)
    assert await repository.of_issuer("wattle") == []


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
    signer = CredentialSigner(theirs, URLS, IDS)
    versions, issuers = {("wattle", "resilience"): achievement()}, {"wattle": issuer()}
    assert await signer.hindrances(versions, issuers) == {}
    assert (await theirs.key("wattle")).public_multibase == old.key_id
    keys = await repository.of_issuer("wattle")
    assert await repository.update(keys, states.distrust(keys, old.key_id, NOW, NOW))
    assert await signer.hindrances(versions, issuers) == {}
    assert (await theirs.key("wattle")).public_multibase == new.key_id


async def test_really_signed_credentials_are_stored_byte_for_byte(world: World) -> None:
    keys = world.signing_keys()
    await keys.create("wattle", KeyState.ACTIVE, NOW)

    texts: list[str | CredentialError | Hindrance] = []

    class Watched(CredentialSigner):
        async def credentials(self, *given: Any) -> list[str | CredentialError | Hindrance]:
            texts.extend(await super().credentials(*given))
            return list(texts)

    await world.worker(signer=Watched(keys, URLS, IDS)).handle(received([evidence(1)]))
    assert [each["document"] for each in await world.stored("credentials")] == texts


def authority(world: World) -> Authority:
    """A process of its own; what it publishes arrives at once."""
    known = Catalogue(world.database)

    async def publish(outgoing: Sequence[Outgoing]) -> None:
        await world.publish(outgoing)
        await known.store_authority([each.event for each in outgoing if isinstance(each.event, AuthorityPublished)])

    audit, keys = AuditLog(world.database), SigningKeyRepository(world.client, world.database)
    versions = Publications(
        world.database, catalogue=known, audit=audit, arrivals=Arrivals(), publish=publish, clock=lambda: NOW
    )
    return Authority(
        catalogue=known,
        publications=versions,
        signing_keys=world.signing_keys(),
        keys=keys,
        audit=audit,
        urls=URLS,
        clock=lambda: NOW,
    )


async def test_the_authority_publishes_one_key_of_its_own_before_it_signs_whoever_asks_first(world: World) -> None:
    processes = [authority(world) for _ in range(4)]
    answers = await asyncio.gather(*(each.signing_key() for each in processes))
    (stored,) = await world.stored("signing_keys")
    assert {(did, key.public_multibase) for did, key in answers} == {("did:web:badges.example", stored["_id"])}
    assert (stored["issuer_id"], stored["published"]) == ("authority", True)
    versions = {each.event for each in world.published if isinstance(each.event, AuthorityPublished)}
    assert [each.version for each in versions] == [1]
    assert stored["_id"] in next(iter(versions)).did_document
    assert {"signing-key.added", "authority.published"} <= {each["action"] for each in await world.stored("audit")}


@pytest.mark.parametrize("lost", [["signing_keys"], ["signing_keys", "publications"]])
async def test_no_key_is_made_for_an_authority_that_has_published_one(world: World, lost: list[str]) -> None:
    await authority(world).signing_key()
    for each in lost:
        await world.database[each].delete_many({})
    with pytest.raises(KeyUnavailableError, match="authority"):
        await authority(world).signing_key()
    assert await world.stored("signing_keys") == []


def schools(*names: str) -> MemoryCatalogue:
    return MemoryCatalogue([issuer(each) for each in names], [achievement(owner=each) for each in names])


async def broken(world: World, how: str, key_id: str) -> None:
    """Break the stored key in one of the ways in which one can be found."""
    keys = world.database["signing_keys"]
    stored = await keys.find_one({"_id": key_id})
    assert stored is not None
    if how == "missing":
        await keys.delete_one({"_id": key_id})
        return
    fields: dict[str, Any] = {
        "damaged": {"sealed": stored["sealed"][:-1] + bytes([stored["sealed"][-1] ^ 1])},
        "under another key": {"kek_id": "0123456789abcdef"},
        "not readable": {"state": "active", "times": "yesterday"},
        "no bytes": {"sealed": None},
        "another key's": {"sealed": KEK.seal(bytes(32), "signing key").ciphertext},
        "nobody's": {"issuer_id": key_id.encode()},
    }[how]
    # The index lets one active key be without an issuer.
    if how == "nobody's" and await keys.find_one({"issuer_id": {"$exists": False}}) is None:
        await keys.update_one({"_id": key_id}, {"$unset": {"issuer_id": ""}})
    else:
        await keys.update_one({"_id": key_id}, {"$set": fields})


@pytest.mark.parametrize(
    "how", ["missing", "damaged", "under another key", "not readable", "no bytes", "another key's"]
)
async def test_a_key_that_is_missing_or_does_not_open_parks_its_school_alone_until_it_is_back(
    world: World, how: str
) -> None:
    names = [f"school-{number}" for number in range(4)]
    for each in names:
        await world.signing_keys().create(each, KeyState.ACTIVE, NOW)
    stored = {each["issuer_id"]: each for each in await world.stored("signing_keys")}
    await broken(world, how, stored[names[0]]["_id"])
    catalogue = schools(*names)
    signer = CredentialSigner(world.signing_keys(), URLS, IDS)
    worker = world.worker(catalogue=catalogue, signer=signer)
    await worker.handle(received([evidence(row, learner=f"s{row}", issuer_id=names[row % 4]) for row in range(1, 13)]))
    (parked,) = await world.decisions.parked()
    expected = Reason.SIGNING_KEY_MISSING if how == "missing" else Reason.SIGNING_KEY_CLOSED
    assert (parked.issuer_id, parked.reason, parked.pieces) == (names[0], expected, 3)
    assert len(await world.stored("credentials")) == 9
    waiting = WaitingEvidence(world.decisions, awarding=worker, catalogue=catalogue, clock=lambda: NOW)
    assert await waiting.tick() > 0
    await world.database["signing_keys"].replace_one({"_id": stored[names[0]]["_id"]}, stored[names[0]], upsert=True)
    await waiting.tick()
    assert await world.decisions.parked() == []
    assert len(await world.stored("credentials")) == 12


@pytest.mark.parametrize(
    "how", ["missing", "damaged", "under another key", "not readable", "no bytes", "another key's", "nobody's"]
)
async def test_a_key_that_was_lost_or_damaged_is_taken_back_from_its_copy_and_no_other_school_is_held_up(
    world: World, how: str
) -> None:
    names = [f"school-{number}" for number in range(3)]
    made = {each: (await world.signing_keys().create(each, KeyState.ACTIVE, NOW))[0].key_id for each in names}
    copies = [each.event for each in world.published if isinstance(each.event, SigningKeySealed)]
    for each in names[:2]:
        await broken(world, how, made[each])
    poison = copies[0].model_copy(update={"sealed": "no base64!"})
    adoption = KeyAdoption(SigningKeyRepository(world.client, world.database), KEK, AuditLog(world.database))
    assert [await adoption.adopt([poison, *copies[1:]]), await adoption.adopt(copies)] == [1, 1]
    for each in names:
        assert (await world.signing_keys().key(each)).public_multibase == made[each]
    assert await adoption.adopt(copies) == 0


async def test_the_operator_reads_what_is_parked_and_why_and_releases_what_was_put_off(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kek = tmp_path / "kek"
    kek.write_bytes(base64.b64encode(bytes(32)))
    kek.chmod(0o600)
    settings = ServiceSettings(kek_file=kek)
    assert await parked_command.list_of(settings, world.client, world.database) == 0
    key, _ = await world.signing_keys().create("wattle", KeyState.ACTIVE, NOW)
    keys = SigningKeys(
        SigningKeyRepository(world.client, world.database), FileKeyEncryption(bytes(32)), world.key_copies
    )
    catalogue = schools("wattle", "banksia")
    worker = world.worker(catalogue=catalogue, signer=CredentialSigner(keys, URLS, IDS))
    await worker.handle(received([evidence(1), evidence(2, issuer_id="banksia"), evidence(3, learner="s3")]))
    assert await parked_command.list_of(settings, world.client, world.database) == 1
    told = capsys.readouterr().out
    assert told.startswith("nothing is parked\n")
    assert "\nwattle: 2 pieces since 2026-03-02T" in told
    assert f"signing_key_closed\n  signing key {key.key_id} of issuer wattle was encrypted under" in told
    assert KEK.kek_id in told
    assert "banksia: 1 pieces since" in told
    assert "there is no active signing key of issuer banksia" in told
    later = Waiting(PieceId(uuid4(), 1), "wattle", "resilience", None, now() + timedelta(hours=1), None, TRACE)
    assert await world.decisions.record([], [], [later])
    assert await parked_command.release_of("wattle", None, settings, world.client, world.database) == 1
    assert "there is no issuer wattle" in capsys.readouterr().err
    await world.database["issuers"].insert_one({"_id": "wattle"})
    assert await parked_command.release_of("wattle", "put right", settings, world.client, world.database) == 0
    assert "1 pieces of wattle are tried again" in capsys.readouterr().out.splitlines()
    released = str((await world.stored("audit"))[-1])
    assert "evidence.released" in released
    assert "put right" in released


@pytest.mark.parametrize("collection", ["achievements", "issuers"])
async def test_what_is_stored_of_a_school_and_cannot_be_read_parks_it_alone(world: World, collection: str) -> None:
    catalogue = Catalogue(world.database)
    names = ("wattle", "banksia")
    for each in names:
        await world.signing_keys().create(each, KeyState.ACTIVE, NOW)
    await catalogue.store_issuers([issuer(each) for each in names])
    await catalogue.store_achievements([achievement(owner=each) for each in names])
    stored = await world.database[collection].find_one({"_id": {"$regex": "^wattle"}})
    assert stored is not None
    await world.database[collection].update_one({"_id": stored["_id"]}, {"$set": {"event": '{"name": 7}'}})
    signer = CredentialSigner(world.signing_keys(), URLS, IDS)
    worker = world.worker(catalogue=catalogue, signer=signer)
    pieces = [evidence(row, learner=f"s{row}", issuer_id=names[row % 2]) for row in range(1, 5)]
    await worker.handle(received(pieces))
    (parked,) = await world.decisions.parked()
    unusable = Reason.ISSUER_UNUSABLE if collection == "issuers" else Reason.ACHIEVEMENT_UNUSABLE
    assert (parked.issuer_id, parked.reason, parked.pieces) == ("wattle", unusable, 2)
    waiting = WaitingEvidence(world.decisions, awarding=worker, catalogue=catalogue, clock=lambda: NOW)
    assert await waiting.tick() > 0
    await world.database[collection].replace_one({"_id": stored["_id"]}, stored)
    await waiting.tick()
    assert len(await world.stored("credentials")) == 4


@pytest.mark.parametrize("field", ["owner", "achievement_id", "version", "shared", "name", "asks_for", "event"])
@pytest.mark.parametrize("damage", [{"$unset": ""}, {"$set": 7}])
async def test_a_damaged_field_of_an_achievement_ends_no_loop_and_holds_up_no_other_school(
    world: World, field: str, damage: dict[str, Any]
) -> None:
    catalogue = Catalogue(world.database)
    names = ("wattle", "banksia")
    for each in names:
        await world.signing_keys().create(each, KeyState.ACTIVE, NOW)
    await catalogue.store_issuers([issuer(each) for each in names])
    worker = world.worker(catalogue=catalogue, signer=CredentialSigner(world.signing_keys(), URLS, IDS))
    await worker.handle(received([evidence(row, learner=f"s{row}", issuer_id=names[row % 2]) for row in range(1, 5)]))
    await catalogue.store_achievements([achievement(owner=each) for each in names])
    ((how, value),) = damage.items()
    await world.database["achievements"].update_one({"_id": {"$regex": "^wattle"}}, {how: {field: value}})
    waiting = WaitingEvidence(world.decisions, awarding=worker, catalogue=catalogue, clock=lambda: NOW)
    while await waiting.tick() == 0:
        pass
    later = [evidence(row, learner=f"s{row}", issuer_id=names[row % 2]) for row in range(5, 9)]
    await worker.handle(received(later))
    issued = Counter(each["issuer_id"] for each in await world.stored("credentials"))
    assert issued["banksia"] == 4
    parked = {(each.issuer_id, each.reason): each.pieces for each in await world.decisions.parked()}
    lost = 4 if field in {"owner", "achievement_id"} else 0
    held = {("wattle", Reason.ACHIEVEMENT_UNUSABLE): 4} if field == "event" else {}
    assert parked == held
    assert issued["wattle"] == 4 - lost - sum(held.values())


@pytest.mark.parametrize("field", ["lacks", "trace", "since", "until", "issuer_id", "reason"])
async def test_a_damaged_document_of_what_waits_holds_up_nothing_else(world: World, field: str) -> None:
    catalogue = Catalogue(world.database)
    names = ("banksia", "wattle")
    for each in names:
        await world.signing_keys().create(each, KeyState.ACTIVE, NOW)
    await catalogue.store_issuers([issuer(each) for each in names])
    worker = world.worker(catalogue=catalogue, signer=CredentialSigner(world.signing_keys(), URLS, IDS))
    await worker.handle(received([evidence(row, learner=f"s{row}", issuer_id=names[row % 2]) for row in range(1, 5)]))
    await catalogue.store_achievements([achievement(owner=each) for each in names])
    damaged = await world.database["waiting"].find_one({"issuer_id": "banksia"})
    assert damaged is not None
    for how in ({"$unset": {field: ""}}, {"$set": {field: "damaged"}}):
        await world.database["waiting"].update_one({"_id": damaged["_id"]}, how)
        waiting = WaitingEvidence(world.decisions, awarding=worker, catalogue=catalogue, clock=lambda: NOW)
        while await waiting.tick() == 0:
            pass
    assert Counter(each["issuer_id"] for each in await world.stored("credentials"))["wattle"] == 2


async def test_an_issuer_that_cannot_be_read_costs_no_other_its_place_in_the_list_of_issuers(world: World) -> None:
    catalogue = Catalogue(world.database)
    await catalogue.store_issuers([issuer(each) for each in ("banksia", "wattle", "waratah")])
    await world.database["issuers"].update_one({"_id": "wattle"}, {"$set": {"event": "no JSON"}})
    assert [each.issuer_id async for some in catalogue.everybody() for each in some] == ["banksia", "waratah"]
    claims = {"wattle": "no JSON", "boronia": issuer("boronia").model_dump_json()}
    await world.database["publications"].insert_many(
        {
            "_id": f"issuer:{name}/1",
            "subject": f"issuer:{name}",
            "version": 1,
            "kind": "issuer",
            "event": event,
            "arrived": False,
            "claimed_at": NOW,
        }
        for name, event in claims.items()
    )
    published: list[Outgoing] = []

    async def publish(outgoing: Sequence[Outgoing]) -> None:
        published.extend(outgoing)

    later = NOW + timedelta(hours=1)
    audit, arrivals = AuditLog(world.database), Arrivals()
    versions = Publications(
        world.database, catalogue=catalogue, audit=audit, arrivals=arrivals, publish=publish, clock=lambda: later
    )
    assert await versions.repair() > 0
    assert [each.event.key for each in published] == ["issuer:boronia"]
